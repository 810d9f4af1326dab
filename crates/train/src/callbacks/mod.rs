//! Callbacks that most trainings want.
//!
//! | | |
//! |---|---|
//! | [`EarlyStopping`] | stops when a loss or a metric no longer improves, and brings the best weights back |
//! | [`Checkpoints`] | writes what the training needs to go on after it was interrupted, by steps, time or epochs |
//! | [`ModelCheckpoint`] | saves the best model, the last one, or one every so many epochs |
//! | [`CsvLog`], [`JsonLinesLog`], [`TensorBoardLog`] | write losses and metrics to files |
//! | [`TimeLimit`] | stops after a time |
//!
//! ```
//! use chainrule_core::Sequential;
//! use chainrule_data::digits;
//! use chainrule_layers::{Dense, Flatten};
//! use chainrule_losses::CrossEntropy;
//! use chainrule_metrics::Accuracy;
//! use chainrule_optim::{adam, schedule::Better};
//! use chainrule_tensor::Seed;
//! use chainrule_train::callbacks::{CsvLog, EarlyStopping};
//! use chainrule_train::{Fit, Model, Trainer};
//!
//! # let directory = tempfile::tempdir()?;
//! let (train, validation) = (digits(300, Seed(1)), digits(100, Seed(2)));
//! let model = Model::new([28, 28], Sequential::new().then(Flatten).then(Dense::new(10)), Seed(0))?;
//! let mut trainer = Trainer::new(model, CrossEntropy, adam(1e-2))
//!     .metric(Accuracy)
//!     .callback(EarlyStopping::new(3).monitor("accuracy", Better::Max).restore_best())
//!     .callback(CsvLog::new(directory.path().join("log.csv")));
//! let history = trainer.fit(&train, Fit::epochs(20).validation(&validation))?;
//! let accuracy = |report: &chainrule_train::EpochReport| report.validation.as_ref()?.metric("accuracy");
//! let best = history.epochs.iter().filter_map(accuracy).fold(0.0, f64::max);
//! assert_eq!(trainer.evaluate(&validation)?.metric("accuracy"), Some(best));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What they have seen is part of a checkpoint: a training that is resumed stops, saves and logs as one that was not interrupted. A log
//! has no row twice and none is missing.

mod checkpoints;
mod csv_log;
mod early_stopping;
mod event_file;
mod json_lines_log;
mod log_file;
mod log_row;
mod model_checkpoint;
mod monitor;
mod tensor_board_log;
mod time_limit;

pub use checkpoints::Checkpoints;
pub use csv_log::CsvLog;
pub use early_stopping::EarlyStopping;
pub use json_lines_log::JsonLinesLog;
pub use model_checkpoint::ModelCheckpoint;
pub use tensor_board_log::TensorBoardLog;
pub use time_limit::TimeLimit;
