//! Batches as slices, for layers that go through memory in their own way.

use chainrule_tensor::{Buffer, Real};
use ndarray::{ArrayView2, ArrayViewMut2};

/// The values of `view` in row-major order: where they lie, if they lie so, else copied to `copy`.
pub(crate) fn packed<'a, T: Real>(view: ArrayView2<'a, T>, copy: &'a mut Buffer<T>) -> &'a [T] {
    if let Some(values) = view.to_slice() {
        return values;
    }
    let (rows, columns) = view.dim();
    copy.reserve(rows * columns);
    copy.matrix_mut(rows, columns).assign(&view);
    &copy[..rows * columns]
}

/// Lets `fill` write the values of `view` in row-major order: where they lie, if they lie so, else by way of `copy`.
pub(crate) fn fill_packed<T: Real>(
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
