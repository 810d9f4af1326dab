//! What outputs stand for.

use std::fmt;

/// What the numbers that a model returns stand for: it decides what a loss computes from them, and above which one an output
/// is a yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outputs {
    /// Values that are compared with those of the targets.
    Values,
    /// Logits, which a sigmoid or a softmax would turn into probabilities: 0 is as much a yes as a no.
    Logits,
    /// Probabilities: 0.5 is as much a yes as a no.
    Probabilities,
}

impl fmt::Display for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Values => "values like the targets",
            Self::Logits => "logits",
            Self::Probabilities => "probabilities",
        })
    }
}
