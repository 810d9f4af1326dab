//! Losses of how much regions overlap, such as those of a segmentation.

mod dice;
mod overlap;
mod tversky;

pub use dice::Dice;
pub use tversky::Tversky;
