//! Pictures as data for training: a folder of files for each class.
//!
//! The decision here: **pictures are decoded once, and kept as bytes.** They are converted to numbers when they are gathered into a
//! batch, so a data set takes one byte for each value, and every epoch but the first reads no file. Files and classes are sorted by
//! the bytes of their names, the same on every system, so that a seed splits and shuffles them in the same way.
//!
//! ```no_run
//! use chainrule_data::{Subset, augment::{Augmented, HorizontalFlip}};
//! use chainrule_pictures::{Colour, PictureReader};
//! use chainrule_tensor::Seed;
//!
//! let pictures = PictureReader::new("pets").size(64, 64).colour(Colour::Rgb).read()?;
//! println!("{} pictures of {:?}", pictures.files().len(), pictures.class_names());
//! let (train, test) = Subset::split(&pictures, 0.2, Seed(0))?;
//! let train = Augmented::new(train, 1)?.with(HorizontalFlip(0.5))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![doc(html_root_url = "https://docs.rs/chainrule-pictures/latest")]

mod colour;
mod decode;
mod error;
mod folder;
mod pictures;
mod reader;
mod sheet;

pub use colour::Colour;
pub use decode::decode;
pub use error::PictureError;
pub use folder::Folders;
pub use pictures::Pictures;
pub use reader::{PictureReader, Resize};
pub use sheet::{Sheet, SheetError};

// The program of the README is tested as documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
