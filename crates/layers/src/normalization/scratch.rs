//! Scratch memory from buffers that grow when they must.

use chainrule_tensor::{Buffer, Real};

/// The first `len` values of `buffer`, with any content.
pub(super) fn scratch<T: Real>(buffer: &mut Buffer<T>, len: usize) -> &mut [T] {
    buffer.reserve(len);
    &mut buffer[..len]
}

/// The first `len` values of `buffer`, all set to 0.
pub(super) fn zeroed<T: Real>(buffer: &mut Buffer<T>, len: usize) -> &mut [T] {
    let values = scratch(buffer, len);
    values.fill(T::zero());
    values
}
