//! The statistics of the regularisation layers, and the settings that they reject.

use std::collections::BTreeSet;

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan};
use chainrule_layers::{
    ActivityRegularization, AlphaDropout, DropPath, Dropout, FeatureAlphaDropout, GaussianDropout,
    GaussianNoise, SpatialDropout,
};
use chainrule_tensor::{Seed, Shape};
use ndarray::{Array2, ArrayView2, s};

const TRAIN: Mode = Mode::Train { seed: Seed(11), first_row: 0 };

/// The output for `x`, and the gradient of the sum of the outputs.
fn run<L: Layer<f64>>(
    layer: &L,
    input: impl Into<Shape>,
    x: ArrayView2<'_, f64>,
    mode: Mode,
) -> [Array2<f64>; 2] {
    let (_, mut cache) = layer.plan(input.into(), &mut Plan::new()).unwrap();
    let mut y = Array2::from_elem(x.dim(), f64::NAN);
    let mut dx = Array2::from_elem(x.dim(), f64::NAN);
    let params = || Params::new(&[]);
    layer.forward(Forward { params: params(), x, y: y.view_mut(), cache: &mut cache, mode });
    layer.backward(Backward {
        params: params(),
        grads: Grads::new(&mut []),
        x,
        y: y.view(),
        dy: Array2::ones(x.dim()).view(),
        dx: Some(dx.view_mut()),
        cache: &mut cache,
        share: 1.0,
    });
    [y, dx]
}

fn normal(rows: usize, columns: usize) -> Array2<f64> {
    let mut rng = Seed(5).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}

/// Mean and variance.
fn moments(x: &Array2<f64>) -> [f64; 2] {
    let n = x.len() as f64;
    let mean = x.mean().unwrap();
    [mean, x.fold(0.0, |sum, x| sum + (x - mean).powi(2)) / n]
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() < tolerance
}

#[test]
fn dropout_drops_each_value_independently() {
    for p in [0.05, 0.5, 0.9] {
        let x = Array2::ones((40, 501));
        let [y, dx] = run(&Dropout::new(p), [501], x.view(), TRAIN);
        assert_eq!(y, dx, "dx = dy / (1 - p) where y is kept");
        let share = |y: ArrayView2<'_, f64>| y.iter().filter(|&&y| y == 0.0).count() as f64 / y.len() as f64;
        assert!(close(share(y.view()), p, 0.01), "{p}");
        // Both halves of a row, which share random bits, are dropped equally often, and independently.
        let (left, right) = (y.slice(s![.., ..250]), y.slice(s![.., 251..]));
        assert!(close(share(left), p, 0.015) && close(share(right), p, 0.015));
        let both = left.iter().zip(right).filter(|&(&a, &b)| a == 0.0 && b == 0.0).count();
        assert!(close(both as f64 / left.len() as f64, p * p, 0.015), "{p}");
        let kept = y.iter().filter(|&&y| y != 0.0).all(|&y| close(y, 1.0 / (1.0 - p), 1e-12));
        assert!(kept && close(y.mean().unwrap(), 1.0, 0.07));
    }
}

#[test]
fn channels_are_dropped_as_a_whole() {
    let x = normal(400, 60);
    let dropped = |y: &Array2<f64>, row: usize, columns: &[usize]| {
        let zeros = columns.iter().filter(|&&column| y[[row, column]] == 0.0).count();
        assert!(zeros == 0 || zeros == columns.len(), "all of a channel or nothing");
        zeros > 0
    };
    let first: Vec<Vec<usize>> = (0..12).map(|c| (5 * c..5 * c + 5).collect()).collect();
    let last: Vec<Vec<usize>> = (0..12).map(|c| (c..60).step_by(12).collect()).collect();
    let [y, dx] = run(&SpatialDropout::new(0.3), [12, 5], x.view(), TRAIN);
    let [y_last, _] = run(&SpatialDropout::new(0.3).channels_last(), [5, 12], x.view(), TRAIN);
    for (y, channels) in [(&y, &first), (&y_last, &last), (&dx, &first)] {
        let count = (0..400).flat_map(|row| channels.iter().map(move |c| (row, c)));
        let count = count.filter(|(row, columns)| dropped(y, *row, columns)).count();
        assert!(close(count as f64 / 4800.0, 0.3, 0.03), "{count}");
    }
    assert!(y.iter().zip(&x).all(|(&y, x)| y == 0.0 || close(y, x / 0.7, 1e-12)));

    let [y, _] = run(&DropPath::new(0.3), [60], x.view(), TRAIN);
    let all: Vec<usize> = (0..60).collect();
    let count = (0..400).filter(|&row| dropped(&y, row, &all)).count();
    assert!(close(count as f64 / 400.0, 0.3, 0.07), "{count}");
}

