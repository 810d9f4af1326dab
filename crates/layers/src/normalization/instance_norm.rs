//! Instance normalisation.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::{Affine, GroupNorm, GroupStatistics};

/// `y = (x - μ) / √(σ² + ε)`, with the mean `μ` and the variance `σ²` of each channel of a sample
/// `[channels, spatial...]` over its positions (Ulyanov, Vedaldi and Lempitsky 2016, "Instance normalization"; PyTorch's
/// `InstanceNorm1d`, `InstanceNorm2d` and `InstanceNorm3d`, with their `ε = 10⁻⁵`): [`GroupNorm`] with a group for each
/// channel.
///
/// Where all values of a channel are the same, the output is 0, or the shift.
#[derive(Clone, Copy, Debug)]
pub struct InstanceNorm {
    epsilon: f64,
    affine: bool,
}

impl InstanceNorm {
    /// Without scales and shifts, as in PyTorch.
    pub fn new() -> Self {
        Self { epsilon: 1e-5, affine: false }
    }

    /// With a scale and a shift for each channel.
    #[must_use]
    pub fn affine(self) -> Self {
        Self { affine: true, ..self }
    }

    /// Another `ε`.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    fn of(&self, channels: usize) -> GroupNorm {
        let affine = if self.affine { Affine::Full } else { Affine::Without };
        GroupNorm { groups: channels, epsilon: self.epsilon, affine }
    }
}

impl Default for InstanceNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for InstanceNorm {
    type Cache = GroupStatistics<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        match *input {
            [channels, _, ..] if input.size() > 0 => self.of(channels).plan(input, plan),
            _ => {
                let help = "a vector has one value in each channel, which would become 0";
                Err(plan.error(input, "[channels, spatial...]", help))
            }
        }
    }

    fn forward(&self, pass: Forward<'_, T, Self::Cache>) {
        self.of(pass.cache.channels).forward(pass);
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        self.of(pass.cache.channels).backward(pass);
    }
}
