//! Trainings that are described in a file: from data and a configuration in TOML to a model that predicts for other files.
//!
//! The decision here: **everything that a training is, is in one text, and everything that a prediction needs, is in the model's file.**
//! A [`Configuration`] names data, preparation, layers, loss, metrics, optimizer and schedule, all by the names of a registry; reading it
//! checks all that can be checked without the data, and errors say the line, the column, what is allowed, and the nearest name. The model
//! that comes of it holds the configuration, what was learnt about the columns of its table, and the names of the classes, as notes
//! ([`chainrule::train::Model::note`]).
//!
//! ```
//! use chainrule_config::{ConfiguredModel, Configuration, LoadedSamples, TrainingJob, configuration_for, noted};
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("plants.csv");
//! # let rows: String = (0..120).map(|row| format!("{},{},{}\n", row % 7, ["clay", "sand"][row % 2], ["oak", "elm"][row % 2])).collect();
//! # std::fs::write(&path, format!("height,soil,species\n{rows}"))?;
//! let registry = chainrule::registry();
//!
//! // What fits the data, as a text with comments, to be edited.
//! let text = configuration_for(&path, &path, &[""; 0])?;
//! let configuration = Configuration::from_text("plants.toml", &text, &["epochs=3"], &registry)?;
//!
//! let data = configuration.load_data(&registry)?;
//! let model = noted(configuration.model(&registry, data.shape())?, &configuration, &data);
//! let LoadedSamples::Classes(parts) = data.samples else { panic!("species are classes") };
//! let mut job = TrainingJob::new(&configuration, &registry, model, data.predicts, parts)?;
//! job.fit()?;
//! let trained = job.finish()?;
//! println!("{}", trained.train.scores);
//!
//! # let saved = directory.path().join("plants.chainrule");
//! trained.model.save(&saved)?; // and another day:
//! let model = ConfiguredModel::load(&saved, &registry)?;
//! # let new = directory.path().join("new.csv");
//! # std::fs::write(&new, "soil,height\nsand,3\n")?;
//! let predictions = model.predict(&new, &registry)?;
//! predictions.write_csv(&mut std::io::stdout())?;
//! # assert_eq!(predictions.outputs()[0].names(), ["elm", "oak"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The program `chainrule` is made of this: `chainrule init`, `train`, `evaluate`, `predict`.
#![doc(html_root_url = "https://docs.rs/chainrule-config/latest")]

mod array_section;
mod augment;
mod build;
mod changes;
mod checkpoint_interval;
mod class_weights;
mod configuration;
mod data_section;
mod draw;
mod error;
mod evaluation;
pub mod families;
mod in_units;
mod init;
mod job;
mod load;
mod location;
mod node;
mod optimizer;
mod output_section;
mod predict;
mod predictions;
mod preparation_section;
mod row_weighted;
mod saved;
mod section;
mod series_section;
mod several_outputs;
mod side_by_side;
mod split_section;
mod stopping_section;
mod targets;
mod viewed_metric;

pub use array_section::ArraySection;
#[doc(hidden)]
pub use build::Objective;
pub use checkpoint_interval::{CheckpointInterval, seconds};
pub use class_weights::ClassWeights;
pub use configuration::Configuration;
pub use data_section::{DataSection, DataSource, PictureSection, TableSection};
pub use error::ConfigError;
pub use evaluation::{Confusion, Evaluated, Evaluation};
pub use init::configuration_for;
pub use job::{TrainedModel, TrainingJob};
pub use load::{DataParts, LoadedData, LoadedSamples, SharedSamples};
pub use location::{Located, Location};
pub use optimizer::{Rate, scheduled_optimizer, with_rate};
pub use output_section::OutputSection;
pub use predictions::{OutputPredictions, PredictionKind, Predictions};
pub use preparation_section::PreparationSection;
pub use saved::{ConfiguredModel, configuration_of, noted};
pub use several_outputs::OutputColumns;
pub use side_by_side::{StopSignal, side_by_side};
pub use split_section::{HeldOut, SplitMethod, SplitSection};
pub use stopping_section::StoppingSection;
pub use targets::{LearntTarget, PredictedOutput, PredictedTargets};

// The program of the README is tested as documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
