//! What a step that was not taken would have spoilt, and the samples that are to blame.

use std::fmt;

use crate::engine::careful::Watched;

/// A quantity of a step that must be finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantity {
    /// The gradient of a parameter. Optimizers square it, so the square too has to be finite.
    Gradient,
    /// A running statistic, as batch normalisation has them.
    Statistic,
    /// A parameter, after the update.
    Parameter,
    /// The optimizer's state for a parameter, after the update.
    State,
}

impl Quantity {
    /// What would happen to the parameter of this name.
    pub(super) fn describe(self, parameter: &str, value: f64) -> String {
        match self {
            Self::Gradient if value.is_finite() => {
                format!("the gradient of {parameter} has the value {value:e}, whose square is too large")
            }
            Self::Gradient => format!("the gradient of {parameter} has the value {value}"),
            Self::Statistic => format!("the running statistic {parameter} would become {value}"),
            Self::Parameter => format!("the parameter {parameter} would become {value}"),
            Self::State => format!("the optimizer's state for {parameter} would become {value}"),
        }
    }

    /// What to do if no sample is to blame.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Gradient => "lower the learning rate, clip the gradients, or scale the data",
            Self::Statistic => "scale the data",
            Self::Parameter | Self::State => "lower the learning rate, or clip the gradients",
        }
    }
}

impl From<Watched> for Quantity {
    fn from(watched: Watched) -> Self {
        match watched {
            Watched::Gradient => Self::Gradient,
            Watched::Statistic => Self::Statistic,
            Watched::Parameter => Self::Parameter,
            Watched::State => Self::State,
        }
    }
}

/// The samples because of which a step was not taken, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suspects {
    /// Their indices in the data set, from 0, in the order of the batch. Empty if no single sample is to blame.
    pub samples: Vec<usize>,
    /// What the first of them has, such as "an input of NaN".
    pub reason: String,
}

impl fmt::Display for Suspects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.samples.split_first() else { return Ok(()) };
        write!(f, "sample {first} has {}", self.reason)?;
        match others {
            [] => Ok(()),
            [other] => write!(f, ", and so has sample {other}"),
            [some @ .., last] if others.len() < 5 => {
                f.write_str(", and so have samples ")?;
                some.iter().try_for_each(|sample| write!(f, "{sample}, "))?;
                write!(f, "and {last}")
            }
            [second, ..] => {
                write!(f, ", and so have {} others, of which sample {second} is the next", others.len())
            }
        }
    }
}

impl Suspects {
    /// The samples of a batch of which `bad`, given row and sample, says what they have. None if all samples have it: then it is
    /// no fault of theirs.
    pub(super) fn of(samples: &[u32], mut bad: impl FnMut(usize, usize) -> Option<String>) -> Self {
        let mut suspects = Self::default();
        for (row, &sample) in samples.iter().enumerate() {
            let sample = sample as usize;
            let Some(reason) = bad(row, sample) else { continue };
            if suspects.samples.is_empty() {
                suspects.reason = reason;
            }
            suspects.samples.push(sample);
        }
        let all = samples.len() > 1 && suspects.samples.len() == samples.len();
        if all { Self::default() } else { suspects }
    }
}
