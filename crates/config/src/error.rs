//! Configurations that cannot be used.

use std::io;
use std::path::PathBuf;

use chainrule::core::DescriptionError;
use chainrule::data::SplitError;
use chainrule::data::cifar::CifarError;
use chainrule::data::idx::IdxError;
use chainrule::interop::WeightFileError;
use chainrule::pictures::PictureError;
use chainrule::tables::{PreparationError, TableError};
use chainrule::train::file::FileError;
use chainrule::train::{ModelError, PredictError, TrainError};

use crate::location::Location;

/// A configuration, or a model made with one, that cannot be used: where, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `"read"` or `"write"`.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The text is no TOML.
    #[error("{at}: {message}")]
    Syntax {
        /// Where.
        at: Location,
        /// What is wrong.
        message: String,
    },
    /// There is no such key.
    #[error("{at}: there is no `{key}`; the nearest is `{nearest}`, and there may be {known}")]
    Key {
        /// Where.
        at: Location,
        /// The key, after those of the tables that it is in.
        key: String,
        /// The most similar key that there is.
        nearest: &'static str,
        /// All keys.
        known: String,
    },
    /// A key that there has to be is missing.
    #[error("{at}: `{key}` is missing: give {what}")]
    Missing {
        /// Where.
        at: Location,
        /// The key.
        key: String,
        /// What it is.
        what: &'static str,
    },
    /// A value is not what it may be.
    #[error("{at}: `{key}` is {found}, but must be {allowed}")]
    Value {
        /// Where.
        at: Location,
        /// The key.
        key: String,
        /// The value.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// What is described cannot be built.
    #[error("{at}: `{key}`")]
    Description {
        /// Where.
        at: Location,
        /// The key.
        key: String,
        /// Why.
        source: Box<DescriptionError>,
    },
    /// Things that do not fit each other.
    #[error("{at}: {problem}")]
    Contradiction {
        /// Where.
        at: Location,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// The layers make no model for the data.
    #[error("{at}: the layers do not fit samples of shape {input}")]
    Model {
        /// Where.
        at: Location,
        /// The shape of a sample.
        input: String,
        /// Why.
        source: Box<ModelError>,
    },
    /// The data cannot be divided as the configuration says.
    #[error("{at}: the data cannot be divided so")]
    Split {
        /// Where.
        at: Location,
        /// Why.
        source: SplitError,
    },
    /// Data that do not fit a model or its configuration.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file or directory.
        path: PathBuf,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// A model without what a prediction needs.
    #[error(
        "{}: {problem}; evaluate, predict and resume need a file that `chainrule train` has written", path.display()
    )]
    NotConfigured {
        /// The file of the model.
        path: PathBuf,
        /// What it lacks.
        problem: String,
    },
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A table cannot be prepared.
    #[error(transparent)]
    Preparation(#[from] PreparationError),
    /// Pictures cannot be read.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// IDX files cannot be read.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// Files of CIFAR cannot be read.
    #[error(transparent)]
    Cifar(#[from] CifarError),
    /// Arrays cannot be read.
    #[error(transparent)]
    Arrays(#[from] WeightFileError),
    /// A model file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A training or an evaluation fails.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A model cannot predict for the samples.
    #[error(transparent)]
    Predict(#[from] PredictError),
}