#[test]
fn alpha_dropout_keeps_mean_and_variance() {
    let x = normal(100, 1000);
    for p in [0.05, 0.2, 0.5] {
        let [y, dx] = run(&AlphaDropout::new(p), [1000], x.view(), TRAIN);
        let [mean, variance] = moments(&y);
        assert!(close(mean, 0.0, 0.02) && close(variance, 1.0, 0.03), "{p}: {mean} {variance}");
        let dropped: BTreeSet<_> =
            y.iter().zip(&dx).filter(|&(_, &dx)| dx == 0.0).map(|(y, _)| y.to_bits()).collect();
        assert_eq!(dropped.len(), 1, "all dropped values are equal");

        let [y, dx] = run(&FeatureAlphaDropout::new(p), [500, 2], x.view(), TRAIN);
        let [mean, variance] = moments(&y);
        assert!(close(mean, 0.0, 0.03) && close(variance, 1.0, 0.04), "{p}: {mean} {variance}");
        assert!(dx.iter().collect::<Vec<_>>().chunks(2).all(|pair| pair[0] == pair[1]));
    }
    // PyTorch's alpha_dropout for p = 0.2 and x = 1, if the value is kept and if it is dropped.
    let [y, _] = run(&AlphaDropout::new(0.2), [1000], Array2::ones((1, 1000)).view(), TRAIN);
    assert!(y.iter().all(|&y| close(y, 1.187_943_545_587_6, 1e-9) || close(y, -1.236_159_848_576_4, 1e-9)));
}

#[test]
fn noise_has_its_deviation() {
    let x = Array2::from_elem((100, 1001), 3.0);
    let [y, dx] = run(&GaussianNoise::new(0.5), [1001], x.view(), TRAIN);
    let [mean, variance] = moments(&y);
    assert!(close(mean, 3.0, 0.01) && close(variance, 0.25, 0.01), "{mean} {variance}");
    assert!(dx.iter().all(|&dx| dx == 1.0));

    let [y, dx] = run(&GaussianDropout::new(0.2), [1001], x.view(), TRAIN);
    let [mean, variance] = moments(&y);
    assert!(close(mean, 3.0, 0.02) && close(variance, 9.0 * 0.25, 0.05), "{mean} {variance}");
    assert!(y.iter().zip(&dx).all(|(y, dx)| close(*y, 3.0 * dx, 1e-12)));
}

#[test]
fn a_sample_draws_by_its_index_in_the_batch() {
    fn check<L: Layer<f64>>(layer: L) {
        let x = normal(6, 30);
        let shape = [5, 6];
        let [whole, dx] = run(&layer, shape, x.view(), TRAIN);
        assert_eq!([&whole, &dx], run(&layer, shape, x.view(), TRAIN).each_ref(), "{layer:?}");
        let late = Mode::Train { seed: Seed(11), first_row: 4 };
        let [part, part_dx] = run(&layer, shape, x.slice(s![4.., ..]), late);
        assert_eq!(
            (part.view(), part_dx.view()),
            (whole.slice(s![4.., ..]), dx.slice(s![4.., ..])),
            "{layer:?}"
        );
        let other = Mode::Train { seed: Seed(12), first_row: 0 };
        assert_ne!(run(&layer, shape, x.view(), other)[0], whole, "{layer:?}");
        assert_eq!(run(&layer, shape, x.view(), Mode::Eval), [x.clone(), Array2::ones(x.dim())], "{layer:?}");
        // Stored by columns.
        let columns = x.t().as_standard_layout().into_owned().reversed_axes();
        assert_eq!(run(&layer, shape, columns.view(), TRAIN), [whole, dx], "{layer:?}");
    }
    check(Dropout::new(0.5));
    check(SpatialDropout::new(0.5));
    check(SpatialDropout::new(0.5).channels_last());
    check(DropPath::new(0.5));
    check(AlphaDropout::new(0.5));
    check(FeatureAlphaDropout::new(0.5));
    check(GaussianDropout::new(0.5));
    check(GaussianNoise::new(0.5));
}

#[test]
fn the_penalty_on_activations_is_in_the_gradient() {
    let x = ndarray::array![[1.0, -2.0], [0.0, 3.0]];
    let [y, dx] = run(&ActivityRegularization::new(0.1, 0.01), [2], x.view(), TRAIN);
    assert_eq!(y, x);
    // 1 + (0.1 sign x + 0.02 x) / 2 rows.
    let expected = ndarray::array![[1.06, 0.93], [1.0, 1.08]];
    assert!((&dx - &expected).iter().all(|error| error.abs() < 1e-12), "{dx}");
    let [_, dx] = run(&ActivityRegularization::new(0.1, 0.01), [2], x.view(), Mode::Eval);
    assert!(dx.iter().all(|&dx| dx == 1.0));
}

#[test]
fn impossible_settings_and_shapes_are_named() {
    fn error<L: Layer<f32>>(layer: L, input: impl Into<Shape>) -> String {
        layer.plan(input.into(), &mut Plan::new()).err().unwrap().to_string()
    }
    for p in [-0.1, 1.0, 1.5, f64::NAN] {
        assert!(error(Dropout::new(p), [3]).contains("below 1"));
        assert!(error(SpatialDropout::new(p), [3, 2]).contains("below 1"));
        assert!(error(DropPath::new(p), [3]).contains("below 1"));
        assert!(error(AlphaDropout::new(p), [3]).contains("below 1"));
        assert!(error(FeatureAlphaDropout::new(p), [3, 2]).contains("below 1"));
        assert!(error(GaussianDropout::new(p), [3]).contains("below 1"));
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(error(GaussianNoise::new(bad), [3]).contains("at least 0"));
        assert!(error(ActivityRegularization::new(bad, 0.0), [3]).contains("at least 0"));
        assert!(error(ActivityRegularization::new(0.0, bad), [3]).contains("at least 0"));
    }
    assert!(error(SpatialDropout::new(0.5), [3]).contains("[channels, spatial...]"));
    assert!(error(SpatialDropout::new(0.5).channels_last(), [3]).contains("[steps, features]"));
    assert!(
        error(FeatureAlphaDropout::new(0.5), Shape::new(&[]).unwrap()).contains("[channels, spatial...]")
    );
}
