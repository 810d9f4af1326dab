//! Sums of up to 2²⁵ terms are as exact as short ones.
//!
//! Equal terms are the worst case: beside a large sum each is rounded to the same side.

use std::process::Command;

use chainrule_tensor::{Real, gemm, gemm_sum, simd, sum_channels, vector};
use ndarray::{Array1, Array2, ArrayView2, s};

/// Numbers whose binary digits go on: each rounds in another way.
const TERMS: [f64; 5] = [0.1, 1.0 / 3.0, 0.7, 1.9, 0.123_456_789];

#[track_caller]
fn close<T: Real>(found: T, right: f64) {
    let limit = if T::NAME == "f32" { 1e-6 } else { 2e-15 };
    let error = (found.as_f64() / right - 1.0).abs();
    assert!(error <= limit, "{found} for {right}: {error:e} in {}", T::NAME);
}

fn slices<T: Real>(n: usize, value: f64) {
    let value = T::of(value);
    let x = vec![value; n];
    let (v, n) = (value.as_f64(), n as f64);
    close(vector::sum(&x), n * v);
    close(vector::dot(&x, &x), n * v * v);
    close(T::of(vector::sum_squares(&x)), n * v * v);
    close(T::of(vector::norm(&x)), n.sqrt() * v);
    let [sum, squares] = vector::sums([&x, &x], |[a, b]| [a, a * b]);
    close(sum, n * v);
    close(squares, n * v * v);
}

#[test]
fn whole_slices() {
    for n in [10, 1000, 1025, 12_288, 1 << 17] {
        for value in TERMS {
            slices::<f32>(n, value);
            slices::<f64>(n, value);
        }
    }
    let x = vec![0.1f32; (1 << 25) + 13];
    close(vector::sum(&x), x.len() as f64 * f64::from(0.1f32));
}

fn rows<T: Real>(x: ArrayView2<'_, T>) {
    let (rows, columns) = x.dim();
    let value = x[[0, 0]].as_f64();
    let mut sum = Array1::<T>::ones(columns);
    vector::sum_rows(x, sum.view_mut());
    sum.iter().for_each(|&sum| close(sum, rows as f64 * value + 1.0));
}

#[test]
fn many_rows() {
    for value in TERMS {
        rows(Array2::from_elem((65_536, 10), value as f32).view());
    }
    for (n, columns) in [(33, 5), (5001, 133), (1 << 20, 1)] {
        rows(Array2::from_elem((n, columns), 0.1f32).view());
        rows(Array2::from_elem((n, columns), 0.1).view());
        let wide = Array2::from_elem((n, 2 * columns), 0.1f32);
        rows(wide.slice(s![.., ..columns]));
        rows(wide.slice(s![.., ..;2]));
        rows(Array2::from_elem((columns, n), 0.7f32).t());
    }
}

#[test]
fn chunks_and_channels() {
    for [outer, channels, inner] in [[65_537, 3, 1], [5000, 33, 1], [65_536, 3, 2], [3, 2, 224 * 224]] {
        let x = vec![0.1f32; outer * channels * inner];
        let n = (outer * inner) as f64;
        let value = f64::from(0.1f32);
        let weights = vec![0.5; channels];
        let (mut sums, mut products) = (vec![1.0f32; channels], vec![0.0; channels]);
        sum_channels!(inner, [sums, products] += |[x], [w: weights]| [x, x * w]);
        sums.iter().for_each(|&sum| close(sum, n * value + 1.0));
        products.iter().for_each(|&sum| close(sum, n * 0.5 * value));
        let mut sums = vec![1.0; channels];
        vector::sum_chunks(&x, &mut sums);
        sums.iter().for_each(|&sum| close(sum, n * value + 1.0));
    }
}

#[test]
fn terms_of_both_signs() {
    // Each value is followed by its opposite much later: what remains is one term, beside partial sums that are large.
    let n = 1 << 17;
    let mut x: Vec<f32> = (0..n).map(|i| 1.0 + (i % 977) as f32).collect();
    x.extend((0..n).map(|i| -1.0 - (i % 977) as f32));
    x.push(0.125);
    assert_eq!(vector::sum(&x), 0.125);
}

#[test]
fn infinities_in_long_sums() {
    let mut x = vec![1.0f32; 100_000];
    x[50_000] = f32::INFINITY;
    assert_eq!(vector::sum(&x), f32::INFINITY);
    assert_eq!(vector::sum_squares(&x), f64::INFINITY);
    let mut sum = Array1::<f32>::zeros(1);
    vector::sum_rows(ArrayView2::from_shape((100_000, 1), &x).unwrap(), sum.view_mut());
    assert_eq!(sum[0], f32::INFINITY);
    x[90_000] = f32::NEG_INFINITY;
    assert!(vector::sum(&x).is_nan());
}

#[test]
fn products_of_many_terms() {
    for (k, value) in [(10_000, 0.7), (65_536, 0.1), (1 << 20, 0.1), (1 << 20, 1.0 / 3.0)] {
        let (x, w) = (Array2::from_elem((4, k), value as f32), Array2::from_elem((k, 3), value as f32));
        let mut y = Array2::ones((4, 3));
        gemm(1.0, x.view(), w.view(), 1.0, y.view_mut());
        let value = f64::from(value as f32);
        let right = k as f64 * value * value + 1.0;
        y.iter().for_each(|&y| assert!((f64::from(y) / right - 1.0).abs() < 2e-6, "{k}: {y} for {right}"));
    }
}

/// What `gemm` promises where K is not split.
#[test]
fn products_of_some_terms() {
    for k in [300, 528, 784, 8192] {
        for (m, n) in [(1, 1), (1, 100), (2, 61), (64, 1), (4, 3), (32, 100)] {
            for value in [0.1f32, 0.7, 1.9] {
                let (x, xt) = (Array2::from_elem((m, k), value), Array2::from_elem((k, m), value));
                let (w, wt) = (Array2::from_elem((k, n), value), Array2::from_elem((n, k), value));
                let right = k as f64 * f64::from(value) * f64::from(value);
                for (layout, x, w) in
                    [("nn", x.view(), w.view()), ("nt", x.view(), wt.t()), ("tn", xt.t(), w.view())]
                {
                    let mut y = Array2::zeros((m, n));
                    gemm(1.0, x, w, 0.0, y.view_mut());
                    for &y in &y {
                        let error = (f64::from(y) / right - 1.0).abs();
                        assert!(error < 6e-6, "{m} x {n} over {k}, {layout}: {y} for {right}: {error:e}");
                    }
                    let half = k / 2;
                    let parts = [
                        (x.slice(s![.., ..half]), w.slice(s![..half, ..])),
                        (x.slice(s![.., half..]), w.slice(s![half.., ..])),
                    ];
                    gemm_sum(&parts, 0.0, y.view_mut());
                    let error = y.iter().map(|&y| (f64::from(y) / right - 1.0).abs()).fold(0.0, f64::max);
                    assert!(error < 6e-6, "{m} x {n} over {k} in two parts, {layout}: {error:e}");
                }
            }
        }
    }
}

#[test]
fn at_every_level() {
    if cfg!(miri) || std::env::var_os(simd::LEVEL_VARIABLE).is_some() {
        return;
    }
    for level in simd::Level::ALL.into_iter().filter(|&level| level < simd::best_level()) {
        let mut tests = Command::new(std::env::current_exe().unwrap());
        let status = tests.env(simd::LEVEL_VARIABLE, level.name()).arg("--quiet").status().unwrap();
        assert!(status.success(), "{level:?}");
    }
}
