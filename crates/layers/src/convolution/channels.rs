//! Samples as slices of channels.

use chainrule_tensor::{Buffer, Real};
use ndarray::{ArrayView1, ArrayViewMut1};

/// The values of a row: its own if they are contiguous, otherwise a copy.
pub(super) fn contiguous_row<'a, T: Real>(row: ArrayView1<'a, T>, copy: &'a mut Buffer<T>) -> &'a [T] {
    if let Some(values) = row.to_slice() {
        return values;
    }
    copy.reserve(row.len());
    copy.iter_mut().zip(row).for_each(|(copy, &value)| *copy = value);
    &copy[..row.len()]
}

/// Runs `f` on the values of a row: in place if they are contiguous, otherwise on a copy that is written back.
pub(super) fn edit_row<T: Real>(
    mut row: ArrayViewMut1<'_, T>,
    copy: &mut Buffer<T>,
    f: impl FnOnce(&mut [T]),
) {
    if let Some(values) = row.as_slice_mut() {
        return f(values);
    }
    let len = contiguous_row(row.view(), copy).len();
    f(&mut copy[..len]);
    row.iter_mut().zip(&**copy).for_each(|(value, &copy)| *value = copy);
}

/// Fills each channel of `size` values with its bias, or with zeros.
pub(super) fn fill_with_bias<T: Real>(channels: &mut [T], size: usize, bias: Option<&[T]>) {
    match bias {
        Some(bias) => channels.chunks_exact_mut(size).zip(bias).for_each(|(channel, &b)| channel.fill(b)),
        None => channels.fill(T::zero()),
    }
}
