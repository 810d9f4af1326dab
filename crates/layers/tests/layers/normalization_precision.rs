//! Normalisation of values whose mean is much larger than their spread, of long rows and of many rows, against exact values.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan};
use chainrule_layers::{BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RmsNorm, UnitNorm};
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::{Array2, ArrayView2};

const TRAIN: Mode = Mode::Train { seed: Seed(3), first_row: 0 };
const EPSILON: f64 = 1e-5;

/// The output, the gradients of input and parameters, from the layer's first parameters.
fn passes<T: Real, L: Layer<T>>(
    layer: &L,
    input: impl Into<Shape>,
    x: ArrayView2<'_, T>,
    dy: ArrayView2<'_, T>,
) -> (Array2<T>, Array2<T>, Vec<T>) {
    let mut plan = Plan::new();
    let (output, mut cache) = layer.plan(input.into(), &mut plan).expect("a shape that the layer takes");
    let mut params = vec![T::zero(); plan.size()];
    plan.init(Seed(1), &mut params);
    let mut y = Array2::zeros((x.nrows(), output.size()));
    let mut dx = Array2::zeros(x.dim());
    let mut grads = vec![T::zero(); plan.size()];
    layer.forward(Forward {
        params: Params::new(&params),
        x,
        y: y.view_mut(),
        cache: &mut cache,
        mode: TRAIN,
    });
    layer.backward(Backward {
        params: Params::new(&params),
        grads: Grads::new(&mut grads),
        x,
        y: y.view(),
        dy,
        dx: Some(dx.view_mut()),
        cache: &mut cache,
        share: T::one(),
    });
    (y, dx, grads)
}

/// Numbers from -1 to 1 that look random.
fn fill(index: usize) -> f64 {
    let mut k = (index as u64 * 2_654_435_761 + 12_345) & 0xffff_ffff;
    for factor in [0x85eb_ca6b_u64, 0xc2b2_ae35] {
        k = ((k ^ (k >> 15)) * factor) & 0xffff_ffff;
    }
    (k ^ (k >> 16)) as f64 / 2f64.powi(31) - 1.0
}

/// The exact results for values that are normalised together.
struct Exact {
    y: Vec<f64>,
    dx: Vec<f64>,
    mean: f64,
    /// `Σ (x - μ)² / (n - 1)`.
    unbiased: f64,
}

fn exact<T: Real>(x: &[T], dy: &[T]) -> Exact {
    let n = x.len() as f64;
    // The differences are exact in these tests, so that no mean is subtracted from a value that it is close to.
    let first = x[0].as_f64();
    let rest: Vec<f64> = x.iter().map(|x| x.as_f64() - first).collect();
    let mean = rest.iter().sum::<f64>() / n;
    let centred: Vec<f64> = rest.iter().map(|x| x - mean).collect();
    let squares: f64 = centred.iter().map(|x| x * x).sum();
    let inverse = (squares / n + EPSILON).sqrt().recip();
    let y: Vec<f64> = centred.iter().map(|x| x * inverse).collect();
    let dy: Vec<f64> = dy.iter().map(|dy| dy.as_f64()).collect();
    let sum = dy.iter().sum::<f64>() / n;
    let along = dy.iter().zip(&y).map(|(dy, y)| dy * y).sum::<f64>() / n;
    let dx = dy.iter().zip(&y).map(|(dy, y)| (dy - sum - y * along) * inverse).collect();
    Exact { y, dx, mean: first + mean, unbiased: squares / (n - 1.0) }
}

/// Whether two lists are the same but for this share of the largest number.
fn assert_close<T: Real>(what: &str, found: impl IntoIterator<Item = T>, expected: &[f64], tolerance: f64) {
    let found: Vec<f64> = found.into_iter().map(T::as_f64).collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0, |scale: f64, value| scale.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= tolerance * scale, "{what}, {i}: {found} instead of {expected}");
    }
}

