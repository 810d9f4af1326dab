//! The rate of each step is checked, in every optimizer and behind every wrapper.

use std::sync::Arc;

use chainrule_core::Value;
use chainrule_optim::schedule::{Cosine, StepDecay, WarmUp, check_rate};
use chainrule_optim::{
    ClipByGlobalNorm, ClipByValue, Schedule, SettingError, Step, UpdateRule, WeightDecay, adam, adamw,
    rmsprop, sgd,
};

/// The first step of a thousand whose rate is refused, and what is said of it.
fn first_refused(optimizer: &dyn UpdateRule<f32>) -> Option<(u64, String)> {
    let refused = |step| optimizer.check_step(Step::from(step)).err().map(|error| (step, error.to_string()));
    (0..1000).find_map(refused)
}

#[test]
fn every_optimizer_checks_every_step() {
    fn wrong(step: u64) -> f64 {
        if step == 3 { f64::NAN } else { 0.1 }
    }
    let every: [Box<dyn UpdateRule<f32>>; 10] = [
        Box::new(sgd(wrong)),
        Box::new(sgd(wrong).momentum(0.9).nesterov()),
        Box::new(adam(wrong)),
        Box::new(adam(wrong).keras()),
        Box::new(adamw(wrong)),
        Box::new(rmsprop(wrong).momentum(0.5).centered()),
        Box::new((ClipByGlobalNorm(1.0), sgd(wrong))),
        Box::new((sgd(wrong), WeightDecay(0.1))),
        Box::new(Arc::new((ClipByValue(1.0), (WeightDecay(0.1), adam(wrong))))),
        Box::new(Box::new(rmsprop(wrong)) as Box<dyn UpdateRule<f32>>),
    ];
    for optimizer in every {
        let (step, message) = first_refused(&*optimizer).unwrap();
        assert_eq!(step, 3, "{optimizer:?}");
        let expected = "the schedule function(first=0.1) gives step 3 the learning rate NaN, but it must be";
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn every_schedule_is_named_with_its_step() {
    let steps = |gamma| StepDecay::new(1.0, 1).gamma(gamma);
    let boxed: Box<dyn Schedule> = Box::new(steps(1e200));
    let refused: [(Box<dyn UpdateRule<f32>>, u64, &str); 7] = [
        (Box::new(sgd(steps(1e200))), 1, "step(every=1, gamma=1e200, rate=1.0) gives step 1"),
        (Box::new(sgd(boxed)), 1, "step(every=1, gamma=1e200, rate=1.0) gives step 1"),
        // 10^39 is finite in double precision, but not in single.
        (Box::new(sgd(steps(10.0))), 39, "gives step 39 the learning rate 1"),
        (
            Box::new(sgd(WarmUp::new(5).then(steps(1e200)))),
            6,
            "schedule=step(every=1, gamma=1e200, rate=1.0), rate=none) gives step 6",
        ),
        (Box::new(sgd(|step| 0.2 - 0.1 * step as f64)), 3, "gives step 3 the learning rate -0.1"),
        (
            Box::new(sgd(|step| if step < 7 { 0.1 } else { f64::INFINITY })),
            7,
            "gives step 7 the learning rate inf",
        ),
        (Box::new(sgd(f32::INFINITY)), 0, "inf gives step 0"),
    ];
    for (optimizer, right, expected) in refused {
        let (step, message) = first_refused(&*optimizer).unwrap();
        assert_eq!(step, right, "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let double: &dyn UpdateRule<f64> = &sgd(steps(10.0));
    assert_eq!(double.check_step(39.into()), Ok(()));
    assert!(matches!(double.check_step(309.into()), Err(SettingError::Rate { step: 309, .. })));
    assert_eq!(
        check_rate::<f32>(&|_| -1e-300, 2.into()).unwrap_err().to_string().matches("step 2").count(),
        1
    );
    let fine: [Box<dyn UpdateRule<f32>>; 5] = [
        Box::new(sgd(0.0)),
        Box::new(adam(0.001f32)),
        Box::new(adam(Cosine::new(0.1).steps(500))),
        Box::new(adam(WarmUp::new(100).then(steps(0.5)))),
        Box::new((ClipByGlobalNorm(1.0), adamw(|step| 0.1 / (1.0 + step as f64).sqrt()))),
    ];
    for optimizer in fine {
        assert_eq!(first_refused(&*optimizer), None, "{optimizer:?}");
    }
    // Half of twice the rate would overflow.
    let large = Cosine::new(f64::MAX).steps(2);
    assert_eq!([0, 2, 3].map(|step| large.rate(Step::from(step))), [f64::MAX, 0.0, 0.0]);
}

#[test]
fn a_rate_in_single_precision_is_that_number() {
    assert_eq!(0.001f32.rate(7.into()), f64::from(0.001f32));
    assert_eq!(
        0.001f32.value(),
        Value::Number(f64::from(0.001f32)),
        "what is written is that number when it is read"
    );
}
