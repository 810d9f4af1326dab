//! Softmax and its variants, over the last axis.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Buffer, Real, Shape, each, vector};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::contiguous::{contiguous, write_contiguous};

/// `aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)` over the last axis of a sample, `[classes]` or `[steps, classes]` or any other,
/// computed from `z - max z`, so that nothing overflows. -∞ becomes 0; if all values are -∞ the result is NaN, as in
/// PyTorch.
///
/// Backward, `dzᵢ = aᵢ (daᵢ - Σⱼ aⱼ daⱼ)`. Train a network that ends in a softmax with
/// `CrossEntropy::from_probabilities()`; training without the softmax and with `CrossEntropy` on logits is equivalent, faster
/// and more accurate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softmax;

describe! {
    /// Probabilities of the classes, over the last axis.
    Softmax = "softmax";
    formula "aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)";
}

/// `aᵢ = zᵢ - ln Σⱼ exp(zⱼ)` over the last axis: the logarithm of [`Softmax`], accurate also where that is nearly 0.
///
/// Backward, `dzᵢ = daᵢ - exp(aᵢ) Σⱼ daⱼ`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSoftmax;

describe! {
    /// The logarithm of the softmax, over the last axis.
    LogSoftmax = "log_softmax";
    formula "aᵢ = zᵢ - ln Σⱼ exp(zⱼ)";
}

/// `aᵢ = exp(-zᵢ) / Σⱼ exp(-zⱼ)` over the last axis: [`Softmax`] of `-z`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softmin;

describe! {
    /// The softmax of the negative input, over the last axis.
    Softmin = "softmin";
    formula "aᵢ = exp(-zᵢ) / Σⱼ exp(-zⱼ)";
}

/// The cache of a softmax layer: the number of classes, and copies of strided batches.
#[derive(Clone, Debug, Default)]
pub struct SoftmaxCache<T: Real> {
    classes: usize,
    a: Buffer<T>,
    d: Buffer<T>,
}

impl<T: Real> SoftmaxCache<T> {
    pub(super) fn plan(input: Shape, plan: &Plan) -> Result<Self, ShapeError> {
        match input.last() {
            Some(&classes) if classes > 0 => Ok(Self { classes, ..Self::default() }),
            _ => Err(plan.error(input, "samples with at least one class, [..., classes]", "give it logits")),
        }
    }

    /// `y = f(x)` for an `f(values, classes)` that works in place.
    pub(super) fn forward(
        &mut self,
        x: ArrayView2<'_, T>,
        y: ArrayViewMut2<'_, T>,
        f: impl FnOnce(&mut [T], usize),
    ) {
        write_contiguous(y, &mut self.a, |a| {
            x.assign_to(rows(x.dim(), a));
            f(a, self.classes);
        });
    }

    /// The gradient of the input from that of the output `a`, by an `f(a, d, classes)` that works in place on `d`.
    pub(super) fn backward(
        &mut self,
        a: ArrayView2<'_, T>,
        da: ArrayView2<'_, T>,
        dz: ArrayViewMut2<'_, T>,
        f: impl FnOnce(&[T], &mut [T], usize),
    ) {
        let a = contiguous(a, &mut self.a);
        write_contiguous(dz, &mut self.d, |d| {
            da.assign_to(rows(da.dim(), d));
            f(a, d, self.classes);
        });
    }
}

fn rows<T>(dim: (usize, usize), values: &mut [T]) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape(dim, values).expect("the size of the batch")
}

/// Layers over classes, from functions that work in place.
macro_rules! softmax_layers {
    ($($name:ident: $value:expr, $gradient:expr;)*) => {$(
        impl<T: Real> Layer<T> for $name {
            type Cache = SoftmaxCache<T>;

            fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, SoftmaxCache<T>), ShapeError> {
                Ok((input, SoftmaxCache::plan(input, plan)?))
            }

            described!();

            fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, SoftmaxCache<T>>) {
                cache.forward(x, y, $value);
            }

            fn backward(&self, Backward { y, dy, dx, cache, .. }: Backward<'_, T, SoftmaxCache<T>>) {
                if let Some(dx) = dx {
                    cache.backward(y, dy, dx, $gradient);
                }
            }
        }
    )*};
}
pub(super) use softmax_layers;

softmax_layers! {
    Softmax: vector::softmax, vector::softmax_gradient;
    LogSoftmax: vector::log_softmax, vector::log_softmax_gradient;
    Softmin: softmin, softmin_gradient;
}

fn softmin<T: Real>(values: &mut [T], classes: usize) {
    negate(values);
    vector::softmax(values, classes);
}

fn softmin_gradient<T: Real>(a: &[T], d: &mut [T], classes: usize) {
    vector::softmax_gradient(a, d, classes);
    negate(d);
}

fn negate<T: Real>(values: &mut [T]) {
    each!(values = -values);
}
