//! Settings that are one number for all axes, or one for each.

use chainrule_core::Entry;

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

/// The title, the name and the aliases of a layer for one number of axes.
pub(crate) type NameOfAxes = (&'static str, &'static str, &'static [&'static str]);

/// The entry of a layer for `N` axes, whose names for one, two and three axes are these.
pub(crate) const fn entry_of_axes<const N: usize>(entry: Entry, names: &[NameOfAxes]) -> Entry {
    if N == 0 || N > names.len() {
        return entry;
    }
    let (title, name, aliases) = names[N - 1];
    Entry { title, name, aliases, ..entry }
}
