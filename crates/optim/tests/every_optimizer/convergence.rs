//! Every optimizer reaches a minimum: of a parabola, of Rosenbrock's function, and of a classification.

use std::sync::Arc;

use chainrule_optim::{Stepper, UpdateRule};
use chainrule_tensor::Seed;
use chainrule_tensor::vector::larger_or_nan;

use crate::cases::{Case, every_case, other_cases};

/// A rate that falls to 0 in these steps.
fn falling(case: &Case<f64>, rate: f64, steps: u64) -> Box<dyn UpdateRule<f64>> {
    (case.make)(Arc::new(move |step: u64| rate * (1.0 - step as f64 / steps as f64)))
}

/// The largest error after 600 steps that minimise `Σ (p - i)² / 2`.
fn error_on_a_parabola(case: &Case<f64>, rate: f64) -> f64 {
    let minimum: Vec<f64> = (0..40).map(|i| f64::from(i) / 40.0).collect();
    let mut params: Vec<f64> = (0..40).map(|i| f64::from(i) / 10.0 - 1.0).collect();
    let mut stepper = Stepper::new(case.with_rate(rate), &params).unwrap();
    for _ in 0..600 {
        stepper.minimize(&mut params, |params, grads| {
            grads.iter_mut().zip(params.iter().zip(&minimum)).for_each(|(g, (p, i))| *g = p - i);
            grads.iter().map(|g| g * g / 2.0).sum()
        });
    }
    params.iter().zip(&minimum).map(|(p, i)| (p - i).abs()).fold(0.0, larger_or_nan)
}

/// `(1 - x)² / 100 + (y - x²)²`, from the usual (-1.2, 1), where it is 0.24.
fn value_of_rosenbrock(case: &Case<f64>, rate: f64) -> f64 {
    let steps = 5000;
    let mut params = [-1.2, 1.0];
    let mut stepper = Stepper::new(falling(case, rate, steps), &params).unwrap();
    let function = |params: &[f64], grads: &mut [f64]| {
        let [x, y] = [params[0], params[1]];
        let across = y - x * x;
        grads.copy_from_slice(&[-0.02 * (1.0 - x) - 4.0 * x * across, 2.0 * across]);
        0.01 * (1.0 - x).powi(2) + across.powi(2)
    };
    for _ in 0..steps {
        stepper.minimize(&mut params, function);
    }
    function(&params, &mut [0.0; 2])
}

/// The cross-entropy of a linear classification of three clouds of points in the plane, which overlap a little.
fn loss_of_a_classification(case: &Case<f64>, rate: f64) -> f64 {
    let mut rng = Seed(7).rng();
    let centres = [[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]];
    let samples: Vec<([f64; 3], usize)> = (0..60)
        .map(|index| {
            let [x, y] = centres[index % 3].map(|centre| centre + rng.normal());
            ([x, y, 1.0], index % 3)
        })
        .collect();
    let function = |params: &[f64], grads: &mut [f64]| {
        let mut loss = 0.0;
        grads.fill(0.0);
        for (x, class) in &samples {
            let score =
                |row: usize| -> f64 { params[3 * row..][..3].iter().zip(x).map(|(w, x)| w * x).sum() };
            let exp = [0, 1, 2].map(|row| score(row).exp());
            let sum: f64 = exp.iter().sum();
            loss -= (exp[*class] / sum).ln() / samples.len() as f64;
            for row in 0..3 {
                let d = (exp[row] / sum - f64::from(u8::from(row == *class))) / samples.len() as f64;
                grads[3 * row..][..3].iter_mut().zip(x).for_each(|(grad, x)| *grad += d * x);
            }
        }
        loss
    };
    let steps = 200;
    let mut params = [0.0; 9];
    let mut stepper = Stepper::new(falling(case, rate, steps), &params).unwrap();
    for _ in 0..steps {
        stepper.minimize(&mut params, function);
    }
    function(&params, &mut [0.0; 9])
}

#[test]
fn all_reach_the_minimum_of_a_parabola() {
    for case in every_case().into_iter().chain(other_cases()) {
        let error = error_on_a_parabola(&case, case.rates[0]);
        assert!(error < 0.02, "{}: {error}", case.name);
    }
}

#[test]
fn all_follow_a_bent_valley() {
    for case in every_case().into_iter().chain(other_cases()) {
        let value = value_of_rosenbrock(&case, case.rates[1]);
        assert!(value < 5e-4, "{}: {value}", case.name);
    }
}

#[test]
fn all_learn_a_classification() {
    for case in every_case().into_iter().chain(other_cases()) {
        // The minimum is 0.239, and ln 3 = 1.1 is where they begin.
        let loss = loss_of_a_classification(&case, case.rates[2]);
        assert!(loss < 0.245, "{}: {loss}", case.name);
    }
}
