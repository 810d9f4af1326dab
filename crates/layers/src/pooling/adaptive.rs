//! Poolings whose windows are determined by the size of the output.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Label, Layer, Plan, SettingValue, Settings,
    ShapeError, Value, described,
};
use chainrule_tensor::{Real, Shape};

use super::average::Avg;
use super::cache::PoolCache;
use super::max::Max;
use super::pool_windows::PoolWindows;
use super::rule::AdaptiveRule;
use crate::axes::{Axes, entry_of_axes};

/// Pooling to an output of a given size, for any size of input: output `i` of `o` along an axis of `n` inputs depends on those from
/// `⌊i n / o⌋` to `⌈(i + 1) n / o⌉`, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub struct AdaptivePool<R, const N: usize> {
    rule: R,
    output: [usize; N],
}

impl<R: AdaptiveRule, const N: usize> Described for AdaptivePool<R, N> {
    const ENTRY: Entry = entry_of_axes::<N>(R::ADAPTIVE, &R::ADAPTIVE_NAMES);

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("output").map(|output| Self { rule: R::default(), output })
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.output.to_value()]
    }
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

impl<R: AdaptiveRule, const N: usize> AdaptivePool<R, N> {
    /// A pooling to this size: one number for all axes, or one for each.
    pub fn new(output: impl Axes<N>) -> Self {
        Self { rule: R::default(), output: output.axes() }
    }
}

impl<T: Real, R: AdaptiveRule, const N: usize> Layer<T> for AdaptivePool<R, N> {
    type Cache = PoolCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, PoolCache<T>), ShapeError> {
        let windows = (input.len() == N + 1).then(|| PoolWindows::adaptive(input, &self.output)).flatten();
        let windows = windows.ok_or_else(|| {
            let expected =
                format!("[channels] and {N} more axes, each at least 1, to an output of at least 1");
            plan.error(input, &expected, "put Reshape before it, or set another output")
        })?;
        PoolCache::plan(self.rule, windows, N, (input, plan))
    }

    fn label(&self) -> Label {
        Label::of(self).named(format!("Adaptive{}Pool{N}d", R::NAME)).without("rule")
    }

    described!();

    fn forward(&self, pass: Forward<'_, T, PoolCache<T>>) {
        PoolCache::forward(self.rule, pass);
    }

    fn backward(&self, pass: Backward<'_, T, PoolCache<T>>) {
        PoolCache::backward(self.rule, pass);
    }
}

/// Pooling of each channel to one number: `[channels, ...]`, with one to three more axes, becomes `[channels]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalPool<R> {
    rule: R,
}

impl<R: AdaptiveRule> Described for GlobalPool<R> {
    const ENTRY: Entry = R::GLOBAL;

    fn from_settings(_: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self::default())
    }

    fn setting_values(&self) -> Vec<Value> {
        Vec::new()
    }
}

/// The maximum of each channel.
pub type GlobalMaxPool = GlobalPool<Max>;
/// The mean of each channel.
pub type GlobalAvgPool = GlobalPool<Avg>;

impl<R: AdaptiveRule> GlobalPool<R> {
    /// A pooling over all axes but the channels.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T: Real, R: AdaptiveRule> Layer<T> for GlobalPool<R> {
    type Cache = PoolCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, PoolCache<T>), ShapeError> {
        let windows = (2..=4).contains(&input.len()).then(|| PoolWindows::adaptive(input, &[1; 3])).flatten();
        let windows = windows.ok_or_else(|| {
            let expected = "[channels] and one to three more axes, each at least 1";
            plan.error(input, expected, "put Reshape before it")
        })?;
        PoolCache::plan(self.rule, windows, 0, (input, plan))
    }

    fn label(&self) -> Label {
        Label::of(self).named(format!("Global{}Pool", R::NAME)).without("rule")
    }

    described!();

    fn forward(&self, pass: Forward<'_, T, PoolCache<T>>) {
        PoolCache::forward(self.rule, pass);
    }

    fn backward(&self, pass: Backward<'_, T, PoolCache<T>>) {
        PoolCache::backward(self.rule, pass);
    }
}
