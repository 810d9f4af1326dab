//! Regularisation: layers that act only in training, to reduce overfitting.
//!
//! Most of them draw a random scale and shift for each value, channel or sample, `y = a x + b`, so that `dx = a dy`. Such a
//! layer says only which values share a draw, and what is drawn. The draws depend on the seed and on the index of the sample
//! in the batch, not on threads, and `backward` repeats them instead of storing them: two values share 64 random bits, and
//! the loop over them is vector instructions.

mod activity_regularization;
mod alpha_dropout;
mod drop_path;
mod dropout;
mod gaussian;
mod noise;
mod spatial_dropout;

pub use activity_regularization::ActivityRegularization;
pub use alpha_dropout::{AlphaDropout, FeatureAlphaDropout};
pub use drop_path::DropPath;
pub use dropout::Dropout;
pub use gaussian::{GaussianDropout, GaussianNoise};
pub use spatial_dropout::SpatialDropout;
