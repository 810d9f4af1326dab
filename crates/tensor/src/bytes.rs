//! The memory of numbers as bytes, as messages and files take it.

use std::slice;

use crate::real::Real;

/// The bytes of these numbers as they are in memory: little-endian on most machines.
///
/// ```
/// use chainrule_tensor::bytes_of;
/// assert_eq!(bytes_of(&[1.0_f32]), 1.0_f32.to_ne_bytes());
/// ```
pub fn bytes_of<T: Real>(values: &[T]) -> &[u8] {
    // SAFETY: `T` is `f32` or `f64`, since `Real` cannot be implemented elsewhere: each of its bytes has a value. The bytes are borrowed as the
    // numbers are, and need no alignment.
    unsafe { slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// As [`bytes_of`], to be written: a message is received there without a copy.
///
/// ```
/// use chainrule_tensor::bytes_mut;
/// let mut values = [0.0_f64; 2];
/// bytes_mut(&mut values)[8..].copy_from_slice(&1.5_f64.to_ne_bytes());
/// assert_eq!(values, [0.0, 1.5]);
/// ```
pub fn bytes_mut<T: Real>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as above; the bytes are borrowed by the caller alone, and whatever they are set to is a number.
    unsafe { slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}
