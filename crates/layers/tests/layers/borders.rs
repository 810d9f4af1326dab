//! Layers where a root, a length or a divisor is 0, or a square overflows: outputs and gradients are finite, and are the limit or
//! the convention where there is one.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan, SideBySide};
use chainrule_layers::*;
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::{Array2, array};

const TRAIN: Mode = Mode::Train { seed: Seed(3), first_row: 0 };

/// The output and the gradient of the input for a gradient of 1 in each output, with these parameters for all.
fn passes<T: Real>(layer: &impl Layer<T>, input: &[usize], x: &Array2<f64>, param: f64) -> [Array2<f64>; 2] {
    let mut plan = Plan::new();
    let (output, mut cache) = layer.plan(Shape::new(input).unwrap(), &mut plan).unwrap();
    let params = vec![T::of(param); plan.size()];
    let x = x.mapv(T::of);
    let mut y = Array2::from_elem((x.nrows(), output.size()), T::nan());
    let mut dx = Array2::from_elem(x.dim(), T::nan());
    let mut grads = vec![T::zero(); plan.size()];
    let cache = &mut cache;
    layer.forward(Forward { params: Params::new(&params), x: x.view(), y: y.view_mut(), cache, mode: TRAIN });
    layer.backward(Backward {
        params: Params::new(&params),
        grads: Grads::new(&mut grads),
        x: x.view(),
        y: y.view(),
        dy: Array2::ones(y.dim()).view(),
        dx: Some(dx.view_mut()),
        cache,
        share: T::one(),
    });
    assert!(grads.iter().all(|grad| grad.is_finite()), "{layer:?}: {grads:?}");
    [y.mapv(T::as_f64), dx.mapv(T::as_f64)]
}

fn near(found: &Array2<f64>, right: &Array2<f64>) -> bool {
    found.dim() == right.dim()
        && found.iter().zip(right).all(|(a, b)| (a - b).abs() <= 2e-6 * b.abs().max(1e-30))
}

/// Whether both passes have these results in both precisions.
fn check<L: Layer<f32> + Layer<f64>>(layer: L, input: &[usize], x: &Array2<f64>, right: [Array2<f64>; 2]) {
    for [y, dx] in [passes::<f32>(&layer, input, x, 0.0), passes::<f64>(&layer, input, x, 0.0)] {
        assert!(near(&y, &right[0]), "{layer:?} of {x}: {y} instead of {}", right[0]);
        assert!(near(&dx, &right[1]), "{layer:?} of {x}: {dx} instead of {}", right[1]);
    }
}

/// Whether both passes are finite in both precisions.
fn finite<L: Layer<f32> + Layer<f64>>(layer: L, input: &[usize], x: &Array2<f64>) {
    for param in [0.0, 1.0, 1e-30] {
        for [y, dx] in [passes::<f32>(&layer, input, x, param), passes::<f64>(&layer, input, x, param)] {
            assert!(y.iter().chain(&dx).all(|value| value.is_finite()), "{layer:?} of {x}: {y}, {dx}");
        }
    }
}

