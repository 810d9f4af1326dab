//! The rates of every schedule, step by step, beside those of PyTorch, optax and Keras, which `reference.py` computes; and what
//! schedules are as texts.

mod texts;

use std::sync::Arc;

use chainrule_core::{Description, DescriptionError, Kind, Registry, Value};
use chainrule_optim::schedule::{
    LambdaSchedule, MultiplicativeSchedule, Plateau, WarmUp, check_rate, register_schedules,
};
use chainrule_optim::{Run, Schedule, Step};
use serde_json::Value as Json;

/// The rate of the optimizer, for schedules that leave out theirs.
const RATE: f64 = 0.1;

/// The schedule of a text, with the optimizer's rate where it has none.
fn schedule(text: &str) -> Result<Arc<dyn Schedule>, DescriptionError> {
    let mut registry = Registry::new();
    register_schedules(&mut registry);
    let description: Description = text.parse()?;
    let schedule: Arc<dyn Schedule> = registry.build(&description)?;
    Ok(schedule.completed_by(&Value::Number(RATE)))
}

fn reference() -> Json {
    serde_json::from_str(include_str!("reference.json")).unwrap()
}

fn list(values: &Json) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Keras computes its cosines and roundings in single precision.
fn tolerance(of: &str) -> f64 {
    if of == "Keras" { 1e-6 } else { 1e-12 }
}

fn assert_rates(schedule: &dyn Schedule, run: Run, rates: &[f64], tolerance: f64, what: &str) {
    assert!(!rates.is_empty());
    let largest = rates.iter().copied().fold(0.0, f64::max);
    for (index, &right) in (0..).zip(rates) {
        let found = schedule.rate(Step { index, run });
        let close = (found - right).abs() <= tolerance * largest.max(right);
        assert!(close, "{what}: step {index} has the rate {found:e}, not {right:e}");
    }
}

#[test]
fn rates_are_those_of_others() {
    let reference = reference();
    let mut registry = Registry::new();
    register_schedules(&mut registry);
    let mut compared = Vec::new();
    for case in reference["cases"].as_array().unwrap() {
        let text = case["schedule"].as_str().unwrap();
        let of = case["of"].as_str().unwrap();
        let what = format!("{text} beside {of}");
        let tolerance = tolerance(of);
        let schedule = schedule(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        schedule.validate().unwrap_or_else(|error| panic!("{text}: {error}"));
        let known = |index: usize| case["run"][index].as_u64();
        let run = Run { steps: known(0), steps_per_epoch: known(1), reductions: 0 };
        assert_rates(&*schedule, run, &list(&case["rates"]), tolerance, &what);
        // The same from its description.
        let again: Arc<dyn Schedule> = registry.build(&Kind::description(&schedule)).unwrap();
        assert_rates(&*again, run, &list(&case["rates"]), tolerance, &what);
        compared.push(Kind::description(&schedule).name);
    }
    for entry in registry.entries::<Arc<dyn Schedule>>() {
        let alone = ["reduce_on_plateau"].contains(&entry.name);
        assert!(
            alone || compared.iter().any(|name| name == entry.name),
            "{} is compared with others",
            entry.name
        );
    }
}

#[test]
fn a_plateau_reduces_the_rate_as_in_pytorch() {
    for case in reference()["plateaus"].as_array().unwrap() {
        let text = case["schedule"].as_str().unwrap();
        let schedule = schedule(text).unwrap();
        let settings = schedule.plateau().unwrap();
        let mut plateau = Plateau::default();
        let values = case["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap());
        let mut reduced = 0;
        for (value, right) in values.zip(list(&case["rates"])) {
            settings.observe(&mut plateau, value.parse().unwrap());
            let run = Run { reductions: plateau.reductions, ..Run::default() };
            let found = schedule.rate(Step { index: 0, run });
            assert!((found - right).abs() <= 1e-15, "{text} at {value}: {found} is not {right}");
            reduced = plateau.reductions;
        }
        assert!(reduced > 0, "{text} is reduced");
    }
}

/// The two that take functions, against their formulas: PyTorch's `LambdaLR` and `MultiplicativeLR`.
#[test]
fn functions_of_the_step() {
    let factor = |step: u64| 0.9 + 0.01 * (step % 5) as f64;
    let lambda = LambdaSchedule::new(0.5, factor);
    let product = MultiplicativeSchedule::new(0.5, factor);
    let mut right = 0.5;
    let mut products = vec![right];
    for step in 1..60 {
        right *= factor(step);
        products.push(right);
    }
    for step in (0..60).chain([3, 59, 0, 30]) {
        assert_eq!(lambda.rate(step.into()), 0.5 * factor(step));
        assert_eq!(product.rate(step.into()), products[step as usize], "in any order");
    }
}

#[test]
fn nothing_is_known_of_the_run() {
    for text in ["cosine", "linear", "polynomial", "one_cycle", "by_epoch(step(3))", "warmup(5) then cosine"]
    {
        let schedule = schedule(text).unwrap();
        schedule.validate().unwrap();
        assert!(schedule.rate(Step::from(2)).is_nan(), "{text}");
        assert!(check_rate::<f32>(&*schedule, Step::from(2)).is_err(), "{text}");
        let run = Run { steps: Some(100), steps_per_epoch: Some(10), reductions: 0 };
        assert!((0..110).all(|index| check_rate::<f32>(&*schedule, Step { index, run }).is_ok()), "{text}");
        // A run of no steps.
        let run = Run { steps: Some(0), steps_per_epoch: Some(1), reductions: 0 };
        assert!(check_rate::<f32>(&*schedule, Step { index: 0, run }).is_ok(), "{text}");
    }
}

#[test]
fn a_length_that_cannot_be_counted_is_the_largest() {
    let next = schedule("linear(steps=10)").unwrap();
    assert_eq!(WarmUp::new(u64::MAX).then(next.clone()).length(), Some(u64::MAX));
    assert_eq!(WarmUp::new(5).then(next).length(), Some(15));
}
