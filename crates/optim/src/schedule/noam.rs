use chainrule_core::{Described, Range, describe, described};

use super::Schedule;
use crate::setters::setters;
use crate::{SettingError, Step};

/// The schedule of "Attention is all you need" (Vaswani et al. 2017, equation 3): a straight line up, then down as one over the
/// square root of the number of the step.
///
/// ```text
/// η(s) = factor d^(-1/2) min(t^(-1/2), t warmup^(-3/2))        t = s + 1
/// ```
///
/// It takes no rate: the factor, 1 in the paper, stands for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Noam {
    size: u64,
    warmup: u64,
    factor: f64,
}

describe! {
    /// A straight line up, then down as one over the square root of the number of the step.
    Noam = "noam";
    aliases ["NoamLR"];
    formula "η(s) = factor d^(-1/2) min(t^(-1/2), t warmup^(-3/2)), t = s + 1";
    source "Vaswani et al. 2017, equation 3";
    settings {
        /// The width of the model, d.
        size as "d_model" ("model_size"): required, Range::AT_LEAST_ONE;
        /// The number of the step with the highest rate.
        warmup ("warmup_steps"): 4000, Range::AT_LEAST_ONE;
        /// The factor of all rates.
        factor: 1.0, Range::NOT_NEGATIVE;
    }
}

setters! { Noam;
    /// The number of the step with the highest rate; 4000 by default.
    warmup(steps: u64) => warmup = steps;
    /// The factor of all rates; 1 by default.
    factor(factor: f64) => factor = factor;
}

impl Noam {
    /// For a model of this width.
    pub fn new(d_model: u64) -> Self {
        Self { size: d_model, warmup: 4000, factor: 1.0 }
    }
}

impl Schedule for Noam {
    fn rate(&self, step: Step) -> f64 {
        let t = step.number();
        let [d, warmup] = [self.size, self.warmup].map(|value| value as f64);
        self.factor * d.powf(-0.5) * t.powf(-0.5).min(t * warmup.powf(-1.5))
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()
    }

    described!();
}
