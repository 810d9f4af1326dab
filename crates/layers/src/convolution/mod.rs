//! Convolutions over signals, images and volumes.
//!
//! All of them are one linear map, its adjoint and its gradient, in `algorithm.rs`; a layer says which of them is its forward pass.

mod algorithm;
mod by_channel;
mod cache;
mod channels;
mod conv;
mod conv_shape;
mod depthwise;
mod im2col;
mod implicit_im2col;
mod patches;
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