/// Both passes of every layer with a mean, over these values as one set.
fn check<T: Real>(x: &[T], tolerance: f64) {
    let n = x.len();
    let dy: Vec<T> = (0..n).map(|i| T::of(fill(i + 77_777_777))).collect();
    let right = exact(x, &dy);
    let row = |values: &[T]| Array2::from_shape_vec((1, n), values.to_vec()).unwrap();
    let column = |values: &[T]| Array2::from_shape_vec((n, 1), values.to_vec()).unwrap();
    let compare = |what: &str, (y, dx, _): (Array2<T>, Array2<T>, Vec<T>)| {
        assert_close(&format!("y of {what} of {:?}", x[0]), y, &right.y, tolerance);
        assert_close(&format!("dx of {what} of {:?}", x[0]), dx, &right.dx, tolerance);
    };
    let (x_row, dy_row) = (row(x), row(&dy));
    compare("LayerNorm", passes(&LayerNorm::new(), [n], x_row.view(), dy_row.view()));
    compare("LayerNorm", passes(&LayerNorm::new().without_affine(), [n], x_row.view(), dy_row.view()));
    compare("GroupNorm", passes(&GroupNorm::new(1), [n], x_row.view(), dy_row.view()));
    compare("GroupNorm of planes", passes(&GroupNorm::new(1), [2, n / 2], x_row.view(), dy_row.view()));
    compare("InstanceNorm", passes(&InstanceNorm::new(), [1, n], x_row.view(), dy_row.view()));
    let (x_column, dy_column) = (column(x), column(&dy));
    for (what, results) in [
        ("BatchNorm of rows", passes(&BatchNorm::new(), [1], x_column.view(), dy_column.view())),
        ("BatchNorm of a plane", passes(&BatchNorm::new(), [1, n], x_row.view(), dy_row.view())),
        (
            "BatchNorm of steps",
            passes(&BatchNorm::new().channels_last(), [n, 1], x_row.view(), dy_row.view()),
        ),
    ] {
        let running = results.2[2..].to_vec();
        compare(what, results);
        assert_close(what, [running[0]], &[0.1 * right.mean], tolerance);
        assert_close(what, [running[1]], &[0.9 + 0.1 * right.unbiased], tolerance);
    }
}

#[test]
fn a_large_mean_and_a_small_spread() {
    let around = |mean: f64, step: f64| move |i: usize| mean + i as f64 * step;
    for mean in [0.0, 1.0, 100.0, 1000.0, -1000.0, 10_000.0, 65_536.0] {
        let x: Vec<f32> = (0..16).map(around(mean, 1e-3)).map(|x| x as f32).collect();
        check(&x, 2e-6);
    }
    for (mean, step) in [(1.0, 1e-5), (1e6, 0.25), (1e7, 1.0), (-1e9, 64.0), (1e30, 1e23)] {
        let x: Vec<f32> = (0..16).map(around(mean, step)).map(|x| x as f32).collect();
        // A variance of more than the largest number has no f32.
        if mean < 1e20 {
            check(&x, 2e-6);
        }
    }
    for (mean, step) in [(1e9, 1e-3), (1e12, 1e-3), (-1e12, 1e-3), (1e15, 0.125)] {
        let x: Vec<f64> = (0..16).map(around(mean, step)).collect();
        check(&x, 1e-9);
    }
    // All but one on one side, and the first far from the others.
    let mut x = vec![1e4f32; 64];
    x[63] = 1e4 + 1.0;
    check(&x, 2e-6);
    let mut x: Vec<f32> = (0..64).map(|i| 2.0 + fill(i) as f32).collect();
    x[0] = 1000.0;
    check(&x, 2e-6);
}

