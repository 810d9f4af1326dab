//! Data sets: traits, readers, batches, a bundled set, and downloads.
//!
//! The decision here: **a sample is converted as it is written into the batch.** A data set is read one sample at a time,
//! by index, so images stay bytes in memory, shuffling moves only indices, and several threads can read at once. Whatever
//! comes from outside (files, servers) is checked before it is trusted: memory grows with what is there, not with what a
//! header claims, and errors name the file and the remedy.
//!
//! - [`Dataset`] and [`Samples`] are the traits; [`Images`], [`Rows`] and [`SparseRows`] are in memory; [`Subset`] is part of another,
//!   [`WithWeights`] gives the samples of another weights, [`ClassTargets`] its classes, and [`Drawn`] draws from another.
//! - [`text`] makes numbers of texts, by words or by pairs of bytes; [`Characters`] are windows of one.
//! - [`Windows`] cuts a series over time into samples, with what comes after each as its target.
//! - [`idx`] reads MNIST's format, [`cifar`] that of CIFAR, [`csv`] tables of numbers,
//!   [`svmlight`] sparse samples.
//! - [`augment`] changes pictures at random and mixes samples, in every epoch anew.
//! - [`ReadAhead`] reads the samples of another on threads of its own, ahead of the training.
//! - [`digits`] draws a bundled set of digits, which needs no network.
//! - [`Manifest`] lists what can be downloaded, `fetch` downloads it, [`locate`](locate::locate) finds it on this machine.
//! - [`Batches`] shuffles the samples and divides them into batches.
//! - [`split`] makes parts for training and test, folds for cross-validation, and weights of classes.
//! - [`output`] writes files, whole or not at all.
//!
//! The feature `download` adds an HTTPS client, [`Manifest`] and [`fetch`]; without it the crate reads only the files at hand.
#![doc(html_root_url = "https://docs.rs/chainrule-data/latest")]

pub mod augment;
mod batches;
mod characters;
pub mod cifar;
mod class_targets;
pub mod csv;
mod dataset;
mod digits;
#[cfg(feature = "download")]
mod download;
mod drawn;
pub mod idx;
mod images;
pub mod locate;
#[cfg(feature = "download")]
mod manifest;
pub mod output;
mod read_ahead;
mod rows;
mod sparse_rows;
pub mod split;
pub mod svmlight;
pub mod text;
mod windows;
mod with_weights;

pub use batches::{BatchError, Batches};
pub use characters::{CharacterError, Characters, Vocabulary};
pub use class_targets::{ClassTargets, ClassTargetsError};
pub use dataset::{Dataset, IndexError, Samples, SplitError, Subset};
pub use digits::digits;
#[cfg(feature = "download")]
pub use download::{DownloadError, Progress, fetch};
pub use drawn::Drawn;
pub use images::{Images, ImagesError};
#[cfg(feature = "download")]
pub use manifest::{ArchivedFile, Format, Manifest, ManifestError, ReadImagesError, RemoteFile};
pub use read_ahead::ReadAhead;
pub use rows::{RowShapeError, Rows, RowsError};
pub use sparse_rows::SparseRows;
pub use windows::{WindowSize, Windows, WindowsError};
pub use with_weights::{WeightsError, WithWeights};
