//! Schedules as texts.

use std::sync::Arc;

use chainrule_core::{Kind, Registry};
use chainrule_optim::schedule::{Cosine, SwaAnnealing, WarmUp, register_schedules};
use chainrule_optim::{Run, Schedule, SettingError, Step, UpdateRule, adam, register_optimizers, sgd};

use crate::{RATE, schedule};

fn rate(text: &str, index: u64, steps: u64) -> f64 {
    let run = Run { steps: Some(steps), steps_per_epoch: Some(10), reductions: 0 };
    schedule(text).unwrap().rate(Step { index, run })
}

#[test]
fn rate_and_length_may_be_left_out() {
    assert_eq!(rate("constant", 3, 10), RATE);
    assert_eq!(rate("cosine", 0, 10), RATE);
    assert_eq!(rate("cosine(rate=0.5)", 0, 10), 0.5);
    assert!(rate("cosine", 10, 10) < 1e-12 && rate("cosine", 9, 10) > 1e-3);
    assert!(rate("cosine(5)", 5, 10) < 1e-12);
    // The first rate after a warm-up is the highest.
    let text = "warmup:500 then cosine";
    assert_eq!(rate(text, 500, 1000), RATE);
    assert!((rate(text, 0, 1000) - RATE / 501.0).abs() < 1e-15);
    assert!(rate(text, 1000, 1000) < 1e-12 && rate(text, 999, 1000) > 1e-7);
    // A warm-up rises to what follows, whatever that is.
    assert_eq!(rate("warmup(1) then constant(rate=3)", 0, 10), 1.5);
    assert_eq!(rate("warmup(1) then cosine(5, rate=3) then constant(rate=2)", 6, 10), 2.0);
    assert_eq!(rate("warmup(1)", 9, 10), RATE);
    // What comes first lasts as long as it says.
    assert_eq!(rate("constant(4, 0.5) then step(3)", 3, 10), 0.5 * RATE);
    assert_eq!(rate("constant(4, 0.5) then step(3)", 6, 10), RATE);
    assert!((rate("constant(4, 0.5) then step(3)", 7, 10) - 0.1 * RATE).abs() < 1e-12);
    // Annealing goes on from where the rate is.
    assert_eq!(rate("cosine(10, floor=0.02) then swa(0.05, 5)", 10, 20), 0.02);
    assert_eq!(rate("cosine(10, floor=0.02) then swa(0.05, 5)", 15, 20), 0.05);
    assert_eq!(rate("by_epoch(warmup(1) then step(1))", 9, 100), RATE / 2.0);
    assert_eq!(rate("by_epoch(warmup(1) then step(1))", 10, 100), RATE);
    for text in [
        "plateau",
        "warmup(3) then plateau",
        "chained([linear, plateau])",
        "by_epoch(warmup(3) then plateau)",
    ] {
        assert!(schedule(text).unwrap().plateau().is_some(), "{text}");
    }
}

#[test]
fn a_rate_that_is_left_out_is_the_default_of_the_optimizer() {
    let mut registry = Registry::new();
    register_schedules(&mut registry);
    register_optimizers::<f32>(&mut registry);
    let lr = |text: &str| {
        let optimizer: Box<dyn UpdateRule<f32>> = registry.build(&text.parse().unwrap()).unwrap();
        optimizer.validate().unwrap();
        optimizer.description().get("lr").unwrap().to_string()
    };
    assert_eq!(lr("adam"), "0.001");
    assert_eq!(lr("adam(lr=step(3))"), "step(every=3, gamma=0.1, rate=0.001)");
    assert_eq!(lr("adam(lr=step(3, rate=0.5))"), "step(every=3, gamma=0.1, rate=0.5)");
    let warm =
        "warm_up(steps=5, start_factor=none, schedule=step(every=3, gamma=0.1, rate=0.001), rate=none)";
    assert_eq!(lr("adam(lr=warmup(5) then step(3))"), warm);
}

#[test]
fn texts_that_are_no_schedule() {
    for (text, expected) in [
        ("cosin", "there is no schedule named `cosin`; the nearest name is `cosine`"),
        ("step", "step needs the setting `every`: The number of steps between changes."),
        ("step(0)", "step.every is 0, but must be at least 1"),
        ("cosine(10, rate=-1)", "cosine.rate is -1, but must be a finite number of at least 0"),
        ("cosine(10, alpha=2)", "cosine.alpha is 2, but must be from 0 to 1"),
        (
            "cyclic(0, mode=square)",
            "cyclic.mode is square, but must be triangular or triangular2 or exp_range",
        ),
        ("exponential(0.9) then cosine", "a schedule that another follows does not say its number of steps"),
        (
            "warmup(5) then step(3) then cosine",
            "a schedule that another follows does not say its number of steps",
        ),
        ("by_epoch(cosin)", "there is no schedule named `cosin`"),
        ("chained(cosine)", "chained.schedules is cosine, but must be a list"),
    ] {
        let error = schedule(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn settings_that_contradict_each_other() {
    for (text, expected) in [
        ("multi_step([3, 2])", "its milestones are not in order"),
        ("piecewise_constant([3], [1])", "the number of values is not that of the boundaries and one more"),
        ("piecewise_constant([3, 1], [1, 2, 3])", "its milestones are not in order"),
        ("sequential([cosine, step(3)], [])", "it does not have one more schedule than milestones"),
        ("by_epoch(multi_step([3, 2]))", "its milestones are not in order"),
        ("chained([multi_step([3, 2])])", "its milestones are not in order"),
        ("warmup(3) then multi_step([3, 2])", "its milestones are not in order"),
    ] {
        let error = schedule(text).unwrap().validate().unwrap_err();
        assert!(matches!(error, SettingError::Conflict { .. }), "{text}: {error}");
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
    let refused = |optimizer: &dyn UpdateRule<f32>| optimizer.validate().unwrap_err().to_string();
    assert!(refused(&adam(Cosine::new(None))).starts_with("Cosine: it has no rate"));
    assert!(refused(&sgd(WarmUp::new(4))).starts_with("WarmUp: it has no rate"));
    assert!(
        refused(&sgd(WarmUp::new(4).then(SwaAnnealing::new(None, 1.0))))
            .starts_with("SwaAnnealing: it has no")
    );
    assert!(refused(&sgd(Cosine::new(0.1).steps(0))).contains("steps is 0, but must be at least 1"));
}

#[test]
fn a_schedule_is_written_with_all_its_settings() {
    let schedule = schedule("warmup:5 then step(3)").unwrap();
    let text = "warm_up(steps=5, start_factor=none, schedule=step(every=3, gamma=0.1, rate=0.1), rate=none)";
    assert_eq!(Kind::description(&schedule).to_string(), text);
    let number: Arc<dyn Schedule> = Arc::new(0.25);
    assert_eq!(number.value().to_string(), "0.25");
    assert_eq!(Kind::description(&number).to_string(), "constant(rate=0.25)");
    assert_eq!(
        format!("{:?}", sgd(Cosine::new(0.5).steps(3))).matches("cosine(steps=3, floor=0.0").count(),
        1
    );
}
