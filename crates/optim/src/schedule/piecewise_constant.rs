use chainrule_core::{Described, Range, describe, described};

use super::Schedule;
use super::multi_step::check_order;
use crate::setters::setters;
use crate::{SettingError, Step};

/// A rate of its own between boundaries: `η(s) = values[k]` with k the number of boundaries up to step s, that one included (optax'
/// `piecewise_constant_schedule`).
///
/// Keras' `PiecewiseConstantDecay` changes one step later: that is the preset `keras`.
#[derive(Clone, Debug, PartialEq)]
pub struct PiecewiseConstant {
    boundaries: Vec<u64>,
    values: Vec<f64>,
    late: bool,
}

describe! {
    /// A rate of its own between each two boundaries.
    PiecewiseConstant = "piecewise_constant";
    aliases ["PiecewiseConstantDecay", "piecewise_constant_schedule"];
    formula "η(s) = values[k], k boundaries up to s";
    source "optax' piecewise_constant_schedule";
    settings {
        /// The steps at which the rate changes, in order.
        boundaries: required, Range::NOT_NEGATIVE;
        /// The rates, one more than boundaries.
        values: required, Range::NOT_NEGATIVE;
        /// Whether a rate is still that of the step at its boundary.
        late: false;
    }
    presets { keras { late = true } }
}

setters! { PiecewiseConstant;
    /// Changes one step later, as Keras does.
    keras() => late = true;
}

impl PiecewiseConstant {
    /// The rates `values`, which change at the steps `boundaries`; there is one more rate than boundaries.
    pub fn new(boundaries: impl Into<Vec<u64>>, values: impl Into<Vec<f64>>) -> Self {
        Self { boundaries: boundaries.into(), values: values.into(), late: false }
    }
}

impl Schedule for PiecewiseConstant {
    fn rate(&self, step: Step) -> f64 {
        let passed = |boundary: u64| boundary < step.index || (boundary == step.index && !self.late);
        let index = self.boundaries.partition_point(|&boundary| passed(boundary));
        self.values.get(index).copied().unwrap_or(f64::NAN)
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        check_order("PiecewiseConstant", &self.boundaries)?;
        if self.values.len() == self.boundaries.len() + 1 {
            return Ok(());
        }
        let conflict = "the number of values is not that of the boundaries and one more: give a rate before, between and after them";
        Err(SettingError::Conflict { owner: "PiecewiseConstant", conflict })
    }

    described!();
}
