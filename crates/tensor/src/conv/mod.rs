//! The loops and products that convolutions and poolings are made of.
//!
//! A convolution is a product with the matrix of patches of an image, which has a row for each channel and weight of the kernel
//! and a column for each position. [`im2col`] copies the image into that matrix and [`col2im`] is its adjoint;
//! [`ImplicitWindows`] multiplies with it where its rows overlap in memory, so that one axis of the kernel takes no copies.
//! [`pool2x2`] halves images.

mod im2col;
#[cfg(target_arch = "x86_64")]
pub(crate) mod im2col_avx512;
mod implicit_im2col;
pub mod pool2x2;

pub use crate::simd::operands::{ImplicitWindows, Init, Rectangle, Rectangles};
pub use im2col::{col2im, im2col};
