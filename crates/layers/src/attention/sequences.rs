//! Batches of sequences as matrices with a row for each step.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2};

use crate::contiguous::write_contiguous;

/// The steps and features of a sequence.
pub(super) fn sequence(input: Shape, plan: &Plan) -> Result<[usize; 2], ShapeError> {
    match *input {
        [steps, features] if steps > 0 && features > 0 => Ok([steps, features]),
        _ => Err(plan.error(input, "a sequence, [steps, features]", "put Reshape or an Embedding before it")),
    }
}

/// The product of sizes as a number of operations; it saturates.
pub(super) fn operations<const N: usize>(factors: [usize; N]) -> u64 {
    factors.into_iter().fold(1, |product, factor| product.saturating_mul(factor as u64))
}

/// The sequences of a batch, `[rows, steps * features]`, as a matrix `[rows * steps, features]`: a view if the rows are
/// contiguous, else a `copy`.
pub(super) fn packed<'a, T: Real>(
    x: ArrayView2<'a, T>,
    features: usize,
    copy: &'a mut Buffer<T>,
) -> ArrayView2<'a, T> {
    let values = crate::contiguous::contiguous(x, copy);
    ArrayView2::from_shape((values.len() / features, features), values).expect("whole steps")
}

/// Lets `work` overwrite the sequences of a batch as a matrix `[rows * steps, features]`, as [`packed`] returns it.
pub(super) fn overwrite<T: Real>(
    y: ArrayViewMut2<'_, T>,
    features: usize,
    copy: &mut Buffer<T>,
    work: impl FnOnce(ArrayViewMut2<'_, T>),
) {
    write_contiguous(y, copy, |values| {
        let steps = (values.len() / features, features);
        work(ArrayViewMut2::from_shape(steps, values).expect("whole steps"));
    });
}

/// Whether a step is padding: all its features are exactly 0.
#[inline]
pub(super) fn is_padding<T: Real>(step: ArrayView1<'_, T>) -> bool {
    step.iter().all(|&feature| feature == T::zero())
}

/// Sets the steps of `y`, `[rows, steps * outputs]`, to 0 where those of `x`, `[rows, steps * inputs]`, are padding.
pub(super) fn zero_padding<T: Real>(
    x: ArrayView2<'_, T>,
    mut y: ArrayViewMut2<'_, T>,
    [inputs, outputs]: [usize; 2],
) {
    for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
        for (x, mut y) in x.exact_chunks(inputs).into_iter().zip(y.exact_chunks_mut(outputs)) {
            if is_padding(x) {
                y.fill(T::zero());
            }
        }
    }
}

/// A `copy` of the gradient `dy` of sequences, in which the steps are 0 that [`zero_padding`] sets to 0.
pub(super) fn without_padding<'a, T: Real>(
    x: ArrayView2<'_, T>,
    dy: ArrayView2<'_, T>,
    features: [usize; 2],
    copy: &'a mut Buffer<T>,
) -> ArrayView2<'a, T> {
    let (rows, columns) = dy.dim();
    copy.reserve(dy.len());
    copy.matrix_mut(rows, columns).assign(&dy);
    zero_padding(x, copy.matrix_mut(rows, columns), features);
    copy.matrix(rows, columns)
}
