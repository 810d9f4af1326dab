//! Shapes: layers that rearrange values, and compute little or nothing.
//!
//! Planning a large sample takes no longer than planning a small one: the tables that the passes use are computed in the
//! first pass.

mod border;
mod flatten;
mod offsets;
mod padding;
mod permute;
mod rearrangement;
mod repeat_vector;
mod reshape;
mod shuffle;
mod unflatten;
mod upsampling;

pub use flatten::Flatten;
pub use padding::{
    CircularPadding1d, CircularPadding2d, CircularPadding3d, ConstantPadding1d, ConstantPadding2d,
    ConstantPadding3d, Cropping, Cropping1d, Cropping2d, Cropping3d, Pad, ReflectionPadding1d,
    ReflectionPadding2d, ReflectionPadding3d, ReplicationPadding1d, ReplicationPadding2d,
    ReplicationPadding3d, Sides, ZeroPadding1d, ZeroPadding2d, ZeroPadding3d,
};
pub use permute::Permute;
pub use repeat_vector::RepeatVector;
pub use reshape::Reshape;
pub use shuffle::{ChannelShuffle, PixelShuffle, PixelUnshuffle};
pub use unflatten::Unflatten;
pub use upsampling::{
    BilinearUpSampling2d, LinearUpSampling, LinearUpSampling1d, TrilinearUpSampling3d, UpSampling,
    UpSampling1d, UpSampling2d, UpSampling3d,
};
