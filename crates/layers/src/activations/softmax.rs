//! Softmax and its relatives over the classes of each sample, or of each of its steps.

use chainrule_layer::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2};

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

/// What a layer over classes remembers: how many there are, and memory for samples that are not one after the other.
#[derive(Clone, Debug, Default)]
pub struct Classes<T: Real> {
    classes: usize,
    scratch: Buffer<T>,
}

impl<T: Real> Classes<T> {
    pub(super) fn plan(input: Shape, plan: &Plan) -> Result<Self, ShapeError> {
        match input.last() {
            Some(&classes) if classes > 0 => Ok(Self { classes, scratch: Buffer::default() }),
            _ => Err(plan.error(input, "samples with at least one class, [..., classes]", "give it logits")),
        }
    }

    /// Changes `y` by `f(values, classes)`, which is given whole samples.
    pub(super) fn apply(&mut self, mut y: ArrayViewMut2<'_, T>, f: impl Fn(&mut [T], usize)) {
        let Self { classes, scratch } = self;
        if let Some(values) = y.as_slice_mut() {
            return f(values, *classes);
        }
        scratch.reserve(y.ncols());
        for row in y.rows_mut() {
            as_slice(row, scratch, |values| f(values, *classes));
        }
    }

    /// Changes `d` by `f(a, d, classes)`, which is given whole samples.
    pub(super) fn apply2(
        &mut self,
        a: ArrayView2<'_, T>,
        mut d: ArrayViewMut2<'_, T>,
        f: impl Fn(&[T], &mut [T], usize),
    ) {
        let Self { classes, scratch } = self;
        if let (Some(a), Some(d)) = (a.as_slice(), d.as_slice_mut()) {
            return f(a, d, *classes);
        }
        scratch.reserve(2 * a.ncols());
        let (line, scratch) = scratch.split_at_mut(a.ncols());
        for (a, d) in a.rows().into_iter().zip(d.rows_mut()) {
            line.iter_mut().zip(a).for_each(|(line, &a)| *line = a);
            as_slice(d, scratch, |d| f(line, d, *classes));
        }
    }
}

/// Gives a row to `f` as a slice; if it is strided, a copy, which is brought back.
fn as_slice<T: Real>(mut row: ArrayViewMut1<'_, T>, scratch: &mut [T], f: impl FnOnce(&mut [T])) {
    if let Some(values) = row.as_slice_mut() {
        return f(values);
    }
    let values = &mut scratch[..row.len()];
    values.iter_mut().zip(&row).for_each(|(value, &v)| *value = v);
    f(values);
    row.iter_mut().zip(values).for_each(|(v, value)| *v = *value);
}

/// The two passes of a layer over classes: the functions change `±z` into `a`, and `±da` into `dz`.
macro_rules! over_classes {
    ($($name:ident: |$z:ident| $sign:expr, $value:path, $gradient:path;)*) => {$(
        impl<T: Real> Layer<T> for $name {
            type Cache = Classes<T>;

            fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Classes<T>), ShapeError> {
                Ok((input, Classes::plan(input, plan)?))
            }

            fn forward(&self, Forward { x, mut y, cache, .. }: Forward<'_, T, Classes<T>>) {
                vector::map(x, y.view_mut(), #[inline(always)] |$z| $sign);
                cache.apply(y, $value);
            }

            fn backward(&self, Backward { y, dy, dx, cache, .. }: Backward<'_, T, Classes<T>>) {
                let Some(mut dx) = dx else { return };
                vector::map(dy, dx.view_mut(), #[inline(always)] |$z| $sign);
                cache.apply2(y, dx, $gradient);
            }
        }
    )*};
}
pub(super) use over_classes;

over_classes! {
    Softmax: |z| z, vector::softmax, vector::softmax_gradient;
    LogSoftmax: |z| z, vector::log_softmax, vector::log_softmax_gradient;
    Softmin: |z| -z, vector::softmax, vector::softmax_gradient;
}
