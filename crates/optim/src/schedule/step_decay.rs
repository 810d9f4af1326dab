use std::fmt;

use super::Schedule;
use crate::{SettingError, Step};
use chainrule_core::SettingCheck;

/// Step decay: the rate is multiplied by `gamma` every `every` steps, `η(s) = rate γ^⌊s / every⌋` (PyTorch's `StepLR`,
/// which counts epochs).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    /// The rate of the first step.
    pub rate: f64,
    /// The number of steps between changes, above 0 (PyTorch's `step_size`).
    pub every: u64,
    /// The factor of each change.
    pub gamma: f64,
}

impl Schedule for StepDecay {
    fn rate(&self, step: Step) -> f64 {
        self.rate * self.gamma.powf((step.index / self.every.max(1)) as f64)
    }

    fn validate(&self) -> Result<(), SettingError> {
        let settings = SettingCheck("StepDecay");
        settings.not_negative("learning rate", self.rate)?;
        settings.not_negative("gamma", self.gamma)?;
        settings.positive("every", self.every as f64)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
