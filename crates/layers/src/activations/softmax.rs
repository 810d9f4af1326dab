//! Softmax and its relatives over the classes of each sample, or of each of its steps.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::packed::{fill_packed, packed};

/// `aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)` over the last axis of a sample, `[classes]` or `[steps, classes]` or any other,
/// computed from `z - max z`, so that nothing overflows. -∞ gives 0; where all values are -∞ the result is NaN, as in
/// PyTorch.
///
/// Backward, `dzᵢ = aᵢ (daᵢ - Σⱼ aⱼ daⱼ)`. A network that ends in a softmax is trained with
/// `CrossEntropy::from_probabilities()`; leaving the softmax away and training with `CrossEntropy` from logits
/// is the same network, faster and more exact.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softmax;

/// `aᵢ = zᵢ - ln Σⱼ exp(zⱼ)` over the last axis: the logarithm of [`Softmax`], exact also where that is nearly 0.
///
/// Backward, `dzᵢ = daᵢ - exp(aᵢ) Σⱼ daⱼ`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSoftmax;

/// `aᵢ = exp(-zᵢ) / Σⱼ exp(-zⱼ)` over the last axis: [`Softmax`] of `-z`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softmin;

/// What a layer over classes remembers: how many there are, and copies of batches that are strided.
#[derive(Clone, Debug, Default)]
pub struct Classes<T: Real> {
    classes: usize,
    a: Buffer<T>,
    d: Buffer<T>,
}

impl<T: Real> Classes<T> {
    pub(super) fn plan(input: Shape, plan: &Plan) -> Result<Self, ShapeError> {
        match input.last() {
            Some(&classes) if classes > 0 => Ok(Self { classes, ..Self::default() }),
            _ => Err(plan.error(input, "samples with at least one class, [..., classes]", "give it logits")),
        }
    }

    /// `y = f(x)`, row by row of classes, for an `f(values, classes)` that works in place.
    pub(super) fn forward(
        &mut self,
        x: ArrayView2<'_, T>,
        y: ArrayViewMut2<'_, T>,
        f: impl FnOnce(&mut [T], usize),
    ) {
        fill_packed(y, &mut self.a, |a| {
            x.assign_to(rows(x.dim(), a));
            f(a, self.classes);
        });
    }

    /// From the gradient of the output `a`, that of the input, by an `f(a, d, classes)` that works in place on `d`.
    pub(super) fn backward(
        &mut self,
        a: ArrayView2<'_, T>,
        da: ArrayView2<'_, T>,
        dz: ArrayViewMut2<'_, T>,
        f: impl FnOnce(&[T], &mut [T], usize),
    ) {
        let a = packed(a, &mut self.a);
        fill_packed(dz, &mut self.d, |d| {
            da.assign_to(rows(da.dim(), d));
            f(a, d, self.classes);
        });
    }
}

fn rows<T>(dim: (usize, usize), values: &mut [T]) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape(dim, values).expect("as many values")
}

/// The two passes of a layer over classes, from functions that work in place.
macro_rules! over_classes {
    ($($name:ident: $value:expr, $gradient:expr;)*) => {$(
        impl<T: Real> Layer<T> for $name {
            type Cache = Classes<T>;

            fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Classes<T>), ShapeError> {
                Ok((input, Classes::plan(input, plan)?))
            }

            fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Classes<T>>) {
                cache.forward(x, y, $value);
            }

            fn backward(&self, Backward { y, dy, dx, cache, .. }: Backward<'_, T, Classes<T>>) {
                if let Some(dx) = dx {
                    cache.backward(y, dy, dx, $gradient);
                }
            }
        }
    )*};
}
pub(super) use over_classes;

over_classes! {
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
    vector::apply_slice(
        values,
        #[inline(always)]
        |v| -v,
    );
}
