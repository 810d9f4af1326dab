//! Instance normalisation.

use chainrule_core::{Backward, Forward, Layer, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};

use super::group_norm::{GroupNorm, GroupNormCache};
use super::scale_shift::ScaleShift;

/// `y = (x - μ) / √(σ² + ε)`, with the mean `μ` and the variance `σ²` of each channel of a sample
/// `[channels, spatial...]` over its positions (Ulyanov, Vedaldi and Lempitsky 2016, "Instance normalization"; PyTorch's
/// `InstanceNorm1d`, `InstanceNorm2d` and `InstanceNorm3d`, with their `ε = 10⁻⁵`): [`GroupNorm`] with one group for
/// each channel.
///
/// Where all values of a channel are equal, the output is 0, or the shift. Channels of a single value are refused in `plan`.
#[derive(Clone, Copy, Debug)]
pub struct InstanceNorm {
    epsilon: f64,
    affine: bool,
}

describe! {
    /// Normalises each channel of a sample.
    InstanceNorm = "instance_norm";
    aliases ["instance_norm1d", "instance_norm2d", "instance_norm3d"];
    formula "y = (x - μ) / √(σ² + ε) w + b";
    source "Ulyanov et al. 2016";
    settings {
        /// The term that keeps the denominator above 0, ε.
        epsilon ("eps"): 1e-5, Range::POSITIVE;
        /// Whether there are scales w and shifts b.
        affine: false;
    }
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

    fn group_norm(&self, channels: usize) -> GroupNorm {
        let scale_shift = if self.affine { ScaleShift::Full } else { ScaleShift::Without };
        GroupNorm { groups: channels, epsilon: self.epsilon, scale_shift }
    }
}

impl Default for InstanceNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for InstanceNorm {
    type Cache = GroupNormCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        match *input {
            [channels, _, ..] if input.size() > 0 => self.group_norm(channels).plan(input, plan),
            _ => {
                let help = "put Reshape before it: a vector has a single value in each channel, which leaves nothing to normalise";
                Err(plan.error(input, "[channels, spatial...]", help))
            }
        }
    }

    described!();

    fn forward(&self, pass: Forward<'_, T, Self::Cache>) {
        self.group_norm(pass.cache.channels).forward(pass);
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        self.group_norm(pass.cache.channels).backward(pass);
    }
}
