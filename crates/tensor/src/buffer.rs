//! Memory that starts on a cache line.

use std::alloc::{self, Layout};
use std::fmt;
use std::ops::{Deref, DerefMut};

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::machine::{ALIGN, SharedMemory};
use crate::real::Real;

/// A slice of numbers whose first value is on a 64-byte boundary.
///
/// Parameters, gradients and activations are stored in buffers. They are allocated once and grow only on request, so that a
/// training step allocates nothing.
///
/// ```
/// use chainrule_tensor::Buffer;
/// let mut x = Buffer::<f32>::zeros(6);
/// x[4] = 1.0;
/// assert_eq!(x.matrix(2, 3)[[1, 1]], 1.0);
/// assert_eq!(x.as_ptr() as usize % 64, 0);
/// ```
pub struct Buffer<T> {
    storage: Storage<T>,
    start: usize,
    len: usize,
}

/// Where the values of a buffer are.
enum Storage<T> {
    /// Longer than the buffer, to contain a 64-byte boundary; never reallocated in place.
    Own(Vec<T>),
    /// In memory that other processes use as well, from its beginning on.
    Shared(SharedMemory),
}

impl<T: Real> Buffer<T> {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        if len == 0 {
            return Self::default();
        }
        Self::of(vec![T::zero(); len + ALIGN / size_of::<T>()], len)
    }

    /// As [`zeros`](Self::zeros), or `None` if the system does not have that much memory, with which `zeros` ends the program.
    ///
    /// A system that promises more memory than it has (Linux may) can still end the program when the memory is written to.
    pub fn try_zeros(len: usize) -> Option<Self> {
        if len == 0 {
            return Some(Self::default());
        }
        let capacity = len.checked_add(ALIGN / size_of::<T>())?;
        let layout = Layout::array::<T>(capacity).ok()?;
        // SAFETY: the layout is not empty.
        let values = unsafe { alloc::alloc_zeroed(layout) }.cast::<T>();
        if values.is_null() {
            return None;
        }
        // SAFETY: a `Vec`'s allocator allocated this memory, for exactly this number of values. Its bytes are 0, and so are the
        // numbers: `T` is `f32` or `f64`, since `Real` cannot be implemented elsewhere.
        let storage = unsafe { Vec::from_raw_parts(values, capacity, capacity) };
        Some(Self::of(storage, len))
    }

    /// The first `len` values of `storage` from a 64-byte boundary on.
    fn of(storage: Vec<T>, len: usize) -> Self {
        let start = storage.as_ptr().align_offset(ALIGN);
        Self { storage: Storage::Own(storage), start, len }
    }

    /// `len` values in memory that other processes use as well, with what is in it.
    ///
    /// # Panics
    ///
    /// If the memory is shorter than that.
    pub fn in_shared(memory: SharedMemory, len: usize) -> Self {
        assert!(
            len <= memory.len() / size_of::<T>(),
            "shared memory of {} bytes has no {len} values",
            memory.len()
        );
        Self { storage: Storage::Shared(memory), start: 0, len }
    }

    /// Makes the buffer at least `len` values long. If it has to grow, its values are lost; otherwise it is unchanged.
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
        // SAFETY: the slice has exactly these values, and lives as long as the view.
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
        // SAFETY: the slice has exactly these values, lives as long as the view, and is borrowed by it alone.
        unsafe { ArrayViewMut2::from_shape_ptr((rows, columns), values.as_mut_ptr()) }
    }
}

#[inline]
fn count(rows: usize, columns: usize) -> usize {
    rows.checked_mul(columns).expect("a matrix of more values than can be counted")
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self { storage: Storage::Own(Vec::new()), start: 0, len: 0 }
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
        match &self.storage {
            Storage::Own(values) => &values[self.start..self.start + self.len],
            // SAFETY: the memory is aligned for any number, has so many, and is used by this buffer alone, or by other processes while it is not
            // used here (`SharedMemory::new`). Any bytes are a number: `T` is `f32` or `f64`, since only a `Real` gets into shared memory.
            Storage::Shared(memory) => unsafe {
                std::slice::from_raw_parts(memory.as_ptr().cast(), self.len)
            },
        }
    }
}

impl<T> DerefMut for Buffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.storage {
            Storage::Own(values) => &mut values[self.start..self.start + self.len],
            // SAFETY: as in `deref`, and the buffer is borrowed by the caller alone.
            Storage::Shared(memory) => unsafe {
                std::slice::from_raw_parts_mut(memory.as_ptr().cast(), self.len)
            },
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

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

    #[test]
    fn memory_that_is_shared_is_a_buffer_too() {
        let mut owner = Buffer::<f64>::zeros(100);
        let start = std::ptr::NonNull::new(owner.as_mut_ptr()).unwrap().cast();
        // SAFETY: the memory has so many bytes, and nothing else uses it before `owner` is read again, when the buffers are gone.
        let all = unsafe { SharedMemory::new(start, 800, std::sync::Arc::new(())) };
        let (first, second) = all.split_at(100);
        assert_eq!((first.len(), second.len()), (128, 672));
        let (mut a, mut b) = (Buffer::<f32>::in_shared(first, 32), Buffer::<f64>::in_shared(second, 84));
        assert_eq!((a.len(), b.as_ptr() as usize % ALIGN), (32, 0));
        (a[0], b[83]) = (1.0, 2.0);
        let mut copy = b.clone();
        copy[83] = 3.0;
        b.reserve(50);
        assert_eq!((b[83], copy[83]), (2.0, 3.0));
        // One that has to grow is elsewhere then.
        b.reserve(85);
        b[83] = 4.0;
        assert!(Buffer::<f64>::in_shared(SharedMemory::default(), 0).is_empty());
        drop((a, b));
        assert_eq!((owner[0].to_bits() as u32, owner[99]), (1f32.to_bits(), 2.0));
    }

    #[test]
    fn too_much_memory_is_no_buffer() {
        let mut buffer = Buffer::<f32>::try_zeros(1000).unwrap();
        assert_eq!((buffer.as_ptr() as usize % ALIGN, buffer.len()), (0, 1000));
        assert!(buffer.iter().all(|&value| value == 0.0));
        buffer[999] = 1.0;
        assert_eq!(buffer.clone()[999], 1.0);
        assert!(Buffer::<f64>::try_zeros(0).is_some_and(|buffer| buffer.is_empty()));
        // More than the address space, than a layout may have, and than can be counted.
        for len in [1 << 55, isize::MAX as usize / 4, usize::MAX / 4, usize::MAX] {
            // An allocation that is not used would be optimised away, and its failure with it.
            assert!(black_box(Buffer::<f32>::try_zeros(len)).is_none(), "{len}");
            assert!(black_box(Buffer::<f64>::try_zeros(len)).is_none(), "{len}");
        }
    }
}
