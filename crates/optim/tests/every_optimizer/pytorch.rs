//! Ten steps of each optimizer and schedule against PyTorch's, over plain slices. The values come from `reference.py`.

use chainrule_optim::{ParamKind, Real, Step, Update, Whole};
use serde_json::Value;

use crate::cases::every_reference;

fn list<T: Real>(values: &Value) -> Vec<T> {
    values.as_array().unwrap().iter().map(|value| T::of(value.as_f64().unwrap())).collect()
}

fn ten_steps<T: Real>(tolerance: f64) {
    let all: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let reference = &all[T::NAME];
    let optimizers = every_reference::<T>();
    assert_eq!(reference["after"].as_object().unwrap().len(), optimizers.len(), "each has its optimizer");
    for (name, optimizer) in optimizers {
        let mut params: Vec<T> = list(&reference["params"]);
        let mut state = vec![T::zero(); optimizer.slots() * params.len()];
        for (step, grads) in (0..).map(Step::from).zip(reference["grads"].as_array().unwrap()) {
            let mut grads: Vec<T> = list(grads);
            optimizer.transform_all(Whole::new(step, &mut grads));
            let kind = ParamKind::Weight;
            optimizer.update(Update::new(step, kind, &mut params, &mut grads, &mut state));
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
