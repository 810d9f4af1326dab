//! Losses of sequences: a target for each step, or labels whose steps are not known.

mod ctc;
mod label_sequence;
mod paths;
mod per_step;

pub use ctc::Ctc;
pub use label_sequence::{LabelSequence, Padded};
pub use per_step::PerStep;
