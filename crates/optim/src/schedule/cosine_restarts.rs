use std::f64::consts::PI;

use chainrule_core::{Range, describe};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// Cosine annealing with warm restarts (Loshchilov and Hutter 2017, SGDR): half a cosine from the rate to a floor, again and again.
///
/// ```text
/// η(s) = floor + (η - floor) mᵏ (1 + cos(π u)) / 2        in the k-th period, of which the part u is over
/// ```
///
/// Each period has `multiplier` times as many steps as the one before, and its cosine is m times as high.
/// PyTorch's `CosineAnnealingWarmRestarts` has m = 1; Keras' `CosineDecayRestarts` doubles the periods by default, the preset `keras`,
/// and has its floor as a part of the rate, `alpha`.
#[derive(Clone, Debug, PartialEq)]
pub struct CosineRestarts {
    steps: u64,
    multiplier: f64,
    decay: f64,
    floor: f64,
    alpha: f64,
    rate: Option<f64>,
}

describe! {
    /// Cosine annealing with warm restarts: half a cosine to a floor, again and again.
    CosineRestarts = "cosine_restarts";
    aliases ["CosineAnnealingWarmRestarts", "CosineDecayRestarts", "SGDR", "sgdr_schedule"];
    formula "η(s) = floor + (η - floor) mᵏ (1 + cos(π u)) / 2";
    source "Loshchilov and Hutter 2017";
    settings {
        /// The number of steps of the first period.
        steps ("T_0", "first_decay_steps"): required, Range::AT_LEAST_ONE;
        /// The factor of the number of steps from period to period.
        multiplier ("T_mult", "t_mul"): 1.0, Range::AT_LEAST_ONE;
        /// The factor m of the height of the cosine from period to period.
        decay ("m_mul"): 1.0, Range::NOT_NEGATIVE;
        /// The last rate of a period.
        floor ("eta_min"): 0.0, Range::NOT_NEGATIVE;
        /// The last rate as a part of the first, in addition to the floor.
        alpha: 0.0, Range::UNIT;
        /// The first rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr", "initial_learning_rate"): none, Range::NOT_NEGATIVE;
    }
    presets { keras { multiplier = 2.0 } }
}

setters! { CosineRestarts;
    /// The factor of the number of steps from period to period; 1 by default.
    multiplier(factor: f64) => multiplier = factor;
    /// The factor of the height of the cosine from period to period; 1 by default.
    decay(factor: f64) => decay = factor;
    /// The last rate of a period; 0 by default.
    floor(rate: f64) => floor = rate;
    /// The last rate as a part of the first, as Keras has it; 0 by default.
    alpha(part: f64) => alpha = part;
}

impl CosineRestarts {
    /// From this rate, or the optimizer's for `None`, to 0 every `steps` steps.
    pub fn new(rate: impl Into<Option<f64>>, steps: u64) -> Self {
        Self { steps, multiplier: 1.0, decay: 1.0, floor: 0.0, alpha: 0.0, rate: rate.into() }
    }

    /// The number of periods before this step, and the part of its own period that is over.
    fn position(&self, step: u64) -> (f64, f64) {
        let first = self.steps.max(1);
        if self.multiplier <= 1.0 {
            return ((step / first) as f64, (step % first) as f64 / first as f64);
        }
        let growth = self.multiplier;
        let begin = |period: f64| first as f64 * (growth.powf(period) - 1.0) / (growth - 1.0);
        let step = step as f64;
        // The logarithm may be off by one where a period begins.
        let mut period = (1.0 + step / first as f64 * (growth - 1.0)).log(growth).floor().max(0.0);
        if begin(period) > step {
            period -= 1.0;
        } else if begin(period + 1.0) <= step {
            period += 1.0;
        }
        let length = first as f64 * growth.powf(period);
        (period, (step - begin(period)) / length)
    }
}

impl Schedule for CosineRestarts {
    fn rate(&self, step: Step) -> f64 {
        let rate = self.rate.unwrap_or(f64::NAN);
        let (period, done) = self.position(step.index);
        let floor = self.alpha * rate + self.floor;
        floor + (rate - floor) * self.decay.powf(period) * ((1.0 + (PI * done).cos()) / 2.0)
    }

    described_schedule!();
}
