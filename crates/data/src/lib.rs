//! Data sets: the trait, readers, batches, a bundled set, and downloads.
//!
//! The decision here: **a sample is converted where the batch needs it.** A data set is asked for one sample by index
//! and writes it straight into the batch, so images stay bytes in memory, shuffling moves indices and nothing else, and
//! reading is safe from several threads. Whatever comes from outside (files, servers) is checked before it is believed:
//! memory grows with what is there, not with what a header claims, and errors name the file and the remedy.
//!
//! - [`Dataset`] and [`Samples`] are the traits; [`Images`] and [`Rows`] are in memory; [`Subset`] is a part of another.
//! - [`idx`] reads the format of MNIST, [`csv`] tables.
//! - [`digits`] draws the bundled set of digits, for machines without a network.
//! - [`Manifest`] says what can be downloaded, `fetch` does it, [`locate`](locate::locate) finds it on this machine.
//! - [`Batches`] shuffles and cuts.
//!
//! The feature `download` adds an HTTPS client, [`Manifest`] and [`fetch`]; without it the crate reads only the files at hand.

mod batches;
mod characters;
pub mod csv;
mod dataset;
mod digits;
#[cfg(feature = "download")]
mod download;
pub mod idx;
mod images;
pub mod locate;
#[cfg(feature = "download")]
mod manifest;
mod rows;

pub use batches::{BatchError, Batches};
pub use characters::{CharacterError, Characters, Vocabulary};
pub use dataset::{Dataset, IndexError, Samples, Subset};
pub use digits::digits;
#[cfg(feature = "download")]
pub use download::{DownloadError, Progress, fetch};
pub use images::{Images, ImagesError};
#[cfg(feature = "download")]
pub use manifest::{Manifest, ManifestError, RemoteFile};
pub use rows::{Rows, RowsError};
