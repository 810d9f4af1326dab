//! Optimizers that take the gradient of a weight for a matrix.
//!
//! A weight `[inputs, units]` is one, and so is a kernel `[channels, ...]` of a convolution, with its first axis as rows. All they
//! need are matrix products, so they are the same in builds with and without LAPACK.

mod muon;

pub use muon::*;

use ndarray::{ArrayView2, ArrayViewMut2};

/// Values as rows of this size.
fn rows_of<T>(values: &[T], columns: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((values.len() / columns, columns), values).expect("whole rows")
}

/// Values as rows of this size.
fn rows_of_mut<T>(values: &mut [T], columns: usize) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((values.len() / columns, columns), values).expect("whole rows")
}
