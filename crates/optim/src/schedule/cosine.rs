use std::f64::consts::PI;
use std::fmt;

use super::Schedule;
use crate::{SettingError, Step};
use chainrule_core::SettingCheck;

/// Cosine annealing: half a cosine from `rate` down to `floor`, where it stays.
///
/// `η(s) = floor + (rate - floor) (1 + cos(π s / steps)) / 2` for `s ≤ steps`: Loshchilov and Hutter 2017
/// (SGDR) without restarts, Keras' `CosineDecay`. PyTorch's `CosineAnnealingLR` rises again after `T_max`
/// steps; this one does not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    /// The rate of the first step.
    pub rate: f64,
    /// The number of steps to the floor, above 0 (PyTorch's `T_max`).
    pub steps: u64,
    /// The final rate (PyTorch's `eta_min`).
    pub floor: f64,
}

impl Schedule for Cosine {
    fn rate(&self, step: Step) -> f64 {
        let done = step.index.min(self.steps) as f64 / self.steps.max(1) as f64;
        self.floor + (self.rate - self.floor) * ((1.0 + (PI * done).cos()) / 2.0)
    }

    fn validate(&self) -> Result<(), SettingError> {
        let settings = SettingCheck("Cosine");
        settings.not_negative("learning rate", self.rate)?;
        settings.not_negative("floor", self.floor)?;
        settings.positive("steps", self.steps as f64)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
