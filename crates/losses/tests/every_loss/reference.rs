//! Random batches against PyTorch, Keras and optax: the reduced loss and its gradient. The values come from `reference.py`.

use chainrule_core::{Description, Registry};
use chainrule_losses::{Loss, Padded, Real, Weighted};
use ndarray::Array2;
use serde_json::Value;

use crate::cases::registry;

/// A target that a case holds as JSON.
trait FromCase: Sized + 'static {
    fn of(target: &Value, case: &Value, row: usize) -> Self;
}

fn numbers<T: Real>(values: &Value) -> Vec<T> {
    values.as_array().unwrap().iter().map(|value| T::of(value.as_f64().unwrap())).collect()
}

impl FromCase for usize {
    fn of(target: &Value, _: &Value, _: usize) -> Self {
        target.as_u64().unwrap() as usize
    }
}

impl FromCase for Vec<f32> {
    fn of(target: &Value, _: &Value, _: usize) -> Self {
        numbers(target)
    }
}

impl FromCase for Vec<f64> {
    fn of(target: &Value, _: &Value, _: usize) -> Self {
        numbers(target)
    }
}

/// A sequence of classes.
impl FromCase for Vec<usize> {
    fn of(target: &Value, case: &Value, row: usize) -> Self {
        target.as_array().unwrap().iter().map(|class| usize::of(class, case, row)).collect()
    }
}

impl FromCase for Padded<Vec<usize>> {
    fn of(target: &Value, case: &Value, row: usize) -> Self {
        let steps = case["steps"][row].as_u64().unwrap() as usize;
        Self { labels: Vec::of(target, case, row), steps }
    }
}

impl<Y: FromCase> FromCase for Weighted<Y> {
    fn of(target: &Value, case: &Value, row: usize) -> Self {
        Self { target: Y::of(target, case, row), weight: case["weights"][row].as_f64().unwrap() as f32 }
    }
}

fn check<T: Real, Y: FromCase>(case: &Value, registry: &Registry) {
    let text = case["loss"].as_str().unwrap();
    let description: Description = text.parse().unwrap();
    let loss: Box<dyn Loss<T, Y>> =
        registry.build(&description).unwrap_or_else(|error| panic!("{text}: {error}"));
    loss.validate().unwrap();
    let rows = case["y"].as_array().unwrap();
    let y: Vec<T> = rows.iter().flat_map(numbers).collect();
    let y = Array2::from_shape_vec((rows.len(), y.len() / rows.len()), y).unwrap();
    let targets = case["t"].as_array().unwrap().iter().enumerate();
    let targets: Vec<Y> = targets.map(|(row, target)| Y::of(target, case, row)).collect();
    let mut dy = Array2::from_elem(y.dim(), T::nan());
    let found = loss
        .reduced(y.view(), &targets, Some(dy.view_mut()))
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let right = case["value"].as_f64().unwrap();
    // In single precision the outputs are already rounded.
    let (tolerance, least) = if T::NAME == "f64" { (2e-11, 1e-3) } else { (2e-4, 1e-1) };
    let error = (found.as_f64() - right).abs() / right.abs().max(least);
    assert!(error < tolerance, "{text} in {}: {found} instead of {right}\n{case}", T::NAME);
    if T::NAME == "f32" {
        return;
    }
    let gradient: Vec<f64> = case["gradient"].as_array().unwrap().iter().flat_map(numbers::<f64>).collect();
    let largest = gradient.iter().fold(1e-3f64, |largest, slope| largest.max(slope.abs()));
    for (index, (found, right)) in dy.iter().zip(&gradient).enumerate() {
        let error = (found.as_f64() - right).abs() / largest;
        assert!(error < 1e-10, "{text}: the slope of {index} is {found} instead of {right}\n{case}");
    }
}

fn check_in<T: Real>() -> usize
where
    Vec<T>: FromCase,
{
    let registry = registry::<T>();
    let cases: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let cases = cases.as_array().unwrap();
    for case in cases {
        let text = case["loss"].as_str().unwrap();
        let weighted = case.get("weights").is_some();
        let of_classes = case["t"][0].is_u64();
        match (weighted, of_classes) {
            _ if text.contains("per_step") => check::<T, Vec<usize>>(case, &registry),
            _ if text.contains("ctc") => check::<T, Padded<Vec<usize>>>(case, &registry),
            (true, true) => check::<T, Weighted<usize>>(case, &registry),
            (true, false) => check::<T, Weighted<Vec<T>>>(case, &registry),
            (false, true) => check::<T, usize>(case, &registry),
            (false, false) => check::<T, Vec<T>>(case, &registry),
        }
    }
    cases.len()
}

#[test]
fn random_batches() {
    assert!(check_in::<f64>() > 900);
    check_in::<f32>();
}
