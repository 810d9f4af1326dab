//! Shuffles of channels and pixels.

use chainrule_core::{Plan, Range, ShapeError, describe};
use chainrule_tensor::Shape;

use super::offsets::{Offsets, strides};
use super::rearrangement::{Rearrangement, checked_shape, rearrangement_layer};

/// Turns `[channels r², height, width]` into `[channels, height r, width r]` (Shi et al. 2016): the values of `r²` channels at
/// a pixel become a square of `r` by `r` pixels, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub struct PixelShuffle {
    factor: usize,
}

describe! {
    /// Channels as pixels of a larger image.
    PixelShuffle = "pixel_shuffle";
    source "Shi et al. 2016";
    settings {
        /// How many times the height and the width.
        factor ("upscale_factor"): required, Range::AT_LEAST_ONE;
    }
}

/// The inverse of [`PixelShuffle`]: turns `[channels, height r, width r]` into `[channels r², height, width]`.
#[derive(Clone, Copy, Debug)]
pub struct PixelUnshuffle {
    factor: usize,
}

describe! {
    /// Pixels as channels of a smaller image.
    PixelUnshuffle = "pixel_unshuffle";
    settings {
        /// The divisor of the height and the width.
        factor ("downscale_factor"): required, Range::AT_LEAST_ONE;
    }
}

/// Interleaves the channels of `groups` groups (Zhang et al. 2018): channel `g n + i` of `groups` groups of `n` becomes
/// channel `i groups + g`.
#[derive(Clone, Copy, Debug)]
pub struct ChannelShuffle {
    groups: usize,
}

describe! {
    /// The channels of the groups, one of each in turn.
    ChannelShuffle = "channel_shuffle";
    source "Zhang et al. 2017, \"ShuffleNet\"";
    settings {
        /// The number of groups.
        groups: required, Range::AT_LEAST_ONE;
    }
}

impl PixelShuffle {
    /// By this factor for height and width.
    pub fn new(factor: usize) -> Self {
        Self { factor }
    }
}

impl PixelUnshuffle {
    /// By this factor for height and width.
    pub fn new(factor: usize) -> Self {
        Self { factor }
    }
}

impl ChannelShuffle {
    /// With this many groups.
    pub fn new(groups: usize) -> Self {
        Self { groups }
    }
}

impl Rearrangement for PixelShuffle {
    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        plan.at_least_one(self.factor, "a factor", input)?;
        let r = self.factor;
        let fits = |channels: usize| r.checked_mul(r).is_some_and(|r2| r2 > 0 && channels.is_multiple_of(r2));
        match *input {
            [channels, height, width] if fits(channels) => {
                let times = |axis: usize| axis.saturating_mul(r);
                checked_shape(&[channels / r / r, times(height), times(width)], input, plan)
            }
            _ => {
                let expected = format!("[channels, height, width] with a multiple of {r}² channels");
                let help = "choose a factor whose square divides the channels";
                Err(plan.error(input, &expected, help))
            }
        }
    }

    fn offsets(&self, input: Shape, output: Shape) -> Offsets {
        let r = self.factor;
        let strides = strides(input);
        let at =
            move |position: [usize; 3]| position.iter().zip(&strides).map(|(at, stride)| at * stride).sum();
        Offsets::permutation(output, move |axis, i| match axis {
            0 => at([i * r * r, 0, 0]),
            1 => at([i % r * r, i / r, 0]),
            _ => at([i % r, 0, i / r]),
        })
    }
}

impl Rearrangement for PixelUnshuffle {
    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        plan.at_least_one(self.factor, "a factor", input)?;
        let r = self.factor;
        let fits = |axis: usize| r > 0 && axis.is_multiple_of(r);
        match *input {
            [channels, height, width] if fits(height) && fits(width) => {
                let channels = channels.saturating_mul(r).saturating_mul(r);
                checked_shape(&[channels, height / r, width / r], input, plan)
            }
            _ => {
                let expected = format!("[channels, height, width] with a height and width that {r} divides");
                Err(plan.error(input, &expected, "choose a factor that divides both"))
            }
        }
    }

    fn offsets(&self, input: Shape, output: Shape) -> Offsets {
        let r = self.factor;
        let strides = strides(input);
        let at =
            move |position: [usize; 3]| position.iter().zip(&strides).map(|(at, stride)| at * stride).sum();
        Offsets::permutation(output, move |axis, i| match axis {
            0 => at([i / (r * r), i / r % r, i % r]),
            1 => at([0, i * r, 0]),
            _ => at([0, 0, i * r]),
        })
    }
}

impl Rearrangement for ChannelShuffle {
    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        plan.at_least_one(self.groups, "a number of groups", input)?;
        let groups = self.groups;
        let channels = input.first().copied().unwrap_or(0);
        if input.is_empty() || !channels.is_multiple_of(groups) {
            let expected = format!("[channels, ...] with a multiple of {groups} channels");
            let help = "choose a number of groups that divides the channels";
            return Err(plan.error(input, &expected, help));
        }
        Ok(input)
    }

    fn offsets(&self, input: Shape, output: Shape) -> Offsets {
        let groups = self.groups;
        let size = input[0] / groups;
        let strides = strides(input);
        Offsets::permutation(output, |axis, at| {
            strides[axis] * if axis == 0 { at % groups * size + at / groups } else { at }
        })
    }
}

rearrangement_layer!([] PixelShuffle);
rearrangement_layer!([] PixelUnshuffle);
rearrangement_layer!([] ChannelShuffle);
