//! A network with its parameters, and what can be done with it besides training.

mod checksum;
mod contents;
mod difference;
pub(crate) mod encoding;
pub mod file;
mod footprint;
pub(crate) mod load;
#[expect(clippy::module_inception, reason = "each file is named after what it holds")]
pub(crate) mod model;
pub(crate) mod newest;
mod predictor;
mod summary;

pub use file::FileError;
pub use footprint::TrainingBytes;
pub use model::{Model, ModelError};
pub use predictor::{PredictError, Predictor};
pub use summary::Summary;
