//! Fifty steps of each optimizer against those of other libraries. The values come from `reference.py`.

use chainrule_optim::{Real, Stepper};
use serde_json::Value;

use crate::cases::every_reference;

fn list<T: Real>(values: &Value) -> Vec<T> {
    values.as_array().unwrap().iter().map(|value| T::of(value.as_f64().unwrap())).collect()
}

/// The tolerance is relative to the largest parameter.
fn fifty_steps<T: Real>(tolerance: f64) {
    let reference: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let optimizers = every_reference::<T>();
    assert_eq!(reference["after"].as_object().unwrap().len(), optimizers.len(), "each has its optimizer");
    assert_eq!(reference["grads"].as_array().unwrap().len(), 50);
    for (name, optimizer) in optimizers {
        let mut params: Vec<T> = list(&reference["params"]);
        let mut stepper = Stepper::new(optimizer, &params).unwrap();
        for grads in reference["grads"].as_array().unwrap() {
            stepper.step(&mut params, &mut list(grads));
        }
        let right: Vec<f64> = list(&reference["after"][name]);
        assert_eq!(params.len(), right.len(), "{name}");
        let largest = right.iter().copied().fold(0.0, |a: f64, b| a.max(b.abs()));
        for (index, (found, right)) in params.iter().zip(right).enumerate() {
            let error = (found.as_f64() - right).abs() / largest;
            assert!(error < tolerance, "{name} in {}: p[{index}] is {found}, not {right}", T::NAME);
        }
    }
}

#[test]
fn fifty_steps_in_single_precision() {
    fifty_steps::<f32>(1e-6);
}

#[test]
fn fifty_steps_in_double_precision() {
    fifty_steps::<f64>(1e-12);
}
