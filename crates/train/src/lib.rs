//! Models and their training: the only crate that knows all the others.
//!
//! The decision here: **data parallelism is the trainer's alone.** A batch is cut into a fixed number of shards; each shard
//! runs the whole forward and backward pass on one thread with single-threaded matrix products, and the shards' gradients are
//! summed in order. The number of shards is a setting, and the number of threads is no part of any result, so training gives
//! the same bits on one thread and on many, and layers, losses and optimizers need not know that threads exist.
//!
//! - [`Model`] is a network with its parameters; it predicts, prints a summary, and is saved and loaded.
//! - [`Predictor`] predicts again and again in the same memory, and carries states from call to call.
//! - [`Trainer`] brings a model, a loss and an optimizer together, and fits them to a data set.
//! - [`Callback`] watches a training and can stop it; a closure is one.

mod engine;
mod model;
mod trainer;

pub use model::{FileError, Model, ModelError, PredictError, Predictor, Summary, TrainingBytes, file};
pub use trainer::{Callback, EpochReport, Event, History, Scores, TrainError, Trainer};
