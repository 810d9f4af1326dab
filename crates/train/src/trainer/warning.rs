//! What a trainer says of settings and data that work, but are probably not meant.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::audit::AuditFinding;
use crate::model::file::FileError;

/// Something that works, but is probably not meant. A trainer writes it to standard error, once, and keeps it in
/// [`Trainer::warnings`](crate::Trainer::warnings).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrainWarning {
    /// A batch is larger than the data set.
    LargeBatch {
        /// The batch size.
        batch_size: usize,
        /// The number of samples.
        samples: usize,
    },
    /// The number of epochs is 0.
    NoEpochs,
    /// The model was trained on samples of an evaluation.
    SeenSamples {
        /// The number of training samples.
        trained: usize,
        /// The number of samples of the evaluation.
        evaluated: usize,
    },
    /// More processes train together than a batch has shards, so some have no rows of it.
    IdleProcesses {
        /// The number of processes.
        processes: usize,
        /// The number of shards of a batch.
        shards: usize,
    },
    /// The audit has found something: see [`Trainer::audit`](crate::Trainer::audit).
    Audit(AuditFinding),
    /// A checkpoint, a model or a log could not be written; the training goes on.
    NotSaved {
        /// What could not be written, and why.
        reason: String,
    },
    /// The newest checkpoint could not be used, and an older one was.
    OlderCheckpoint {
        /// What is wrong with the newer one.
        reason: String,
        /// The file that was used.
        used: PathBuf,
    },
}

impl TrainWarning {
    /// Something could not be written.
    pub fn not_saved(error: &(dyn Error + 'static)) -> Self {
        Self::NotSaved { reason: with_sources(error) }
    }

    /// This file was used, since a newer one has this fault.
    pub(super) fn passed_over(error: &FileError, used: &Path) -> Self {
        Self::OlderCheckpoint { reason: with_sources(error), used: used.to_owned() }
    }
}

/// What an error says, and what has caused it.
fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

impl fmt::Display for TrainWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LargeBatch { batch_size, samples } => write!(
                f,
                "the batch size, {batch_size}, is more than the number of samples, {samples}: each epoch is a single step with all of them; choose a batch size of at most {samples}"
            ),
            Self::NoEpochs => {
                write!(f, "the number of epochs is 0: the model is not trained; choose at least 1")
            }
            Self::SeenSamples { trained, evaluated } => {
                if trained == evaluated {
                    write!(
                        f,
                        "the evaluation has the same {evaluated} samples as the training, or many of them: "
                    )?;
                } else {
                    write!(
                        f,
                        "the {trained} training samples contain the {evaluated} of the evaluation, or many: "
                    )?;
                }
                write!(
                    f,
                    "the scores do not show how the model does on new samples; check the files, or split the data before the training"
                )
            }
            Self::IdleProcesses { processes, shards } => write!(
                f,
                "{} of {processes} processes have no rows, since a batch is cut into {shards} shard{}: choose a larger batch or more shards, which are part of the result, or fewer processes",
                processes - shards,
                if *shards == 1 { "" } else { "s" }
            ),
            Self::Audit(finding) => finding.fmt(f),
            Self::NotSaved { reason } => {
                write!(f, "{reason}; the training goes on, and what was saved before is kept")
            }
            Self::OlderCheckpoint { reason, used } => {
                write!(f, "{reason}; the training goes on from {}, which is older", used.display())
            }
        }
    }
}

/// Warns once if this is a debug build, which is much slower than a user who waits for it would guess.
pub(super) fn warn_if_debug() {
    static WARNED: std::sync::Once = std::sync::Once::new();
    if cfg!(debug_assertions) {
        WARNED.call_once(|| write("this is a debug build, many times slower: build with --release"));
    }
}

/// Writes to standard error. If that is closed, it is no error.
pub(super) fn write(warning: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "warning: {warning}");
}
