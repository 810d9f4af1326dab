//! Poolings of many values, of very large and small ones, with extreme exponents, and with windows that are not full.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan};
use chainrule_layers::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, AvgPool3d, GlobalAvgPool, LpPool1d, LpPool2d,
    MaxPool2d, MaxPool3d,
};
use chainrule_tensor::{Real, Shape};
use ndarray::{Array2, array};

/// The output for one sample, and the gradient of the input for a gradient of 1 in each output.
fn passes<T: Real>(layer: &impl Layer<T>, input: impl Into<Shape>, x: &Array2<T>) -> (Array2<T>, Array2<T>) {
    let (output, mut cache) = layer.plan(input.into(), &mut Plan::new()).expect("a shape that it takes");
    let mut y = Array2::from_elem((x.nrows(), output.size()), T::nan());
    let mut dx = Array2::from_elem(x.dim(), T::nan());
    let cache = &mut cache;
    let (params, x) = (Params::new(&[]), x.view());
    layer.forward(Forward { params, x, y: y.view_mut(), cache, mode: Mode::Eval });
    layer.backward(Backward {
        params: Params::new(&[]),
        grads: Grads::new(&mut []),
        x,
        y: y.view(),
        dy: Array2::ones(y.dim()).view(),
        dx: Some(dx.view_mut()),
        cache,
        share: T::one(),
    });
    (y, dx)
}

fn assert_near<T: Real>(what: &str, found: T, right: f64) {
    let tolerance = if T::NAME == "f32" { 2e-6 } else { 1e-9 };
    let found = found.as_f64();
    assert!((found / right - 1.0).abs() <= tolerance, "{what}: {found} instead of {right}");
}

#[test]
fn means_of_many_values() {
    fn check<T: Real>(n: usize) {
        let tenth = T::of(0.1).as_f64();
        let x = Array2::from_elem((1, n * n), T::of(0.1));
        let means = [
            ("global", passes(&GlobalAvgPool::new(), [1, n, n], &x)),
            ("global of volumes", passes(&GlobalAvgPool::new(), [1, n / 16, n / 8, 128], &x)),
            ("adaptive", passes(&AdaptiveAvgPool2d::new(1), [1, n, n], &x)),
            ("adaptive of columns", passes(&AdaptiveAvgPool2d::new([1, 2]), [1, n, n], &x)),
            ("adaptive of rows", passes(&AdaptiveAvgPool2d::new([2, 1]), [1, n, n], &x)),
            ("adaptive of signals", passes(&AdaptiveAvgPool1d::new(3), [1, n * n], &x)),
            ("average", passes(&AvgPool2d::new(n), [1, n, n], &x)),
            ("average of signals", passes(&AvgPool1d::new(n * n), [1, n * n], &x)),
            ("average of volumes", passes(&AvgPool3d::new([16, n / 16, 100]), [1, 16, n / 16, n], &x)),
            ("average of every second", passes(&AvgPool2d::new(n / 2).dilation(2), [1, n, n], &x)),
        ];
        for (what, (y, dx)) in means {
            y.iter().for_each(|&y| assert_near(what, y, tenth));
            // Each output spreads 1 over its window.
            let total: f64 = dx.iter().map(|dx| dx.as_f64()).sum();
            assert_near(what, T::of(total), y.len() as f64);
        }
        let size = n as f64;
        for p in [1.0, 2.0, 4.0] {
            let (y, dx) = passes(&LpPool2d::new(p, n), [1, n, n], &x);
            assert_near("Lp", y[[0, 0]], tenth * size.powf(2.0 / p));
            // (|x| / y)ᵖ⁻¹, and |x| / y = n^(-2/p).
            dx.iter().for_each(|&dx| assert_near("Lp", dx, size.powf(-2.0 * (p - 1.0) / p)));
        }
    }
    check::<f32>(1024);
    check::<f64>(256);
}

#[test]
fn means_of_different_values() {
    // As good as a sum in double precision, for windows on both sides of the length from which they are summed in runs.
    let x = Array2::from_shape_fn((2, 3 * 40 * 40), |(row, i)| ((i * 7919 + row) % 1000) as f32 / 1000.0);
    for size in [5, 6, 7, 20, 40] {
        let (y, _) = passes(&AvgPool2d::new(size).stride(1), [3, 40, 40], &x);
        let (wide, _) = passes(&AvgPool2d::new(size).stride(1), [3, 40, 40], &x.mapv(f64::from));
        y.iter().zip(&wide).for_each(|(&y, &right)| assert_near("average", y, right));
        let (y, _) = passes(&LpPool2d::new(3.0, size).stride(1), [3, 40, 40], &x);
        let (wide, _) = passes(&LpPool2d::new(3.0, size).stride(1), [3, 40, 40], &x.mapv(f64::from));
        y.iter().zip(&wide).for_each(|(&y, &right)| assert_near("Lp", y, right));
    }
}

