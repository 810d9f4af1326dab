//! Optimizers that multiply the gradient of a parameter as a matrix.
//!
//! For [`Muon`], a weight `[inputs, units]` is one, and so is a kernel `[channels, ...]` of a convolution, with its first axis as
//! rows; for [`Kfac`], the weight of a dense layer. [`Shampoo`] and [`Soap`] have a matrix for each axis. Roots, bases and inverses
//! are computed here, so that they are the same in builds with and without LAPACK.

mod axes;
mod eigen;
mod inverse;
mod inverse_root;
mod kfac;
mod muon;
mod orthonormal;
mod reflections;
mod shampoo;
mod soap;

pub use kfac::*;
pub use muon::*;
pub use shampoo::*;
pub use soap::*;

use ndarray::{ArrayView2, ArrayViewMut2};

/// Values as rows of this size.
fn rows_of<T>(values: &[T], columns: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((values.len() / columns, columns), values).expect("whole rows")
}

/// Values as rows of this size.
fn rows_of_mut<T>(values: &mut [T], columns: usize) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((values.len() / columns, columns), values).expect("whole rows")
}
