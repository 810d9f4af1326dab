//! What can go wrong in a training.

use chainrule_core::{SettingError, ValueError};
use chainrule_data::BatchError;
use chainrule_losses::TargetError;
use chainrule_tensor::Shape;
use rayon_core::ThreadPoolBuildError;

use super::suspects::{Quantity, Suspects};
use crate::group::GroupError;
use crate::model::file::FileError;

/// A training that cannot start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The batch size is 0, or there are no samples.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A setting of the optimizer, its schedule, the loss or a metric is invalid, or a metric contradicts the loss.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The data set's samples do not have the shape that the model was planned for.
    #[error(
        "the samples have the shape {samples}, but the model was planned for {model}: plan it for the data's shape, or reshape the data"
    )]
    Shape {
        /// The shape of the data set's samples.
        samples: Shape,
        /// The shape of the model's input.
        model: Shape,
    },
    /// A target does not fit the model's output, or the loss or a metric is not defined for it.
    #[error("sample {sample}, in batch {batch}, {}", target_problem(source, *columns))]
    Target {
        /// The batch of the epoch, from 0.
        batch: usize,
        /// The sample of the data set, from 0.
        sample: usize,
        /// The number of the model's outputs.
        columns: usize,
        /// What is wrong with the target.
        source: TargetError,
    },
    /// A sample has a value that the model's first layer does not accept.
    #[error("sample {sample}, in batch {batch}, has a value that the model does not accept")]
    Value {
        /// The batch of the epoch, from 0.
        batch: usize,
        /// The sample of the data set, from 0.
        sample: usize,
        /// What is wrong with the value.
        source: ValueError,
    },
    /// The model is stateful: each row of a batch continues the same row of the batch before. These batches do not allow that,
    /// in training or in an evaluation.
    #[error(
        "the model carries states from batch to batch: switch shuffling off, and choose a batch size, now {batch_size}, that divides the number of samples, {samples}, for training and for evaluation"
    )]
    Stateful {
        /// The number of samples.
        samples: usize,
        /// The number of samples in a batch.
        batch_size: usize,
    },
    /// A layer normalises over the batch, and a batch has a single sample, with a single value of what is normalised.
    #[error(
        "layer {layer} normalises over a batch, but of {samples} samples in batches of {batch_size}, {} a single one, in which there is nothing to normalise: choose another batch size, or leave a sample out",
        if *batch_size == 1 { "each batch has" } else { "the last batch has" }
    )]
    SingleSample {
        /// The path of the layer.
        layer: String,
        /// The number of samples.
        samples: usize,
        /// The number of samples in a batch.
        batch_size: usize,
    },
    /// The loss of a batch is infinite or NaN, or that of one of its samples is. The step was not taken: the model and the
    /// optimizer's state are as the step before left them.
    #[error(
        "the loss is {loss} in epoch {} at batch {batch}, whose step was not taken: {}",
        epoch + 1,
        blame(suspects, "lower the learning rate, clip the gradients, or check the data for values that are not finite")
    )]
    Diverged {
        /// The epoch, from 0.
        epoch: u64,
        /// The batch of the epoch, from 0.
        batch: usize,
        /// The mean loss of the batch.
        loss: f64,
        /// The samples that have such a loss, if not all of the batch have.
        suspects: Suspects,
    },
    /// A step with a finite loss would have made the model infinite or NaN. It was not taken: the model and the optimizer's state
    /// are as the step before left them.
    #[error(
        "{} in epoch {} at batch {batch}, whose step was not taken: {}",
        quantity.describe(parameter, *value),
        epoch + 1,
        blame(suspects, quantity.remedy())
    )]
    NotFinite {
        /// The epoch, from 0.
        epoch: u64,
        /// The batch of the epoch, from 0.
        batch: usize,
        /// What is not finite.
        quantity: Quantity,
        /// The name of the parameter that it belongs to.
        parameter: String,
        /// Its value: the first that was found.
        value: f64,
        /// The samples that cause it, if they are known and not all of the batch do.
        suspects: Suspects,
    },
    /// A sample could not be read from where it is: see [`Dataset::failure`](chainrule_data::Dataset::failure).
    #[error(
        "the data cannot be read any more, and what was trained or evaluated since then is not to be used: {0}"
    )]
    Unreadable(String),
    /// The number of shards or of threads is 0.
    #[error("the number of {0} is 0: choose at least 1")]
    Zero(&'static str),
    /// The threads could not be started.
    #[error("cannot start the threads: choose fewer with `threads`")]
    Threads(#[from] ThreadPoolBuildError),
    /// There is not enough memory for something that the trainer keeps.
    #[error(
        "the training takes {bytes} bytes for {what}, more than the system has memory for: use a smaller model, smaller batches, fewer shards or another optimizer; `Model::training_bytes` estimates what a training takes"
    )]
    Memory {
        /// What the memory is for.
        what: &'static str,
        /// How many bytes it takes.
        bytes: usize,
    },
    /// A checkpoint does not fit this trainer.
    #[error("the checkpoint is of another training: {0}")]
    Checkpoint(String),
    /// A checkpoint could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The processes of a group cannot train together, or not any longer.
    #[error(transparent)]
    Group(#[from] GroupError),
}

/// What a training or an evaluation has come to, unless its data could not be read.
pub(super) fn if_readable<R>(
    failure: Option<String>,
    result: Result<R, TrainError>,
) -> Result<R, TrainError> {
    match failure {
        Some(failure) => Err(TrainError::Unreadable(failure)),
        None => result,
    }
}

/// What is wrong with a sample whose target cannot be used.
fn target_problem(source: &TargetError, columns: usize) -> String {
    let mut cause = source;
    while let TargetError::Step { source, .. } = cause {
        cause = source;
    }
    match cause {
        TargetError::Value { .. } | TargetError::NoClass { .. } => "has a target that cannot be used".into(),
        _ => format!("does not fit the model's {columns} outputs"),
    }
}

/// The samples that are to blame and what to do with them, or a remedy where none is known.
fn blame(suspects: &Suspects, remedy: &str) -> String {
    if suspects.samples.is_empty() {
        return remedy.to_owned();
    }
    format!("{suspects}; correct what is wrong in the data, or leave it out")
}
