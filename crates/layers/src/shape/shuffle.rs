//! Values between channels and places.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::Shape;

use super::moves::{Moves, Runs, moves, shape};

/// `[channels r², height, width]` as `[channels, height r, width r]` (Shi et al. 2016): the values of `r²` channels at a place
/// become a square of `r` by `r` places, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub struct PixelShuffle {
    factor: usize,
}

/// The inverse of [`PixelShuffle`]: `[channels, height r, width r]` as `[channels r², height, width]`.
#[derive(Clone, Copy, Debug)]
pub struct PixelUnshuffle {
    factor: usize,
}

/// Channels in the order of `groups` read in turn (Zhang et al. 2018): channel `g n + i` of `groups` groups of `n` becomes
/// channel `i groups + g`.
#[derive(Clone, Copy, Debug)]
pub struct ChannelShuffle {
    groups: usize,
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
    /// Of so many groups.
    pub fn new(groups: usize) -> Self {
        Self { groups }
    }
}

impl Moves for PixelShuffle {
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let r = self.factor;
        let fits =
            |&channels: &usize| r.checked_mul(r).is_some_and(|r2| r2 > 0 && channels.is_multiple_of(r2));
        let (&[channels, height, width], true) = (&*input, input.first().is_some_and(fits)) else {
            let expected = format!("[channels, height, width] with a multiple of {r}² channels");
            return Err(plan.error(
                input,
                &expected,
                "choose a factor of at least 1 whose square divides the channels",
            ));
        };
        let times = |axis: usize| axis.saturating_mul(r);
        shape(&[channels / r / r, times(height), times(width)], input, plan)
    }

    fn runs(&self, input: Shape, output: Shape) -> Runs {
        let r = self.factor;
        Runs::new(input, output, 0.0, |place| {
            let &[c, y, x] = place else { return None };
            Some([(c * r + y % r) * r + x % r, y / r, x / r, 0, 0, 0])
        })
    }
}

impl Moves for PixelUnshuffle {
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let r = self.factor;
        let fits = |axes: &[usize]| r > 0 && axes[1..].iter().all(|axis| axis.is_multiple_of(r));
        let (&[channels, height, width], true) = (&*input, input.len() == 3 && fits(&input)) else {
            let expected = format!("[channels, height, width] with a height and width that {r} divides");
            return Err(plan.error(input, &expected, "choose a factor of at least 1 that divides both"));
        };
        let more = channels.saturating_mul(r).saturating_mul(r);
        shape(&[more, height / r, width / r], input, plan)
    }

    fn runs(&self, input: Shape, output: Shape) -> Runs {
        let r = self.factor;
        Runs::new(input, output, 0.0, |place| {
            let &[c, y, x] = place else { return None };
            Some([c / (r * r), y * r + c / r % r, x * r + c % r, 0, 0, 0])
        })
    }
}

impl Moves for ChannelShuffle {
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let groups = self.groups;
        let channels = input.first().copied().unwrap_or(0);
        if input.is_empty() || groups == 0 || !channels.is_multiple_of(groups) {
            let expected = format!("[channels, ...] with a multiple of {groups} channels");
            return Err(plan.error(
                input,
                &expected,
                "choose at least 1 group, and as many as divide the channels",
            ));
        }
        Ok(input)
    }

    fn runs(&self, input: Shape, output: Shape) -> Runs {
        let (groups, each) = (self.groups, input[0] / self.groups);
        Runs::by_axis(input, output, 0.0, |axis, at| {
            Some(if axis == 0 { at % groups * each + at / groups } else { at })
        })
    }
}

moves! {
    [] PixelShuffle;
    [] PixelUnshuffle;
    [] ChannelShuffle;
}
