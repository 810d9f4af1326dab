//! Batches as contiguous slices, for layers with their own loops over memory.

use chainrule_tensor::{Buffer, Real};
use ndarray::{ArrayView2, ArrayViewMut2};

/// The values of `view` in row-major order: the view's own if it is contiguous, else a copy in `copy`.
pub(crate) fn contiguous<'a, T: Real>(view: ArrayView2<'a, T>, copy: &'a mut Buffer<T>) -> &'a [T] {
    if let Some(values) = view.to_slice() {
        return values;
    }
    let (rows, columns) = view.dim();
    copy.reserve(rows * columns);
    copy.matrix_mut(rows, columns).assign(&view);
    &copy[..rows * columns]
}

/// Lets `fill` write the values of `view` in row-major order: in place if it is contiguous, else by way of `copy`.
pub(crate) fn write_contiguous<T: Real>(
    mut view: ArrayViewMut2<'_, T>,
    copy: &mut Buffer<T>,
    fill: impl FnOnce(&mut [T]),
) {
    if let Some(values) = view.as_slice_mut() {
        return fill(values);
    }
    let (rows, columns) = view.dim();
    copy.reserve(rows * columns);
    fill(&mut copy[..rows * columns]);
    view.assign(&copy.matrix(rows, columns));
}
