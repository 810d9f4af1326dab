//! Fifty steps of each optimizer against those of other libraries. The values come from `reference.py`.

use chainrule_optim::{ParamKind, Parameter, Real, Sm3, Sophia, Stepper, sm3, sophia};
use chainrule_tensor::Shape;
use serde_json::Value;

use crate::cases::every_reference;

fn list<T: Real>(values: &Value) -> Vec<T> {
    values.as_array().unwrap().iter().map(|value| T::of(value.as_f64().unwrap())).collect()
}

/// The tolerance is relative to the largest parameter.
fn compare<T: Real>(name: &str, params: &[T], right: &Value, tolerance: f64) {
    let right: Vec<f64> = list(right);
    assert_eq!(params.len(), right.len(), "{name}");
    let largest = right.iter().copied().fold(0.0, |a: f64, b| a.max(b.abs()));
    for (index, (found, right)) in params.iter().zip(right).enumerate() {
        let error = (found.as_f64() - right).abs() / largest;
        assert!(error < tolerance, "{name} in {}: p[{index}] is {found}, not {right}", T::NAME);
    }
}

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
        compare(name, &params, &reference["after"][name], tolerance);
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

fn shaped<T: Real>(tolerance: f64) {
    let reference: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let cases: [(&str, Shape, Sm3); 3] = [
        ("sm3, vector", Shape::from([12]), sm3(0.1)),
        ("sm3, matrix", Shape::from([3, 4]), sm3(0.1).momentum(0.5)),
        ("sm3, three axes", Shape::from([2, 3, 2]), sm3(0.1)),
    ];
    for (name, shape, optimizer) in cases {
        let mut params: Vec<T> = list(&reference["params"]);
        let parameter = Parameter { name: name.to_owned(), shape, kind: ParamKind::Weight, product: false };
        let mut stepper = Stepper::with_parameters(optimizer, vec![parameter], &params).unwrap();
        for grads in reference["grads"].as_array().unwrap() {
            stepper.step(&mut params, &mut list(grads));
        }
        compare(name, &params, &reference["shaped"][name], tolerance);
    }
}

fn curved<T: Real>(tolerance: f64) {
    let reference: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let curvatures: Vec<T> = list(&reference["curvatures"]);
    // The function is a polynomial of degree 2, so differences of its gradients are exact however far apart they are.
    let cases: [(&str, Sophia); 2] = [
        ("sophia", sophia(0.01).difference(1.0)),
        (
            "sophia, settings",
            sophia(0.1)
                .betas(0.8, 0.9)
                .epsilon(1e-3)
                .weight_decay(0.5)
                .gamma(0.3)
                .clip_threshold(0.7)
                .update_interval(7)
                .difference(1.0),
        ),
    ];
    for (name, optimizer) in cases {
        let mut params: Vec<T> = list(&reference["params"]);
        let mut stepper = Stepper::new(optimizer, &params).unwrap();
        for slope in reference["grads"].as_array().unwrap() {
            let slope: Vec<T> = list(slope);
            stepper.minimize(&mut params, |params, grads| {
                for (index, g) in grads.iter_mut().enumerate() {
                    *g = slope[index] + curvatures[index] * params[index];
                }
                0.0
            });
        }
        compare(name, &params, &reference["curved"][name], tolerance);
    }
}

#[test]
fn with_shapes_and_curvatures() {
    shaped::<f32>(1e-6);
    shaped::<f64>(1e-12);
    curved::<f32>(1e-6);
    curved::<f64>(1e-12);
}
