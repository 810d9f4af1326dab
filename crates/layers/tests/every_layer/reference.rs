//! Whether the layers compute what PyTorch or Keras computes: the files of `tests/reference`, made by the scripts
//! beside them.

use std::path::Path;

use chainrule_layer::{Backward, Forward, Layer, Mode, Plan};
use chainrule_tensor::{Grads, Kind, Params, Real, Seed};
use ndarray::{Array2, ArrayView2};
use serde::Deserialize;

use crate::cases::{Case, every_layer};

/// The values of one family of layers.
#[derive(Deserialize)]
struct File {
    cases: Vec<Reference>,
}

/// What a layer gives and passes back for inputs, parameters and `dy` that both sides make by the same rule.
#[derive(Deserialize)]
struct Reference {
    name: String,
    rows: usize,
    train: bool,
    y: Vec<f64>,
    /// Empty where inputs are ids.
    dx: Vec<f64>,
    /// In the order of the plan; a buffer's next value in the place of its gradient.
    grads: Vec<f64>,
}

/// The rule: numbers in [-1, 1) that look random, as `fill` in `reference.py`.
fn fill(seed: u64, index: usize) -> f64 {
    const MASK: u64 = 0xffff_ffff;
    let mut k = (index as u64 * 2_654_435_761 + seed * 40_503 + 12_345) & MASK;
    for factor in [0x85eb_ca6b_u64, 0xc2b2_ae35] {
        k = ((k ^ (k >> 15)) * factor) & MASK;
    }
    (k ^ (k >> 16)) as f64 / 2f64.powi(31) - 1.0
}

/// The greatest difference, relative to the value or to a tenth of the greatest value.
fn difference<T: Real>(found: &[T], right: &[f64]) -> f64 {
    assert_eq!(found.len(), right.len(), "as many values");
    let floor = right.iter().fold(0.0f64, |max, v| max.max(v.abs())) / 10.0;
    let relative = |(found, right): (&T, &f64)| {
        let error = (found.as_f64() - right).abs() / right.abs().max(floor).max(1e-30);
        if error.is_nan() { f64::INFINITY } else { error }
    };
    found.iter().zip(right).map(relative).fold(0.0, f64::max)
}

fn compare<T: Real>(case: &Case<T>, reference: &Reference, tolerance: f64) {
    let Reference { name, rows, train, y: right_y, dx: right_dx, grads: right_grads } = reference;
    let rows = *rows;
    let mut plan = Plan::new();
    let (output, mut cache) = case.layers.plan(case.input, &mut plan).unwrap();
    let mut params = vec![T::zero(); plan.size()];
    for entry in plan.entries() {
        for index in entry.range.clone() {
            let half = 0.5 * fill(2, index);
            params[index] = T::of(if entry.kind == Kind::Buffer { 1.0 + half } else { half });
        }
    }
    let size = case.input.size();
    let x = Array2::from_shape_fn((rows, size), |(row, column)| {
        T::of((case.value)(column, fill(1, row * size + column)))
    });
    let dy = Array2::from_shape_fn((rows, output.size()), |(row, column)| {
        T::of(fill(3, row * output.size() + column))
    });
    let mode = match train {
        true => Mode::Train { seed: Seed(0), first_row: 0 },
        false => Mode::Eval,
    };
    let (mut y, mut dx) = (Array2::from_elem(dy.dim(), T::nan()), Array2::from_elem(x.dim(), T::nan()));
    let mut grads = vec![T::zero(); plan.size()];
    let layers = &case.layers;
    layers.forward(Forward {
        params: Params::new(&params),
        x: x.view(),
        y: y.view_mut(),
        cache: &mut cache,
        mode,
    });
    layers.backward(Backward {
        params: Params::new(&params),
        grads: Grads::new(&mut grads),
        x: x.view(),
        y: y.view(),
        dy: dy.view(),
        dx: Some(dx.view_mut()),
        cache: &mut cache,
        share: T::one(),
    });
    let flat = |values: ArrayView2<'_, T>| values.iter().copied().collect::<Vec<_>>();
    let mut results = vec![("y", flat(y.view()), right_y), ("grads", grads, right_grads)];
    if !case.ids {
        results.push(("dx", flat(dx.view()), right_dx));
    }
    for (what, found, right) in results {
        let worst = difference(&found, right);
        assert!(worst < tolerance, "{name}: {what} differs by {worst:e} in {}", T::NAME);
    }
}

#[test]
fn layers_agree_with_the_references() {
    let (single, double) = (every_layer::<f32>(), every_layer::<f64>());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let mut compared = 0;
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file: File = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for reference in &file.cases {
            let index = single.iter().position(|case| case.name == reference.name);
            let index = index.unwrap_or_else(|| panic!("{}: no case {}", path.display(), reference.name));
            compare(&double[index], reference, 1e-7);
            compare(&single[index], reference, 1e-5);
            compared += 1;
        }
    }
    assert!(compared > 0, "the files are there");
}
