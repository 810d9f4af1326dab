//! Numbers as bytes, little-endian: in files, and between processes.

use chainrule_tensor::{Real, bytes_mut, bytes_of};

/// The bytes of these numbers.
pub(crate) fn bytes<T: Real>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(values, &mut bytes);
    bytes
}

/// Appends the bytes of these numbers.
pub(crate) fn append<T: Real>(values: &[T], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend_from_slice(bytes_of(values));
    in_order(&mut bytes[start..], size_of::<T>());
}

/// Fills `values` from their bytes; `None` if the number of bytes is not theirs.
pub(crate) fn numbers<T: Real>(bytes: &[u8], values: &mut [T]) -> Option<()> {
    if bytes.len() != size_of_val(values) {
        return None;
    }
    bytes_mut(values).copy_from_slice(bytes);
    were_written(values);
    Some(())
}

/// Makes numbers of values whose bytes were written to their memory.
pub(crate) fn were_written<T: Real>(values: &mut [T]) {
    in_order(bytes_mut(values), size_of::<T>());
}

/// Reverses the bytes of each number where a machine stores them the other way round.
fn in_order(bytes: &mut [u8], size: usize) {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
}