#[test]
fn windows_that_overlap_often() {
    let x = Array2::from_shape_fn((2, 60 * 60), |(row, i)| ((i * 7919 + row) % 1000) as f32 / 1000.0);
    fn check<L: Layer<f32> + Layer<f64>>(layer: L, x: &Array2<f32>) {
        let (_, single) = passes::<f32>(&layer, [1, 60, 60], x);
        let (_, double) = passes::<f64>(&layer, [1, 60, 60], &x.mapv(f64::from));
        for (&single, &double) in single.iter().zip(&double) {
            assert!(
                (f64::from(single) - double).abs() <= 2e-6 * double.abs(),
                "{layer:?}: {single} for {double}"
            );
        }
    }
    check(AvgPool2d::new(30).stride(1), &x);
    check(AvgPool2d::new([11, 7]).stride(1).padding([5, 3]).exclude_padding(), &x);
    check(MaxPool2d::new(30).stride(1), &x);
    check(LpPool2d::new(2.0, 30).stride(1), &x);
}

#[test]
fn norms_of_extreme_exponents_and_values() {
    fn check<T: Real>() {
        let huge = T::max_value().as_f64() / 16.0;
        let tiny = T::min_positive_value().as_f64() * 16.0;
        for scale in [1.0, huge / 4.0, tiny, 1e-30, 1e30] {
            let x = array![[T::of(3.0 * scale), T::of(-4.0 * scale)]];
            for (p, right) in [
                (1.0, 7.0),
                (2.0, 5.0),
                (3.0, 91f64.cbrt()),
                (10.0, (3f64.powi(10) + 4f64.powi(10)).powf(0.1)),
                (200.0, 4.0),
                (1e10, 4.0),
                (1e308, 4.0),
                (f64::MAX, 4.0),
            ] {
                let (y, dx) = passes(&LpPool1d::new(p, 2), [1, 2], &x);
                let what = format!("p = {p}, values of {scale}, {}", T::NAME);
                assert_near(&what, y[[0, 0]] / T::of(scale), right);
                let derivative = |x: f64| (x / right).powf(p - 1.0);
                assert_near(&what, dx[[0, 1]], -derivative(4.0));
                assert!((dx[[0, 0]].as_f64() - derivative(3.0)).abs() < 1e-6, "{what}: {dx}");
            }
        }
        // Equal values share the gradient, whatever the exponent, and zeros have none.
        for p in [1.0, 1.5, 2.0, 7.0, 1e5, 1e308] {
            let x = array![[2.0, -2.0, 0.0, 0.0, 0.0, 0.0]].mapv(T::of);
            let (y, dx) = passes(&LpPool1d::new(p, 3), [2, 3], &x);
            assert_near("a tie", y[[0, 0]], 2.0 * 2f64.powf(1.0 / p));
            assert_near("a tie", dx[[0, 0]], 2f64.powf(-(p - 1.0) / p));
            assert_near("a tie", dx[[0, 1]], -(2f64.powf(-(p - 1.0) / p)));
            assert!(y[[0, 1]] == T::zero() && dx.iter().skip(2).all(|&dx| dx == T::zero()), "{p}: {y} {dx}");
        }
        let x = array![[1.0, f64::NAN, f64::NAN, 1.0, f64::INFINITY, 1.0]].mapv(T::of);
        let (y, _) = passes(&LpPool1d::new(3.0, 2), [3, 2], &x);
        assert!(y[[0, 0]].is_nan() && y[[0, 1]].is_nan() && y[[0, 2]] == T::infinity(), "{y}");
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn a_last_window_may_be_the_only_one() {
    let x = array![[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]];
    let planned = Layer::<f64>::plan(&MaxPool2d::new(2).ceil(), [1, 1, 8].into(), &mut Plan::new()).unwrap();
    assert_eq!(planned.0, [1, 1, 4].into());
    let (y, dx) = passes(&MaxPool2d::new(2).ceil(), [1, 1, 8], &x);
    assert_eq!(y, array![[2.0, 4.0, 6.0, 8.0]]);
    assert_eq!(dx, array![[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]]);
    // Only inputs, and padding that belongs to the axis, are counted.
    let (y, dx) = passes(&AvgPool2d::new(2).ceil(), [1, 1, 8], &x);
    assert_eq!((y, dx), (array![[1.5, 3.5, 5.5, 7.5]], Array2::from_elem((1, 8), 0.5)));
    let (y, _) = passes(&LpPool2d::new(2.0, 2).ceil(), [1, 1, 2], &array![[3.0, 4.0]]);
    assert_eq!(y, array![[5.0]]);

    // A volume of one plane, under windows of three.
    let x = Array2::from_shape_fn((1, 36), |(_, i)| i as f64);
    let pooling = MaxPool3d::new([3, 3, 1]).ceil();
    let planned = Layer::<f64>::plan(&pooling, [2, 1, 3, 6].into(), &mut Plan::new()).unwrap();
    assert_eq!(planned.0, [2, 1, 1, 6].into());
    let right = array![[12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 30.0, 31.0, 32.0, 33.0, 34.0, 35.0]];
    assert_eq!(passes(&pooling, [2, 1, 3, 6], &x).0, right);

    // Without `ceil`, or where the last window would begin a whole step too late, there is none.
    let refused = |layer: MaxPool2d, input: [usize; 3]| {
        let error = Layer::<f64>::plan(&layer, input.into(), &mut Plan::new()).unwrap_err().to_string();
        assert!(error.contains("smaller kernel"), "{error}");
    };
    refused(MaxPool2d::new(2), [1, 1, 8]);
    refused(MaxPool2d::new([3, 1]).stride(1).ceil(), [1, 1, 8]);
    refused(MaxPool2d::new([3, 1]).stride([2, 1]).ceil(), [1, 1, 8]);
    refused(MaxPool2d::new(2).ceil(), [1, 0, 8]);
}