#[test]
fn values_whose_squares_are_no_numbers() {
    fn check<T: Real>(scale: f64) {
        let x: Vec<T> = (0..16).map(|i| T::of(scale * (fill(i) + if i == 3 { 2.0 } else { 0.0 }))).collect();
        let small: Vec<f64> = x.iter().map(|x| x.as_f64() / scale).collect();
        let x = Array2::from_shape_vec((1, 16), x).unwrap();
        let dy = Array2::from_shape_fn((1, 16), |(_, i)| T::of(fill(i + 99)));
        let n = 16.0;
        let mean = small.iter().sum::<f64>() / n;
        let deviation = (small.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
        let root = (small.iter().map(|x| x * x).sum::<f64>() / n).sqrt();
        let of = |what: &str, (y, dx, _): (Array2<T>, Array2<T>, Vec<T>), mean: f64, length: f64| {
            let right: Vec<f64> = small.iter().map(|x| (x - mean) / length).collect();
            assert_close(&format!("{what} of {scale}"), y, &right, 2e-6);
            assert!(dx.iter().all(|dx| dx.is_finite()), "{what} of {scale}: {dx}");
        };
        of("LayerNorm", passes(&LayerNorm::new(), [16], x.view(), dy.view()), mean, deviation);
        of("GroupNorm", passes(&GroupNorm::new(1), [4, 4], x.view(), dy.view()), mean, deviation);
        of("InstanceNorm", passes(&InstanceNorm::new(), [1, 16], x.view(), dy.view()), mean, deviation);
        of("RmsNorm", passes(&RmsNorm::new(), [16], x.view(), dy.view()), 0.0, root);
        of("UnitNorm", passes(&UnitNorm::new(), [16], x.view(), dy.view()), 0.0, root * n.sqrt());
    }
    for scale in [1e15, 1e19, 1e25, 1e36] {
        check::<f32>(scale);
    }
    for scale in [1e100, 1e154, 1e200, 1e300] {
        check::<f64>(scale);
    }
}

#[test]
fn the_first_outputs_of_sixteen_values() {
    for (mean, right) in [(100.0, -1.34153), (1000.0, -1.34151), (10_000.0, -1.33133)] {
        let x: Vec<f32> = (0..16).map(|i| (mean + f64::from(i) / 1000.0) as f32).collect();
        let x = Array2::from_shape_vec((1, 16), x).unwrap();
        let y = passes(&LayerNorm::new(), [16], x.view(), x.view()).0;
        assert!((y[[0, 0]] - right).abs() < 1e-5, "{}", y[[0, 0]]);
    }
}

#[test]
fn long_rows() {
    for n in [1 << 12, 1 << 16, (1 << 18) + 3] {
        let x: Vec<f32> = (0..n).map(|i| 3.0 + fill(i) as f32).collect();
        check(&x[..n / 2 * 2], 2e-6);
        let tenths = Array2::from_elem((1, n), 0.1f32);
        let right = 0.1f32.as_f64();
        let (y, ..) = passes(&RmsNorm::new().epsilon(1e-9), [n], tenths.view(), tenths.view());
        let y_right = right / (right * right + 1e-9).sqrt();
        assert!(y.iter().all(|y| (y.as_f64() / y_right - 1.0).abs() < 2e-6), "{}", y[[0, 0]]);
        let (y, ..) = passes(&UnitNorm::new(), [n], tenths.view(), tenths.view());
        let y_right = (n as f64).sqrt().recip();
        assert!(y.iter().all(|y| (y.as_f64() / y_right - 1.0).abs() < 2e-6), "{}", y[[0, 0]]);
    }
}

#[test]
fn many_rows() {
    // db = Σ dy, and dw = Σ dy x̂ for rows that are all alike.
    let rows = 65_536;
    let x = Array2::from_shape_fn((rows, 4), |(_, column)| [-0.3f32, 0.1, 0.2, 0.9][column]);
    let dy = Array2::from_elem((rows, 4), 0.1f32);
    let right = exact(x.row(0).as_slice().unwrap(), dy.row(0).as_slice().unwrap());
    let total = rows as f64 * 0.1f32.as_f64();
    let dw: Vec<f64> = right.y.iter().map(|y| y * total).collect();
    let db = [total; 4];
    for (what, grads) in [
        ("LayerNorm", passes(&LayerNorm::new(), [4], x.view(), dy.view()).2),
        ("GroupNorm", passes(&GroupNorm::new(1), [4], x.view(), dy.view()).2),
        ("GroupNorm of planes", passes(&GroupNorm::new(1), [4, 1], x.view(), dy.view()).2),
    ] {
        assert_close(what, grads[..4].iter().copied(), &dw, 2e-6);
        assert_close(what, grads[4..].iter().copied(), &db, 2e-6);
    }
    let (_, _, grads) = passes(&RmsNorm::new().epsilon(EPSILON), [4], x.view(), dy.view());
    let squares = x.row(0).iter().map(|x| x.as_f64() * x.as_f64()).sum::<f64>() / 4.0;
    let dw: Vec<f64> = x.row(0).iter().map(|x| x.as_f64() / (squares + EPSILON).sqrt() * total).collect();
    assert_close("RmsNorm", grads, &dw, 2e-6);
    let (_, _, grads) = passes(&BatchNorm::new(), [4], dy.view(), dy.view());
    assert_close("BatchNorm", grads[4..8].iter().copied(), &db, 2e-6);
}
