//! Memory on the stack that takes no time to fill.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

/// A few values on the stack, without the time to fill what is not used.
pub(super) struct List<V, const N: usize> {
    values: [MaybeUninit<V>; N],
    len: usize,
}

impl<V: Copy, const N: usize> List<V, N> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { values: [const { MaybeUninit::uninit() }; N], len: 0 }
    }

    /// Replaces all by `len` values.
    ///
    /// # Panics
    ///
    /// If there are more than `N`.
    #[inline(always)]
    pub(super) fn fill(&mut self, len: usize, value: impl Fn(usize) -> V) {
        for (index, to) in self.values[..len].iter_mut().enumerate() {
            to.write(value(index));
        }
        self.len = len;
    }

    /// Appends a value.
    ///
    /// # Panics
    ///
    /// If there are `N` already.
    #[inline(always)]
    pub(super) fn push(&mut self, value: V) {
        self.values[self.len].write(value);
        self.len += 1;
    }
}

impl<V, const N: usize> Deref for List<V, N> {
    type Target = [V];

    #[inline(always)]
    fn deref(&self) -> &[V] {
        // SAFETY: so many values have been written.
        unsafe { std::slice::from_raw_parts(self.values.as_ptr().cast(), self.len) }
    }
}

impl<V, const N: usize> DerefMut for List<V, N> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [V] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.values.as_mut_ptr().cast(), self.len) }
    }
}

/// Memory that begins with a cache line.
#[repr(align(64))]
pub(super) struct Aligned<T, const N: usize>([MaybeUninit<T>; N]);

impl<T, const N: usize> Aligned<T, N> {
    pub(super) const UNINIT: Self = Self([const { MaybeUninit::uninit() }; N]);

    pub(super) fn as_mut_ptr(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }
}
