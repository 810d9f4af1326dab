//! Ten steps of each optimizer and schedule against PyTorch's, over plain slices. A new optimizer adds its lines to the list.

use chainrule_optim::schedule::{Cosine, Step};
use chainrule_optim::{
    ClipByGlobalNorm, ClipByValue, ParamKind, Real, Update, UpdateRule, WeightDecay, adam, adamw, rmsprop,
    sgd,
};
use serde_json::Value;

/// The optimizers by the names of `pytorch/reference.py`, whose header says how the values were made.
fn every_reference<T: Real>() -> Vec<(&'static str, Box<dyn UpdateRule<T>>)> {
    vec![
        ("sgd", Box::new(sgd(0.1))),
        ("sgd, weight decay", Box::new(sgd(0.1).weight_decay(0.1))),
        ("sgd, momentum", Box::new(sgd(0.1).momentum(0.9))),
        ("sgd, dampening", Box::new(sgd(0.1).momentum(0.9).dampening(0.3).weight_decay(0.1))),
        ("sgd, nesterov", Box::new(sgd(0.1).momentum(0.9).nesterov().weight_decay(0.1))),
        ("adam", Box::new(adam(1e-2))),
        ("adam, settings", Box::new(adam(1e-2).betas(0.8, 0.99).epsilon(1e-3))),
        ("adam, coupled decay", Box::new((WeightDecay(0.1), adam(1e-2)))),
        ("adamw", Box::new(adamw(1e-2))),
        ("adamw, weight decay", Box::new(adamw(1e-2).weight_decay(0.5))),
        ("rmsprop", Box::new(rmsprop(1e-2))),
        ("rmsprop, momentum", Box::new(rmsprop(1e-2).alpha(0.9).epsilon(1e-3).momentum(0.5))),
        ("rmsprop, centered", Box::new(rmsprop(1e-2).centered())),
        ("rmsprop, centered, momentum", Box::new(rmsprop(1e-2).centered().momentum(0.5))),
        ("sgd, clipped norm", Box::new((ClipByGlobalNorm(1.0), sgd(0.1)))),
        ("sgd, clipped values", Box::new((ClipByValue(0.25), sgd(0.1)))),
        ("sgd, cosine", Box::new(sgd(Cosine { rate: 0.1, steps: 10, floor: 0.01 }))),
        ("sgd, steps", Box::new(sgd(Step { rate: 0.1, every: 3, gamma: 0.5 }))),
    ]
}

fn list<T: Real>(values: &Value) -> Vec<T> {
    values.as_array().unwrap().iter().map(|value| T::of(value.as_f64().unwrap())).collect()
}

fn ten_steps<T: Real>(tolerance: f64) {
    let all: Value = serde_json::from_str(include_str!("pytorch/reference.json")).unwrap();
    let reference = &all[T::NAME];
    let optimizers = every_reference::<T>();
    assert_eq!(reference["after"].as_object().unwrap().len(), optimizers.len(), "each has its optimizer");
    for (name, optimizer) in optimizers {
        let mut params: Vec<T> = list(&reference["params"]);
        let mut state = vec![T::zero(); optimizer.slots() * params.len()];
        for (step, grads) in (0..).zip(reference["grads"].as_array().unwrap()) {
            let mut grads: Vec<T> = list(grads);
            optimizer.transform_all(step, &mut grads);
            let kind = ParamKind::Weight;
            optimizer.update(Update {
                step,
                kind,
                params: &mut params,
                grads: &mut grads,
                state: &mut state,
            });
        }
        let right: Vec<f64> = list(&reference["after"][name]);
        assert_eq!(params.len(), right.len(), "{name}");
        for (index, (found, right)) in params.iter().zip(right).enumerate() {
            let error = (found.as_f64() - right).abs() / right.abs().max(0.1);
            assert!(error < tolerance, "{name} in {}: p[{index}] is {found}, not {right}", T::NAME);
        }
    }
}

#[test]
fn ten_steps_in_single_precision() {
    ten_steps::<f32>(1e-5);
}

#[test]
fn ten_steps_in_double_precision() {
    ten_steps::<f64>(1e-12);
}
