//! Poolings whose windows follow from the size of the output.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::average::Avg;
use super::max::Max;
use super::pool::{Pooled, Rule};
use super::windows::Windows;
use crate::Axes;

/// Pooling to an output of a given size, whatever the input's: output `i` of `o` along an axis of `n` inputs sees those from
/// `⌊i n / o⌋` to `⌈(i + 1) n / o⌉`, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub struct AdaptivePool<R, const N: usize> {
    rule: R,
    output: [usize; N],
}

/// Maximum pooling of `[channels, length]` to a length.
pub type AdaptiveMaxPool1d = AdaptivePool<Max, 1>;
/// Maximum pooling of `[channels, height, width]` to a height and width.
pub type AdaptiveMaxPool2d = AdaptivePool<Max, 2>;
/// Maximum pooling of `[channels, depth, height, width]` to a depth, height and width.
pub type AdaptiveMaxPool3d = AdaptivePool<Max, 3>;
/// Average pooling of `[channels, length]` to a length.
pub type AdaptiveAvgPool1d = AdaptivePool<Avg, 1>;
/// Average pooling of `[channels, height, width]` to a height and width.
pub type AdaptiveAvgPool2d = AdaptivePool<Avg, 2>;
/// Average pooling of `[channels, depth, height, width]` to a depth, height and width.
pub type AdaptiveAvgPool3d = AdaptivePool<Avg, 3>;

impl<R: Rule + Default, const N: usize> AdaptivePool<R, N> {
    /// To this output: one number for all axes, or one for each.
    pub fn new(output: impl Axes<N>) -> Self {
        Self { rule: R::default(), output: output.axes() }
    }
}

impl<T: Real, R: Rule, const N: usize> Layer<T> for AdaptivePool<R, N> {
    type Cache = Pooled<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Pooled<T>), ShapeError> {
        let windows = (input.len() == N + 1).then(|| Windows::adaptive(input, &self.output)).flatten();
        let windows = windows.ok_or_else(|| {
            let expected =
                format!("[channels] and {N} more axes, each at least 1, to an output of at least 1");
            plan.error(input, &expected, "put Reshape before it, or ask for another output")
        })?;
        Pooled::plan(self.rule, windows, N, (input, plan))
    }

    fn forward(&self, pass: Forward<'_, T, Pooled<T>>) {
        Pooled::forward(self.rule, pass);
    }

    fn backward(&self, pass: Backward<'_, T, Pooled<T>>) {
        Pooled::backward(self.rule, pass);
    }
}

/// Pooling of all that a channel has to one number: `[channels, ...]`, with one to three more axes, becomes `[channels]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalPool<R> {
    rule: R,
}

/// The greatest value of each channel.
pub type GlobalMaxPool = GlobalPool<Max>;
/// The mean of each channel.
pub type GlobalAvgPool = GlobalPool<Avg>;

impl<R: Rule + Default> GlobalPool<R> {
    /// Over all axes but the channels.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T: Real, R: Rule> Layer<T> for GlobalPool<R> {
    type Cache = Pooled<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Pooled<T>), ShapeError> {
        let windows = (2..=4).contains(&input.len()).then(|| Windows::adaptive(input, &[1; 3])).flatten();
        let windows = windows.ok_or_else(|| {
            let expected = "[channels] and one to three more axes, each at least 1";
            plan.error(input, expected, "put Reshape before it")
        })?;
        Pooled::plan(self.rule, windows, 0, (input, plan))
    }

    fn forward(&self, pass: Forward<'_, T, Pooled<T>>) {
        Pooled::forward(self.rule, pass);
    }

    fn backward(&self, pass: Backward<'_, T, Pooled<T>>) {
        Pooled::backward(self.rule, pass);
    }
}
