//! What can go wrong in a training.

use chainrule_data::BatchError;
use chainrule_losses::TargetError;
use chainrule_optim::SettingError;
use chainrule_tensor::Shape;

use crate::model::file::FileError;

/// A training that cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The batch size is 0, or there are no samples.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A setting of the optimizer, its schedule or the loss cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The data set's samples are not the model's.
    #[error(
        "the samples have the shape {samples}, but the model was planned for {model}: plan it for the data's shape, or reshape the data"
    )]
    Shape {
        /// The shape of the data set's samples.
        samples: Shape,
        /// The shape that the model takes.
        model: Shape,
    },
    /// A target does not fit the model's output.
    #[error("sample {sample}, in batch {batch}, does not fit the model's {columns} outputs: {source}")]
    Target {
        /// Which batch of the epoch, from 0.
        batch: usize,
        /// Which sample of the data set, from 0.
        sample: usize,
        /// How many outputs the model has.
        columns: usize,
        /// What is wrong with it.
        source: TargetError,
    },
    /// A sample has a value that the model's first layer cannot take.
    #[error("sample {sample}, in batch {batch}, is not for this model: {source}")]
    Value {
        /// Which batch of the epoch, from 0.
        batch: usize,
        /// Which sample of the data set, from 0.
        sample: usize,
        /// What is wrong with it.
        source: chainrule_core::ValueError,
    },
    /// The model carries a state from each row of a batch to that of the next, which these batches do not allow, in
    /// training or in an evaluation.
    #[error(
        "the model carries states from batch to batch: switch shuffling off, and make the batch size, {batch_size}, divide the number of samples, {samples}, to train and to evaluate"
    )]
    Carried {
        /// How many samples there are.
        samples: usize,
        /// How many a batch has.
        batch_size: usize,
    },
    /// The loss is infinite or not a number.
    #[error("the loss became {loss} in epoch {} at batch {batch}: take a smaller learning rate, clip the gradients, or look for values in the data that are not finite", epoch + 1)]
    Diverged {
        /// Which epoch, from 0.
        epoch: u64,
        /// Which batch of the epoch, from 0.
        batch: usize,
        /// What the loss became.
        loss: f64,
    },
    /// The number of shards or of threads is 0.
    #[error("the number of {0} is 0: choose at least 1")]
    Zero(&'static str),
    /// The threads could not be started.
    #[error("the threads could not be started: {0}; ask for fewer with `threads`")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// There is no memory for something that the trainer keeps.
    #[error(
        "the training takes {bytes} bytes for {what}, more than the system has memory for: choose a smaller model, fewer shards or another optimizer; `Model::training_bytes` counts beforehand"
    )]
    Memory {
        /// For what.
        what: &'static str,
        /// How many bytes that takes.
        bytes: usize,
    },
    /// A checkpoint does not fit this trainer.
    #[error("the checkpoint is of another training: {0}")]
    Checkpoint(String),
    /// A checkpoint could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
