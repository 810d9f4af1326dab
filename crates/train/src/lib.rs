//! Models and their training: the only crate that knows all the others.
//!
//! The decision here: **data parallelism is the trainer's alone.** A batch is cut into a fixed number of
//! shards; each shard runs the whole forward and backward pass on one thread with single-threaded matrix
//! products, and the shards' gradients are summed in order. The number of shards is a setting and the number
//! of threads is not part of any result, so training gives the same bits on one thread and on many, and
//! layers, losses and optimizers need not know that threads exist.
//!
//! - [`Model`] is a network with its parameters; it predicts, prints a summary, and is saved and loaded.
//! - [`Predictor`] predicts again and again with the same memory, and carries states from call to call.
//! - [`Trainer`] brings a model, a loss and an optimizer together, and fits them to a data set.
//! - [`Callback`] watches and can stop a training; a closure is one.

mod ahead;
mod callback;
mod descent;
mod error;
pub mod file;
mod history;
mod lead;
mod memory;
mod model;
mod pieces;
mod predictor;
mod rows;
mod shard;
mod summary;
mod threads;
mod trainer;

pub use callback::{Callback, Event};
pub use error::TrainError;
pub use file::FileError;
pub use history::{EpochReport, Evaluation, History, Scores};
pub use memory::TrainingBytes;
pub use model::{Model, ModelError, PredictError};
pub use predictor::Predictor;
pub use summary::Summary;
pub use trainer::Trainer;
