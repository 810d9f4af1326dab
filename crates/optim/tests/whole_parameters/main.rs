//! Optimizers and stages that need whole parameters, all of them, the loss, or more than one evaluation: their values beside those of other
//! libraries, which `reference.py` wrote, and what all of them have in common.

mod cases;

use cases::{Case, Feed, every_case};
use chainrule_core::{Description, ParamKind, Registry};
use chainrule_optim::{
    AdaptiveClip, Bounds, ClipByNorm, Ema, L1L2, Lookahead, MaxNorm, MinMaxNorm, NonNegative, Optimizer,
    Parameter, Real, Step, Stepper, Swa, UnitNorm, UpdateRule, adam, groups, register_optimizers,
    schedule_free_adamw, schedule_free_sgd, sgd,
};
use chainrule_tensor::{Seed, Shape, vector};
use serde_json::Value;

/// Those of `reference.py`.
fn parameters() -> Vec<Parameter> {
    let parameter = |name: &str, shape: &[usize], kind| Parameter {
        name: name.to_owned(),
        shape: Shape::new(shape).unwrap(),
        kind,
        product: false,
    };
    vec![
        parameter("0.weight", &[6, 4], ParamKind::Weight),
        parameter("0.bias", &[4], ParamKind::Bias),
        parameter("1.weight", &[3, 2, 2, 2], ParamKind::Weight),
        parameter("2.scale", &[5], ParamKind::Bias),
    ]
}

fn list<T: Real>(values: &Value) -> Vec<T> {
    values.as_array().unwrap().iter().map(|value| T::of(value.as_f64().unwrap())).collect()
}

/// `Σ (pᵢ₊₁ - pᵢ²)² + 0.01 (1 - pᵢ)²` and its gradient, in double precision.
fn valley<T: Real>(p: &[T], grads: &mut [T]) -> f64 {
    let p: Vec<f64> = p.iter().map(|p| p.as_f64()).collect();
    let mut of_p = vec![0.0; p.len()];
    let mut sum = 0.0;
    for i in 1..p.len() {
        let across = p[i] - p[i - 1] * p[i - 1];
        let along = 1.0 - p[i - 1];
        sum += across * across + 0.01 * along * along;
        of_p[i] += 2.0 * across;
        of_p[i - 1] -= 4.0 * across * p[i - 1] + 0.02 * along;
    }
    grads.iter_mut().zip(of_p).for_each(|(to, g)| *to = T::of(g));
    sum
}

/// The parameters after the steps of a case.
fn run<T: Real>(case: &Case<T>, reference: &Value) -> Vec<T> {
    let mut params: Vec<T> = list(&reference["params"]);
    let mut stepper = Stepper::with_parameters(&*case.optimizer, parameters(), &params).unwrap();
    let all: Vec<Vec<T>> = reference["grads"].as_array().unwrap().iter().map(list).collect();
    let losses: Vec<f64> = list(&reference["losses"]);
    match case.feed {
        Feed::Gradients(steps) => {
            for (grads, &loss) in all.iter().zip(&losses).take(steps) {
                let mut calls = 0;
                stepper.minimize(&mut params, |_, to| {
                    calls += 1;
                    to.copy_from_slice(grads);
                    loss
                });
                assert_eq!(calls, 1, "{}", case.name);
            }
        }
        Feed::Valley(steps) => {
            (0..steps).for_each(|_| {
                stepper.minimize(&mut params, valley);
            });
        }
    }
    if case.averaged {
        stepper.average(&mut params);
    }
    params
}

