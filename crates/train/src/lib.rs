//! Models and their training: the only crate that knows all the others.
//!
//! ```
//! use chainrule_core::Sequential;
//! use chainrule_data::digits;
//! use chainrule_layers::{Dense, Flatten, Relu};
//! use chainrule_losses::CrossEntropy;
//! use chainrule_metrics::Accuracy;
//! use chainrule_optim::adam;
//! use chainrule_tensor::Seed;
//! use chainrule_train::{Fit, Model, Trainer};
//!
//! let (train, test) = (digits(1000, Seed(1)), digits(200, Seed(2)));
//! let layers = Sequential::new().then(Flatten).then(Dense::new(64)).then(Relu).then(Dense::new(10));
//! let model = Model::new([28, 28], layers, Seed(0))?;
//! let mut trainer = Trainer::new(model, CrossEntropy, adam(1e-2)).metric(Accuracy);
//! let history = trainer.fit(&train, Fit::epochs(3).validation(&test))?;
//! for report in &history.epochs {
//!     println!("epoch {}: {}", report.epoch + 1, report.train);
//! }
//! let scores = trainer.evaluate(&test)?;
//! assert!(scores.metric("accuracy") > Some(0.5), "{scores}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Model`] is a network with its parameters; it predicts, prints a summary, and is saved and loaded.
//! - [`Predictor`] predicts again and again in the same memory, and carries states from call to call.
//! - [`Trainer`] brings a model, a loss and an optimizer together, and fits the model to data.
//! - [`Callback`] watches a training and can stop it; a closure is one, and [`callbacks`] has early stopping, checkpoints and logs.
//! - [`Trainer::audit`] finds what keeps a training from learning, in its first steps.
//! - [`Trainer::resume_or_start`] goes on with a training that was interrupted at any moment, with the same bits.
//!
//! The decision here: **data parallelism is the trainer's alone.** A batch is cut into a fixed number of shards; each shard
//! runs the whole forward and backward pass on one thread with single-threaded matrix products, and the shards' gradients are
//! summed in order. The number of shards is a setting, and the number of threads is no part of any result, so training gives
//! the same bits on one thread and on many, and layers, losses and optimizers need not know that threads exist.
#![doc(html_root_url = "https://docs.rs/chainrule-train/latest")]

mod audit;
pub mod callbacks;
mod engine;
mod group;
mod model;
mod numbers;
mod rate_finder;
mod trainer;

pub use audit::{Audit, AuditFinding, Fault};
pub use group::{Difference, Group, GroupError, Lender, Lending, ThreadGroup};
pub use model::{FileError, Model, ModelError, PredictError, Predictor, Summary, TrainingBytes, file};
pub use rate_finder::{RateCurve, RateFinder, RatePoint};
pub use trainer::{
    Callback, Checkpoint, EpochReport, Event, Fit, History, LayerTime, Quantity, RunningMetrics, Scores,
    Snapshot, Suspects, Traffic, TrainError, TrainWarning, Trainer, TrainerView, WeightSizes,
};
