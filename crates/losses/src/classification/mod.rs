//! Losses of classes and of labels.

mod bce_loss;
mod binary_cross_entropy;
mod binary_focal;
mod categorical_focal;
mod cross_entropy;
mod focal;
mod generalized_cross_entropy;
mod log_softmax;
mod nll;
mod poly;
mod softmax;
mod sparsemax;

pub use bce_loss::BceLoss;
pub use binary_cross_entropy::BinaryCrossEntropy;
pub use binary_focal::BinaryFocal;
pub use categorical_focal::CategoricalFocal;
pub use cross_entropy::CrossEntropy;
pub use generalized_cross_entropy::CategoricalGeneralizedCrossEntropy;
pub(crate) use log_softmax::log_softmax;
pub use nll::Nll;
pub use poly::PolyCrossEntropy;
pub(crate) use softmax::of_values as softmax_of_values;
pub use sparsemax::{BinarySparsemax, Sparsemax};
