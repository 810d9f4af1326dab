//! Properties that every optimizer has, and its values beside those of other libraries. A new optimizer adds its lines to `cases.rs`.

mod bounds;
mod by_name;
mod cases;
mod convergence;
mod reference;
mod state;

use std::sync::Arc;

use cases::{Case, every_case};
use chainrule_optim::schedule::{Cosine, StepDecay, WarmUp};
use chainrule_optim::{
    ClipByGlobalNorm, ClipByValue, Optimizer, ParamKind, Parameter, Real, Schedule, SettingError, Step,
    Stepper, Update, UpdateRule, WeightDecay, Whole, adabelief, adadelta, adagrad, adam, adamax, adamaxw,
    adamw, adan, ademamix, adopt, amsgrad, asgd, lion, madgrad, nadam, nadamw, radam, rmsprop, sgd, signum,
    sophia,
};
use chainrule_tensor::Shape;

/// An optimizer of parameters that are cut into these ranges, each with a name of its own.
fn cut<T: Real>(
    optimizer: Box<dyn UpdateRule<T>>,
    cuts: &[usize],
    params: &[T],
) -> Stepper<T, Box<dyn UpdateRule<T>>> {
    let ends = cuts.iter().copied().chain([params.len()]);
    let lens = ends.scan(0, |start, end| Some(end - std::mem::replace(start, end)));
    let parameter = |(index, len): (usize, usize)| Parameter {
        name: index.to_string(),
        shape: Shape::from(len),
        kind: ParamKind::Weight,
        product: false,
    };
    Stepper::with_parameters(optimizer, lens.enumerate().map(parameter).collect(), params).unwrap()
}

/// `steps` steps that minimise `Σ (p - i)² / 2`, with the parameters split at `cuts`.
fn descend<T: Real>(optimizer: Box<dyn UpdateRule<T>>, steps: u64, cuts: &[usize]) -> Vec<T> {
    let mut params: Vec<T> = (0..40).map(|i| T::of(f64::from(i) / 10.0 - 1.0)).collect();
    let mut stepper = cut(optimizer, cuts, &params);
    for _ in 0..steps {
        let mut grads: Vec<T> = params.iter().enumerate().map(|(i, &p)| p - T::of(i as f64 / 40.0)).collect();
        stepper.step(&mut params, &mut grads);
    }
    params
}

#[test]
fn buckets_give_the_same_bits() {
    for Case { name, make, rates } in every_case::<f32>() {
        let optimizer = || make(Arc::new(rates[0]));
        let whole = descend(optimizer(), 20, &[]);
        assert_eq!(descend(optimizer(), 20, &[3, 20, 20, 37]), whole, "{name}");
    }
}

#[test]
fn every_rate_is_checked() {
    for case in every_case::<f32>() {
        let optimizer = (case.make)(Arc::new(|step: u64| if step == 3 { f64::NAN } else { 0.1 }));
        let first_refused = (0..10).find(|&step| optimizer.check_step(Step::from(step)).is_err());
        assert_eq!(first_refused, Some(3), "{}", case.name);
    }
}

/// Clipping comes before it, and does not change the curvature that it finds.
#[test]
fn a_curvature_is_that_of_the_function() {
    let sophia = sophia(0.1).betas(0.0, 0.0).gamma(1.0).weight_decay(0.0);
    let mut params = [3.0];
    let mut stepper = Stepper::new((ClipByValue(1.0), sophia), &params).unwrap();
    for _ in 0..2 {
        stepper.minimize(&mut params, |params, grads| {
            grads[0] = 4.0 * params[0];
            2.0 * params[0] * params[0]
        });
    }
    // The first step is limited to the learning rate; the second divides the clipped gradient, 1, by the curvature, 4.
    assert!((params[0] - (3.0 - 0.1 - 0.1 / 4.0)).abs() < 1e-9, "{}", params[0]);
}

/// A trainer calls `needs_all_gradients` first, so a stage that forgets it would be skipped silently.
#[test]
fn stages_that_transform_all_gradients_say_so() {
    for case in every_case::<f64>() {
        let optimizer = case.with_rate(0.1);
        let before = [1e3, -1e3];
        let mut grads = before;
        optimizer.transform_all(Whole::new(Step::default(), &mut grads));
        assert_eq!(optimizer.needs_all_gradients(), grads != before, "{optimizer:?}");
    }
}

