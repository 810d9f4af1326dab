//! Properties of every layer. The list is this crate.

mod allocations;
mod descriptions;
mod reference;

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan, Sequential, gradcheck};
use chainrule_layer_cases::{Case, case, every_layer};
use chainrule_layers::{Dense, Dropout, Relu};
use chainrule_tensor::{Buffer, Real, Seed, Shape};
use ndarray::{Array2, s};

/// A layer with parameters and inputs, ready to run.
struct Setup<T: Real> {
    layers: Sequential<T>,
    cache: <Sequential<T> as Layer<T>>::Cache,
    params: Buffer<T>,
    x: Array2<T>,
    outputs: usize,
}

impl<T: Real> Setup<T> {
    fn new(case: &Case<T>, rows: usize) -> Self {
        let mut plan = Plan::new();
        let (output, cache) = case.layers.plan(case.input, &mut plan).unwrap();
        let mut params = Buffer::zeros(plan.size());
        plan.init(Seed(3), &mut params);
        let x = case.samples(rows, Seed(4));
        Self { layers: case.layers.clone(), cache, params, x, outputs: output.size() }
    }

    fn forward(&mut self, rows: std::ops::Range<usize>, train: bool) -> Array2<T> {
        let mode = if train { Mode::Train { seed: Seed(9), first_row: rows.start } } else { Mode::Eval };
        let mut y = Array2::from_elem((rows.len(), self.outputs), T::nan());
        let params = Params::new(&self.params);
        let x = self.x.slice(s![rows, ..]);
        self.layers.forward(Forward { params, x, y: y.view_mut(), cache: &mut self.cache, mode });
        y
    }

    fn backward(&mut self, rows: std::ops::Range<usize>, y: &Array2<T>) -> (Vec<T>, Array2<T>) {
        let mut grads = vec![T::zero(); self.params.len()];
        let mut dx = Array2::from_elem((rows.len(), self.x.ncols()), T::nan());
        let dy = y.mapv(|y| y * T::of(0.5) + T::of(0.1));
        self.layers.backward(Backward {
            params: Params::new(&self.params),
            grads: Grads::new(&mut grads),
            x: self.x.slice(s![rows, ..]),
            y: y.view(),
            dy: dy.view(),
            dx: Some(dx.view_mut()),
            cache: &mut self.cache,
            share: T::of(y.nrows() as f64 / self.x.nrows() as f64),
        });
        (grads, dx)
    }
}

#[test]
fn gradients() {
    for case in every_layer::<f64>() {
        let x = case.samples(3, Seed(0x5eed));
        let report = if case.ids {
            gradcheck::parameter_gradients(&case.layers, case.input, x.view())
        } else {
            gradcheck::gradients_at(&case.layers, case.input, x.view())
        };
        assert!(report.is_ok(), "{}: {}", case.name, report.unwrap_err());
    }
}

#[test]
fn results_do_not_depend_on_how_the_batch_is_cut() {
    for case in every_layer::<f32>() {
        let name = case.name;
        let mut setup = Setup::new(&case, 5);
        for train in [false, true] {
            if train && case.whole_batch {
                continue;
            }
            let whole = setup.forward(0..5, train);
            let (grads, dx) = setup.backward(0..5, &whole);
            let mut sum = vec![0.0; grads.len()];
            for rows in [0..2, 2..5] {
                let y = setup.forward(rows.clone(), train);
                let close = |a: f32, b: f32| (a - b).abs() <= 1e-6 * (1.0 + a.abs());
                assert!(
                    y.iter().zip(whole.slice(s![rows.clone(), ..])).all(|(&a, &b)| close(a, b)),
                    "{name}"
                );
                let (part, part_dx) = setup.backward(rows.clone(), &y);
                assert!(part_dx.iter().zip(dx.slice(s![rows, ..])).all(|(&a, &b)| close(a, b)), "{name}");
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            for (sum, whole) in sum.iter().zip(&grads) {
                assert!((sum - whole).abs() <= 1e-5 * (1.0 + whole.abs()), "{name}: {sum} {whole}");
            }
        }
    }
}

#[test]
fn strided_views_give_the_same() {
    for case in every_layer::<f64>() {
        let name = case.name;
        let mut setup = Setup::new(&case, 4);
        let y = setup.forward(0..4, false);
        let (grads, dx) = setup.backward(0..4, &y);
        // The same numbers, column by column in memory.
        setup.x = setup.x.t().as_standard_layout().into_owned().reversed_axes();
        let strided = setup.forward(0..4, false);
        let (strided_grads, strided_dx) = setup.backward(0..4, &strided);
        let close = |a: &f64, b: &f64| (a - b).abs() <= 1e-12 * (1.0 + b.abs());
        assert!(strided.iter().zip(&y).all(|(a, b)| close(a, b)), "{name}");
        assert!(strided_grads.iter().zip(&grads).all(|(a, b)| close(a, b)), "{name}");
        assert!(strided_dx.iter().zip(&dx).all(|(a, b)| close(a, b)), "{name}");
    }
}

#[test]
fn evaluation_is_deterministic() {
    for case in every_layer::<f32>() {
        let mut setup = Setup::new(&case, 3);
        let first = setup.forward(0..3, false);
        setup.forward(0..3, true);
        assert_eq!(setup.forward(0..3, false), first, "{}", case.name);
    }
}

#[test]
fn single_and_double_precision_agree() {
    for (single, double) in every_layer::<f32>().iter().zip(&every_layer::<f64>()) {
        let y = Setup::new(single, 3).forward(0..3, true);
        let right = Setup::new(double, 3).forward(0..3, true);
        for (y, right) in y.iter().zip(&right) {
            assert!(
                (f64::from(*y) - right).abs() < 1e-5 * (1.0 + right.abs()),
                "{}: {y} {right}",
                single.name
            );
        }
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = every_layer::<f32>().iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "every case has a name of its own: {names:?}");
}

#[test]
fn wrong_shapes_are_named() {
    let error = |layers: Sequential<f32>, input: &[usize]| {
        layers.plan(Shape::new(input).unwrap(), &mut Plan::new()).unwrap_err().to_string()
    };
    let message = error(Sequential::default().then(Relu).then(Dense::new(3)), &[28, 28]);
    assert!(message.starts_with("layer 1, Dense"), "{message}");
    assert!(message.ends_with("got [28, 28]: put Flatten before it"), "{message}");
    assert!(error(Sequential::default().then(Dense::new(0)), &[3]).contains("at least 1"));
    assert!(error(Sequential::default().then(Dropout::new(1.0)), &[3]).contains("below 1"));
    assert!(error(Sequential::default().then(Dropout::new(f64::NAN)), &[3]).contains("below 1"));
}

#[test]
fn dropout_drops_its_share() {
    let layers = Sequential::<f64>::default().then(Dropout::new(0.25));
    let mut setup = Setup::new(&case("dropout", layers, [1000]), 10);
    setup.x.fill(3.0);
    let y = setup.forward(0..10, true);
    let dropped = y.iter().filter(|&&y| y == 0.0).count();
    assert!((2300..2700).contains(&dropped), "{dropped}");
    assert!(y.iter().all(|&y| y == 0.0 || (y - 4.0).abs() < 1e-12));
    assert_ne!(y.row(0), y.row(1));
}
