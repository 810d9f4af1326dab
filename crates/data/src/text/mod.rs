//! Texts as numbers: by words, and by pairs of bytes that are often together.

mod byte_pairs;
mod words;

pub use byte_pairs::{BytePairs, BytePairsError};
pub use words::WordVocabulary;

/// The number of what fills up a text that is shorter than others.
pub const PADDING: u32 = 0;