#[test]
fn only_weights_decay() {
    let decaying: Vec<Box<dyn UpdateRule<f64>>> = vec![
        Box::new(sgd(0.1).weight_decay(0.5)),
        Box::new(adamw(0.1).weight_decay(0.5)),
        Box::new((WeightDecay(0.5), rmsprop(0.1))),
        Box::new(adadelta(0.1).weight_decay(0.5)),
        Box::new(adagrad(0.1).weight_decay(0.5)),
        Box::new(adamax(0.1).weight_decay(0.5)),
        Box::new(adamaxw(0.1).weight_decay(0.5)),
        Box::new(amsgrad(0.1).weight_decay(0.5)),
        Box::new(amsgrad(0.1).decoupled_weight_decay(0.5)),
        Box::new(nadam(0.1).weight_decay(0.5)),
        Box::new(nadam(0.1).decoupled_weight_decay(0.5)),
        Box::new(nadamw(0.1).weight_decay(0.5)),
        Box::new(radam(0.1).weight_decay(0.5)),
        Box::new(radam(0.1).decoupled_weight_decay(0.5)),
        Box::new(lion(0.1).weight_decay(0.5)),
        Box::new(adabelief(0.1).weight_decay(0.5)),
        Box::new(adan(0.1).weight_decay(0.5)),
        Box::new(asgd(0.1).lambd(0.0).weight_decay(0.5)),
        Box::new(ademamix(0.1).weight_decay(0.5)),
        Box::new(adopt(0.1).weight_decay(0.5)),
        Box::new(signum(0.1).weight_decay(0.5)),
        Box::new(madgrad(0.1).weight_decay(0.5)),
    ];
    for optimizer in decaying {
        for (kind, moves) in [(ParamKind::Weight, true), (ParamKind::Bias, false)] {
            assert!(optimizer.uses_kind(), "{optimizer:?}");
            let (mut params, mut state) = ([2.0], vec![0.0; optimizer.slots()]);
            let (params, state) = (&mut params, &mut state);
            optimizer.start(Update::new(Step::default(), kind, params, &mut [], state));
            optimizer.update(Update::new(Step::default(), kind, params, &mut [0.0], state));
            assert_eq!(params[0] < 2.0, moves, "{optimizer:?} of a {kind:?}: {}", params[0]);
            assert!(moves || params[0] == 2.0);
        }
    }
}

/// The parameter after two steps with the gradients 0.5 and -0.2, from 1.
fn two_steps(optimizer: &dyn UpdateRule<f64>) -> f64 {
    let mut params = [1.0];
    let mut stepper = Stepper::new(optimizer, &params).unwrap();
    for grad in [0.5, -0.2] {
        stepper.step(&mut params, &mut [grad]);
    }
    params[0]
}

#[test]
fn two_steps_by_hand() {
    let (a, b) = (0.5, -0.2);
    let adam_by_hand = |decay: f64| {
        let first = (1.0 - 0.1 * decay) - 0.1 * a / (a + 1e-8);
        let m = (0.9 * 0.1 * a + 0.1 * b) / (1.0 - 0.81);
        let v: f64 = (0.999 * 0.001 * a * a + 0.001 * b * b) / (1.0 - 0.999 * 0.999);
        first * (1.0 - 0.1 * decay) - 0.1 * m / (v.sqrt() + 1e-8)
    };
    let adam_of_keras = {
        // Section 2 of the paper: the corrections move into the rate, and the least denominator stays bare.
        let (m, v) = (0.1 * a, 0.001 * a * a);
        let first = 1.0 - 0.1 * (0.001f64.sqrt() / 0.1) * m / (f64::sqrt(v) + 1e-7);
        let (m, v) = (0.9 * m + 0.1 * b, 0.999 * v + 0.001 * b * b);
        first - 0.1 * ((1.0 - 0.999f64.powi(2)).sqrt() / (1.0 - 0.81)) * m / (v.sqrt() + 1e-7)
    };
    let (v1, v2): (f64, f64) = (0.01 * a * a, 0.99 * 0.01 * a * a + 0.01 * b * b);
    let (m1, m2) = (0.01 * a, 0.99 * 0.01 * a + 0.01 * b);
    let (d1, d2) = (a / (v1.sqrt() + 1e-8), b / (v2.sqrt() + 1e-8));
    let (c1, c2) = (a / ((v1 - m1 * m1).sqrt() + 1e-8), b / ((v2 - m2 * m2).sqrt() + 1e-8));
    let cases: [(Box<dyn UpdateRule<f64>>, f64); 15] = [
        (Box::new(sgd(0.1)), 1.0 - 0.1 * (a + b)),
        (Box::new(sgd(0.1).momentum(0.9)), 1.0 - 0.1 * a - 0.1 * (0.9 * a + b)),
        (
            Box::new(sgd(0.1).momentum(0.9).nesterov()),
            1.0 - 0.1 * (a + 0.9 * a) - 0.1 * (b + 0.9 * (0.9 * a + b)),
        ),
        (Box::new(sgd(0.1).momentum(0.9).dampening(0.3)), 1.0 - 0.1 * a - 0.1 * (0.9 * a + 0.7 * b)),
        (Box::new(sgd(0.1).weight_decay(0.1)), {
            let first = 1.0 - 0.1 * (a + 0.1);
            first - 0.1 * (b + 0.1 * first)
        }),
        (Box::new((WeightDecay(0.1), sgd(0.1))), {
            let first = 1.0 - 0.1 * (a + 0.1);
            first - 0.1 * (b + 0.1 * first)
        }),
        (Box::new(adam(0.1)), adam_by_hand(0.0)),
        (Box::new(adamw(0.1).weight_decay(0.2)), adam_by_hand(0.2)),
        (Box::new(adam(0.1).keras()), adam_of_keras),
        (Box::new(rmsprop(0.1)), 1.0 - 0.1 * d1 - 0.1 * d2),
        (Box::new(rmsprop(0.1).momentum(0.9)), 1.0 - 0.1 * d1 - 0.1 * (0.9 * d1 + d2)),
        (Box::new(rmsprop(0.1).centered()), 1.0 - 0.1 * c1 - 0.1 * c2),
        (Box::new(rmsprop(0.1).centered().momentum(0.9)), 1.0 - 0.1 * c1 - 0.1 * (0.9 * c1 + c2)),
        (Box::new((ClipByGlobalNorm(0.25), sgd(1.0))), 1.0 - a * 0.25 / (a + 1e-6) - b),
        (Box::new((ClipByValue(0.25), sgd(1.0))), 1.0 - 0.25 - b),
    ];
    for (optimizer, right) in cases {
        let found = two_steps(&*optimizer);
        assert!((found - right).abs() < 1e-12, "{optimizer:?}: {found} for {right}");
    }
}