#[test]
fn vectors_of_length_0() {
    let zero = array![[0.0, 0.0]];
    // x / 10⁻¹², as PyTorch's `normalize`.
    check(UnitNorm::new(), &[2], &zero, [zero.clone(), array![[1e12, 1e12]]]);
    for p in [1.0, 1.5, 2.0, 3.0, 1e308] {
        check(LpPool1d::new(p, 2), &[1, 2], &zero, [array![[0.0]], zero.clone()]);
        // Next to a value that is not 0.
        check(LpPool1d::new(p, 2), &[1, 2], &array![[0.0, -2.0]], [array![[2.0]], array![[0.0, -1.0]]]);
    }
    check_cosine(&[0.0, 0.0, 0.0, 0.0], 0.0, [0.0; 4]);
    // Squared lengths are at least 10⁻¹².
    check_cosine(&[0.0, 0.0, 3.0, 4.0], 0.0, [0.6e6, 0.8e6, 0.0, 0.0]);
    check_cosine(&[3e20, 4e20, 3e20, 4e20], 1.0, [0.0; 4]);
    check_cosine(&[3e30, 4e30, 4e-3, -3e-3], 0.0, [0.16e-30, -0.12e-30, 120.0, 160.0]);
    finite(RmsNorm::new(), &[2], &zero);
    finite(LayerNorm::new(), &[2], &zero);
    finite(GroupNorm::new(1), &[2], &zero);
    finite(InstanceNorm::new(), &[1, 2], &zero);
    finite(LocalResponseNorm::new(2), &[2, 1], &zero);
    finite(WeightNorm::new(Dense::new(2)), &[2], &zero);
    finite(WeightNorm::new(Dense::new(2)), &[2], &array![[1.0, -1.0]]);
    finite(SpectralNorm::new(Dense::new(2)), &[2], &zero);
    finite(SpectralNorm::new(Dense::new(2)), &[2], &array![[1.0, -1.0]]);
    finite(BatchNorm::new(), &[2], &array![[0.0, 1.0], [0.0, 1.0]]);
    finite(Softmax, &[2], &zero);
    finite(LogSoftmax, &[2], &zero);
    finite(Sparsemax, &[2], &zero);
}

/// The cosine of two vectors of two values, and its gradient.
fn check_cosine(x: &[f64; 4], y: f64, dx: [f64; 4]) {
    let layer = SideBySide::new(Dot::new().cosine(), [[2], [2]]);
    let x = array![*x];
    let single = passes::<f32>(&layer, &[4], &x, 0.0);
    let double = passes::<f64>(&layer, &[4], &x, 0.0);
    for [found_y, found_dx] in [single, double] {
        assert!((found_y[[0, 0]] - y).abs() < 1e-6, "{x}: {found_y}");
        for (found, right) in found_dx.iter().zip(dx) {
            assert!((found - right).abs() <= 1e-5 * right.abs().max(1e-10), "{x}: {found_dx}");
        }
    }
}

#[test]
fn values_of_any_size() {
    for scale in [1e-45, 1e-38, 1e-30, 1e-20, 1e-12, 1e-3, 1e10, 1e18, 1e20, 1e30] {
        let x = array![[scale, -scale, 3.0 * scale, 0.0]];
        finite(UnitNorm::new(), &[4], &x);
        finite(RmsNorm::new(), &[4], &x);
        finite(LayerNorm::new(), &[4], &x);
        finite(GroupNorm::new(2), &[4], &x);
        finite(InstanceNorm::new(), &[2, 2], &x);
        finite(LocalResponseNorm::new(3), &[4, 1], &x);
        finite(LpPool1d::new(1.0, 2), &[1, 4], &x);
        finite(LpPool1d::new(2.0, 4), &[1, 4], &x);
        finite(LpPool2d::new(7.5, 2), &[1, 2, 2], &x);
        finite(Softplus::default(), &[4], &x);
        finite(Softplus::new(1e3), &[4], &x);
        finite(LogSigmoid, &[4], &x);
        finite(Squareplus::default(), &[4], &x);
        finite(Squareplus::new(1e-30), &[4], &x);
        finite(Softsign, &[4], &x);
        finite(Gelu, &[4], &x);
        finite(GeluTanh, &[4], &x);
        finite(Silu, &[4], &x);
        finite(Mish, &[4], &x);
        finite(Celu::new(0.1), &[4], &x);
        finite(Softmax, &[4], &x);
        finite(LogSoftmax, &[4], &x);
        finite(Sparsemax, &[4], &x);
        finite(SwiGlu::default(), &[4], &array![[1.0, 1.0, scale, -scale]]);
        finite(GeGlu::default(), &[4], &array![[1.0, 1.0, scale, -scale]]);
        check_cosine(&[scale.max(1e-5), 0.0, scale.max(1e-5), 0.0], 1.0, [0.0; 4]);
    }
}
