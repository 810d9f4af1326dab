//! Memory that starts on a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::Real;

/// The alignment of a [`Buffer`]: one cache line, and one AVX-512 register.
const ALIGN: usize = 64;

/// A slice of numbers whose first value lies on a 64-byte boundary.
///
/// It is what parameters, gradients and activations live in. It is made once and grows only when asked,
/// so that a training step allocates nothing.
///
/// ```
/// use chainrule_tensor::Buffer;
/// let mut x = Buffer::<f32>::zeros(6);
/// x[4] = 1.0;
/// assert_eq!(x.matrix(2, 3)[[1, 1]], 1.0);
/// assert_eq!(x.as_ptr() as usize % 64, 0);
/// ```
pub struct Buffer<T> {
    /// Longer than `len`, so that a 64-byte boundary lies within; never reallocated in place.
    storage: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Real> Buffer<T> {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        if len == 0 {
            return Self::default();
        }
        let storage = vec![T::zero(); len + ALIGN / size_of::<T>()];
        let start = storage.as_ptr().align_offset(ALIGN);
        Self { storage, start, len }
    }

    /// Makes room for at least `len` values. What was in it is lost if it must grow; otherwise it is unchanged.
    pub fn reserve(&mut self, len: usize) {
        if len > self.len {
            *self = Self::zeros(len);
        }
    }

    /// The first `rows * columns` values as a row-major matrix.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter than that.
    #[inline]
    pub fn matrix(&self, rows: usize, columns: usize) -> ArrayView2<'_, T> {
        let values = &self[..count(rows, columns)];
        // SAFETY: the slice has just these values, and lives as long as the view.
        unsafe { ArrayView2::from_shape_ptr((rows, columns), values.as_ptr()) }
    }

    /// The first `rows * columns` values as a row-major matrix that can be written.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter than that.
    #[inline]
    pub fn matrix_mut(&mut self, rows: usize, columns: usize) -> ArrayViewMut2<'_, T> {
        let values = &mut self[..count(rows, columns)];
        // SAFETY: the slice has just these values, lives as long as the view, and is borrowed by it alone.
        unsafe { ArrayViewMut2::from_shape_ptr((rows, columns), values.as_mut_ptr()) }
    }
}

#[inline]
fn count(rows: usize, columns: usize) -> usize {
    rows.checked_mul(columns).expect("a matrix of more values than can be counted")
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self { storage: Vec::new(), start: 0, len: 0 }
    }
}

impl<T: Real> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl<T: Real> From<&[T]> for Buffer<T> {
    fn from(values: &[T]) -> Self {
        let mut buffer = Self::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Buffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

impl<T: fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_aligned_too() {
        let mut one = Buffer::<f64>::zeros(100);
        one[99] = 2.0;
        let two = one.clone();
        assert_eq!(two.as_ptr() as usize % ALIGN, 0);
        assert_eq!(*one, *two);
        one.reserve(50);
        assert_eq!(one[99], 2.0);
        one.reserve(101);
        assert_eq!(one.len(), 101);
        assert!(Buffer::<f32>::zeros(0).is_empty());
    }
}
