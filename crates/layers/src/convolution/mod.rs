//! The convolutions, over signals, images and volumes.
//!
//! All are one linear map, its adjoint and its gradient, in `correlation.rs`; a layer says which is its forward pass.

mod conv;
mod copied;
mod correlation;
mod depthwise;
mod lowering;
mod overlapped;
mod separable;
mod settings;
mod transposed;
mod unfold;
mod window;

pub use conv::{Conv, Conv1d, Conv2d, Conv3d};
pub use depthwise::{DepthwiseConv, DepthwiseConv1d, DepthwiseConv2d};
pub use separable::{SeparableConv, SeparableConv1d, SeparableConv2d};
pub use transposed::{ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use unfold::{Fold, Unfold};
pub use window::Padding;