fn compare<T: Real>(tolerance: f64) {
    let reference: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let right = reference["after"].as_object().unwrap();
    let cases = every_case::<T>();
    for name in right.keys() {
        assert!(cases.iter().any(|case| case.name == name), "{name} has no case");
    }
    let mut wrong = Vec::new();
    for case in &cases {
        let right: Vec<f64> = list(&right[case.name]);
        let found = run(case, &reference);
        let scale = right.iter().fold(1e-3f64, |largest, right| largest.max(right.abs()));
        let errors = found.iter().zip(&right).map(|(found, right)| (found.as_f64() - right).abs());
        let error = errors.fold(0.0, f64::max) / scale;
        if error.is_nan() || error > (tolerance * case.looser).max(case.at_least) {
            wrong.push(format!("{}: {error:e}", case.name));
        }
    }
    assert!(wrong.is_empty(), "in {}: {wrong:#?}", T::NAME);
}

#[test]
fn fifty_steps_in_double_precision() {
    compare::<f64>(1e-12);
}

#[test]
fn fifty_steps_in_single_precision() {
    compare::<f32>(1e-5);
}

#[test]
fn each_is_built_from_its_text() {
    let mut registry = Registry::new();
    register_optimizers::<f64>(&mut registry);
    for case in every_case::<f64>() {
        let text = case.optimizer.description().to_string();
        let description: Description = text.parse().unwrap();
        let built: Box<dyn UpdateRule<f64>> =
            registry.build(&description).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(built.description().to_string(), text);
        let reference: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
        let again = Case { optimizer: built, ..case };
        assert_eq!(run(&again, &reference), run(&case_named(again.name), &reference), "{text}");
    }
}

fn case_named(name: &str) -> Case<f64> {
    every_case().into_iter().find(|case| case.name == name).unwrap()
}

/// What a stage says of the largest numbers of a step holds.
#[test]
fn bounds_hold() {
    let stages: Vec<Box<dyn UpdateRule<f64>>> = vec![
        Box::new((ClipByNorm(0.5), sgd(0.3).momentum(0.9))),
        Box::new((AdaptiveClip { clipping: 0.1, epsilon: 1e-3 }, sgd(0.3))),
        Box::new((L1L2 { l1: 0.1, l2: 0.1 }, sgd(0.3))),
        Box::new((sgd(0.3), MaxNorm(0.5))),
        Box::new((sgd(0.3), MinMaxNorm { min: 0.2, max: 0.5, rate: 0.5 })),
        Box::new((sgd(0.3), UnitNorm)),
        Box::new((sgd(0.3), NonNegative)),
        Box::new((sgd(0.3), Ema { decay: 0.9, every: 2 })),
        Box::new((sgd(0.3), Lookahead { alpha: 0.5, every: 3 })),
        Box::new((sgd(0.3), Swa { start: 3, every: 2, by_epoch: false })),
        Box::new(schedule_free_adamw(0.1).weight_decay(0.1)),
        Box::new(schedule_free_sgd(0.1).weight_decay(0.1)),
        Box::new(groups((sgd(0.1).momentum(0.9), MaxNorm(1.0))).on("*.bias", adam(0.1)).freeze("2.*")),
    ];
    for optimizer in stages {
        for scale in [1e-6, 1.0, 1e6] {
            let mut rng = Seed(3).rng();
            let mut params: Vec<f64> = (0..57).map(|_| rng.normal()).collect();
            let slots = optimizer.slots();
            let mut of_params = vector::largest(&params);
            let mut stepper = Stepper::with_parameters(&*optimizer, parameters(), &params).unwrap();
            // A state may begin with the parameters.
            let mut of_state = vec![of_params; slots];
            for step in 0..30 {
                let mut grads: Vec<f64> = params.iter().map(|_| scale * rng.normal()).collect();
                let mut of_grads = vector::largest(&grads);
                let step = Step::from(step);
                let bounds =
                    Bounds { step, params: &mut of_params, grads: &mut of_grads, state: &mut of_state };
                let all = optimizer.bound(bounds);
                assert!(all.is_finite(), "{optimizer:?}");
                stepper.step(&mut params, &mut grads);
                let found = vector::largest(&params);
                assert!(found <= 1.001 * of_params, "{optimizer:?}: {found} {of_params}");
                assert!(of_params <= 1.001 * all, "{optimizer:?}: {of_params} {all}");
            }
        }
    }
}
