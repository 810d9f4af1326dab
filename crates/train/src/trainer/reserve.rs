//! Memory that a system may refuse.

use chainrule_tensor::{Buffer, Real};

use super::error::TrainError;

/// Allocates `len` values for one of `count` such buffers. The error says how many bytes all of them would take.
pub(super) fn reserve<T: Real>(
    buffer: &mut Buffer<T>,
    len: usize,
    count: usize,
    what: &'static str,
) -> Result<(), TrainError> {
    if buffer.len() < len {
        let bytes = len.saturating_mul(size_of::<T>()).saturating_mul(count);
        *buffer = Buffer::try_zeros(len).ok_or(TrainError::Memory { what, bytes })?;
    }
    Ok(())
}