#[test]
fn clipping_looks_at_all_gradients() {
    let mut grads = [3.0f32, 0.0, 4.0];
    ClipByGlobalNorm(1.0).transform_all(Whole::new(Step::default(), &mut grads));
    for (found, right) in grads.iter().zip([0.6, 0.0, 0.8]) {
        assert!((found - right).abs() < 1e-6);
    }
    let small = [0.3f32, 0.4];
    let mut grads = small;
    ClipByGlobalNorm(1.0).transform_all(Whole::new(Step::default(), &mut grads));
    assert_eq!(grads, small);
    assert!((ClipByGlobalNorm(1.0), sgd(0.1)).needs_all_gradients());
    assert!(!adam(0.1).needs_all_gradients());
}

#[test]
fn schedules() {
    let step = StepDecay::new(1.0, 10).gamma(0.5);
    assert_eq!([0, 9, 10, 25].map(|at| step.rate(Step::from(at))), [1.0, 1.0, 0.5, 0.25]);
    let cosine = Cosine::new(1.0).steps(100).floor(0.2);
    for (at, right) in [(0, 1.0), (50, 0.6), (100, 0.2), (1000, 0.2)] {
        assert!((cosine.rate(Step::from(at)) - right).abs() < 1e-12);
    }
    let warm = WarmUp::new(4).then(1.0);
    let rates = [0, 1, 3, 4, 9].map(|at| warm.rate(Step::from(at)));
    assert!(
        rates.windows(2).all(|pair| pair[0] <= pair[1]) && rates[0] < 1.0 && rates[4] == 1.0,
        "{rates:?}"
    );
}

#[test]
fn settings_that_cannot_work() {
    let wrong: [Box<dyn UpdateRule<f32>>; 20] = [
        Box::new(sgd(f64::NAN)),
        Box::new(sgd(-0.1)),
        Box::new(sgd(f64::INFINITY)),
        Box::new(sgd(0.1).momentum(1.0)),
        Box::new(sgd(0.1).nesterov()),
        Box::new(sgd(0.1).momentum(0.9).dampening(0.1).nesterov()),
        Box::new(sgd(Cosine::new(0.1).steps(0))),
        Box::new(sgd(WarmUp::new(5).then(f64::NAN))),
        Box::new(sgd(|_| f64::NAN)),
        Box::new(adam(f64::NAN)),
        Box::new(adam(0.1).betas(0.9, 1.0)),
        Box::new(adam(0.1).betas(-0.1, 0.999)),
        Box::new(adam(0.1).betas(f64::NAN, 0.999)),
        Box::new(adam(0.1).epsilon(0.0)),
        Box::new(adam(0.1).epsilon(1e-60)), // 0 in f32
        Box::new(adamw(-0.1)),
        Box::new(adamw(0.1).weight_decay(f64::NAN)),
        Box::new((ClipByGlobalNorm(f64::NAN), rmsprop(0.1))),
        Box::new((ClipByValue(0.0), rmsprop(0.1))),
        Box::new(rmsprop(0.1).alpha(1.0)),
    ];
    for optimizer in wrong {
        let error = optimizer.validate().unwrap_err();
        assert!(matches!(error, SettingError::Range { .. } | SettingError::Conflict { .. }), "{error}");
    }
    let not_a_number: &dyn UpdateRule<f32> = &sgd(f64::NAN);
    assert!(not_a_number.validate().unwrap_err().to_string().contains("NaN"));
    let tiny = adam(0.1).epsilon(1e-60);
    let rules: (&dyn UpdateRule<f32>, &dyn UpdateRule<f64>) = (&tiny, &tiny);
    assert!(rules.0.validate().is_err() && rules.1.validate().is_ok(), "1e-60 is 0 in f32 alone");
}
