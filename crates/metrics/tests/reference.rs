//! The values of metrics beside those of scikit-learn, torchmetrics, SciPy and Keras, which `reference/metrics.py` has written.

use chainrule_core::{Described, Description, Registry};
use chainrule_metrics::{Measure, MetricValue, Real, Target, register};
use chainrule_tensor::Weighted;
use ndarray::{Array2, s};
use serde_json::Value;

/// The largest difference, relative to numbers above 1.
const TOLERANCE: f64 = 1e-12;

/// What torchmetrics and Keras compute in single precision, whatever the inputs are, or from sums of squares.
const SINGLE: [&str; 7] = [
    "thresholds=",
    "calibration_error",
    "specificity(average",
    "top_k=",
    "matthews_correlation(labels",
    "log_cosh",
    "adjusted=",
];

/// The largest difference from single precision.
const SINGLE_TOLERANCE: f64 = 1e-6;

/// What is compared of one case, and how often.
#[derive(Default)]
struct Compared {
    names: Vec<String>,
    values: usize,
    wrong: Vec<String>,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Compares a value with that of the file.
fn same(text: &str, found: &MetricValue, right: &Value) -> bool {
    let single = SINGLE.iter().any(|single| text.contains(single));
    let tolerance = if single { SINGLE_TOLERANCE } else { TOLERANCE };
    let close = |found: f64, right: &Value| match right {
        Value::Number(right) => {
            let right = right.as_f64().unwrap();
            (found - right).abs() <= tolerance * right.abs().max(1.0)
        }
        Value::String(right) => right == "inf" && found == f64::INFINITY,
        _ => false,
    };
    match (found, right) {
        (MetricValue::Number(found), right) => close(*found, right),
        (MetricValue::Undefined(_), right) => right == "undefined",
        (MetricValue::Vector(found), Value::Array(right)) => {
            let entry = |(found, right): (&Result<f64, _>, &Value)| match found {
                Ok(found) => close(*found, right),
                Err(_) => right == "undefined",
            };
            found.len() == right.len() && found.iter().zip(right).all(entry)
        }
        (MetricValue::Table(found), Value::Array(right)) => {
            let row = |(found, right): (&Vec<f64>, &Value)| {
                let right = right.as_array().unwrap();
                found.len() == right.len()
                    && found.iter().zip(right).all(|(found, right)| close(*found, right))
            };
            found.rows().len() == right.len() && found.rows().iter().zip(right).all(row)
        }
        _ => false,
    }
}

/// Compares all values of a case, whose outputs both precisions hold, counted in one piece and in three.
fn compare<T: Real, Y: Target<T> + 'static>(case: &Value, targets: &[Y], compared: &mut Compared) {
    let mut registry = Registry::new();
    register::<T, Y>(&mut registry);
    let rows = case["y"].as_array().unwrap();
    let columns = rows[0].as_array().unwrap().len();
    let y = rows.iter().flat_map(numbers).map(T::of).collect();
    let y = Array2::from_shape_vec((rows.len(), columns), y).unwrap();
    for (text, right) in case["expected"].as_object().unwrap() {
        let description: Description = text.parse().unwrap();
        let metric = registry.build::<Box<dyn Measure<T, Y>>>(&description).unwrap();
        metric.validate().unwrap();
        metric.check(columns, targets).unwrap();
        let mut tally = metric.start();
        tally.update(y.view(), targets);
        let found = tally.value();
        if !same(text, &found, right) {
            compared.wrong.push(format!("{text} is {found:?}, not {right}"));
        }
        compared.values += 1;
        if !compared.names.contains(&description.name) {
            compared.names.push(description.name);
        }
        if size_of::<T>() < size_of::<f64>() {
            continue;
        }
        let mut merged = metric.start();
        for rows in [0..1, 1..rows.len() / 2, (rows.len() / 2).max(1)..rows.len()] {
            let mut shard = metric.start();
            shard.update(y.slice(s![rows.clone(), ..]), &targets[rows]);
            merged.merge(&*shard);
        }
        if !same(text, &merged.value(), right) {
            compared.wrong.push(format!("{text} in three pieces is {:?}, not {right}", merged.value()));
        }
    }
}

/// With the weights of the case, if it has any.
fn compare_weighted<T: Real, Y>(case: &Value, targets: &[Y], compared: &mut Compared)
where
    Y: Target<T> + Clone + 'static,
{
    let Value::Array(weights) = &case["w"] else { return compare::<T, Y>(case, targets, compared) };
    let weights = weights.iter().map(|weight| weight.as_f64().unwrap() as f32);
    let weighted = |(target, weight): (&Y, f32)| Weighted { target: target.clone(), weight };
    let targets: Vec<_> = targets.iter().zip(weights).map(weighted).collect();
    compare::<T, _>(case, &targets, compared);
}

fn compare_in<T: Real>(case: &Value, compared: &mut Compared) {
    match case["kind"].as_str().unwrap() {
        "binary" | "classes" => {
            let targets: Vec<u8> = numbers(&case["t"]).iter().map(|&class| class as u8).collect();
            compare_weighted::<T, u8>(case, &targets, compared);
        }
        _ => {
            let targets = case["t"].as_array().unwrap().iter();
            let targets: Vec<Vec<T>> =
                targets.map(|row| numbers(row).into_iter().map(T::of).collect()).collect();
            compare_weighted::<T, Vec<T>>(case, &targets, compared);
        }
    }
}

#[test]
fn values_are_those_of_other_libraries() {
    let cases: Value = serde_json::from_str(include_str!("reference/metrics.json")).unwrap();
    let mut compared = Compared::default();
    for case in cases.as_array().unwrap() {
        compare_in::<f64>(case, &mut compared);
        compare_in::<f32>(case, &mut compared);
    }
    let Compared { wrong, .. } = &compared;
    assert!(
        wrong.is_empty(),
        "{} of {} values: {:#?}",
        wrong.len(),
        compared.values,
        &wrong[..wrong.len().min(2000)]
    );
    assert!(cases.as_array().unwrap().len() > 250 && compared.values > 8000, "{} values", compared.values);
    let mut registry = Registry::new();
    register::<f64, u8>(&mut registry);
    // They are compared with values by hand, in `counting.rs`.
    let by_hand = [chainrule_metrics::CalibrationCurve::ENTRY.name];
    for entry in registry.entries::<Box<dyn Measure<f64, u8>>>() {
        let known = compared.names.iter().any(|name| name == entry.name) || by_hand.contains(&entry.name);
        assert!(known, "{} is compared with no other library", entry.name);
    }
}
