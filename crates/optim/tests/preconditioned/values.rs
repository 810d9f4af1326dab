//! Fifty steps against those of other programs.

use chainrule_core::{Description, Registry};
use chainrule_optim::{Real, Stepper, UpdateRule, register_optimizers};
use serde_json::Value;

use crate::cases::every_case;
use crate::parameters;

fn list<T: Real>(values: &Value) -> Vec<T> {
    values.as_array().unwrap().iter().map(|value| T::of(value.as_f64().unwrap())).collect()
}

fn reference() -> Value {
    serde_json::from_str(include_str!("reference.json")).unwrap()
}

/// The parameters after fifty steps.
fn run<T: Real>(optimizer: &dyn UpdateRule<T>, reference: &Value) -> Vec<T> {
    let mut params: Vec<T> = list(&reference["params"]);
    let mut stepper = Stepper::with_parameters(optimizer, parameters(), &params).unwrap();
    for grads in reference["grads"].as_array().unwrap() {
        stepper.step(&mut params, &mut list(grads));
    }
    assert_eq!(stepper.steps(), 50);
    params
}

/// Of these, ε is the default. The sums of a vector have one direction more after each of its first steps, and their roots enlarge
/// what rounding puts into the others by up to `ε^(-1/2)`, which is 1000.
const LOOSER: [&str; 3] = ["shampoo", "shampoo, grafted means", "shampoo, grafted sums"];

/// The tolerance is relative to the largest parameter. Signs of eigenvectors, in which programs differ, cancel in the parameters.
fn compare<T: Real>(tolerance: f64) {
    let reference = reference();
    let right = reference["after"].as_object().unwrap();
    let cases = every_case::<T>();
    assert_eq!(cases.len(), right.len(), "each has its values");
    let mut wrong = Vec::new();
    for (name, optimizer) in cases {
        let right: Vec<f64> = list(&right[name]);
        let found = run(&*optimizer, &reference);
        let largest = right.iter().fold(0.0f64, |largest, right| largest.max(right.abs()));
        let errors = found.iter().zip(&right).map(|(found, right)| (found.as_f64() - right).abs());
        let error = errors.fold(0.0, f64::max) / largest;
        let looser = if T::NAME == "f32" && LOOSER.contains(&name) { 10.0 } else { 1.0 };
        if error.is_nan() || error > looser * tolerance {
            wrong.push(format!("{name}: {error:e}"));
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
    compare::<f32>(2e-6);
}

#[test]
fn each_is_built_from_its_text() {
    let mut registry = Registry::new();
    register_optimizers::<f64>(&mut registry);
    let reference = reference();
    for (name, optimizer) in every_case::<f64>() {
        let text = optimizer.description().to_string();
        let description: Description = text.parse().unwrap();
        let built: Box<dyn UpdateRule<f64>> = registry.build(&description).unwrap();
        assert_eq!(built.description().to_string(), text);
        assert_eq!(run(&*built, &reference), run(&*optimizer, &reference), "{name}");
    }
}
