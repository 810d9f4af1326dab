//! Normalisation: layers that give values a fixed mean and variance, and wrappers that normalise a layer's weight.
//!
//! Formulas with a mean and a variance go through memory in few passes: one for the mean, one for the variance around it, and one
//! for the output; backward, one for two sums and one for all gradients. A mean is kept as two numbers, so that a large one costs no
//! precision, and no chain of additions grows with the size of the batch or of a sample.
//! A strided batch is copied first, so that its results have the same bits.

mod batch_norm;
mod group_norm;
mod instance_norm;
mod layer_norm;
mod local_response_norm;
mod normalized_axes;
mod reparametrization;
mod rms_norm;
mod row_blocks;
mod row_norm_cache;
mod scale_shift;
mod scratch;
mod spectral_norm;
mod statistics;
mod unit_norm;
mod weight_norm;
mod wide;

pub use batch_norm::BatchNorm;
pub use group_norm::GroupNorm;
pub use instance_norm::InstanceNorm;
pub use layer_norm::LayerNorm;
pub use local_response_norm::LocalResponseNorm;
pub use rms_norm::RmsNorm;
pub use spectral_norm::SpectralNorm;
pub use unit_norm::UnitNorm;
pub use weight_norm::WeightNorm;
