//! Layers that move values, and compute little or nothing.
//!
//! A plan takes as long for a large sample as for a small one: the tables that the passes go by are made in the first of them.

mod flatten;
mod moves;
mod padding;
mod permute;
mod reshape;
mod shuffle;
mod unflatten;
mod upsampling;

pub use flatten::Flatten;
pub use moves::{Moved, Moves, Runs};
pub use padding::{
    Around, Border, CircularPadding1d, CircularPadding2d, CircularPadding3d, ConstantPadding1d,
    ConstantPadding2d, ConstantPadding3d, Cropping, Cropping1d, Cropping2d, Cropping3d, Filled, Mirrored,
    Pad, ReflectionPadding1d, ReflectionPadding2d, ReflectionPadding3d, Repeated, ReplicationPadding1d,
    ReplicationPadding2d, ReplicationPadding3d, Sides, ZeroPadding1d, ZeroPadding2d, ZeroPadding3d, Zeros,
};
pub use permute::{Permute, RepeatVector};
pub use reshape::Reshape;
pub use shuffle::{ChannelShuffle, PixelShuffle, PixelUnshuffle};
pub use unflatten::Unflatten;
pub use upsampling::{
    BilinearUpSampling2d, Larger, LinearUpSampling, LinearUpSampling1d, Taps, TrilinearUpSampling3d,
    UpSampling, UpSampling1d, UpSampling2d, UpSampling3d,
};
