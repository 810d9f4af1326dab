//! Settings that are one number for all axes, or one for each.

/// A number for each of `N` spatial axes: a `usize` stands for the same number on all of them.
pub trait Axes<const N: usize> {
    /// The numbers, first axis first.
    fn axes(self) -> [usize; N];
}

impl<const N: usize> Axes<N> for usize {
    fn axes(self) -> [usize; N] {
        [self; N]
    }
}

impl<const N: usize> Axes<N> for [usize; N] {
    fn axes(self) -> [usize; N] {
        self
    }
}
