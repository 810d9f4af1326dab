//! The layer of all poolings with windows of one size.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Label, Layer, Plan, SettingValue, Settings,
    ShapeError, Value, described,
};
use chainrule_tensor::{Real, Shape};

use super::cache::PoolCache;
use super::pool_windows::{PoolWindows, SlidingAxis};
use super::rule::PoolRule;
use crate::axes::{Axes, entry_of_axes};

/// A pooling over windows of one size, along `N` axes.
#[derive(Clone, Copy, Debug)]
pub struct Pool<R, const N: usize> {
    pub(super) rule: R,
    kernel: [usize; N],
    stride: Option<[usize; N]>,
    padding: [usize; N],
    dilation: [usize; N],
    ceil: bool,
}

impl<R: PoolRule, const N: usize> Described for Pool<R, N> {
    const ENTRY: Entry = entry_of_axes::<N>(R::ENTRY, &R::NAMES);

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            rule: R::from_settings(settings)?,
            kernel: settings.get("kernel")?,
            stride: settings.get("stride")?,
            padding: settings.get("padding")?,
            dilation: settings.get("dilation")?,
            ceil: settings.get("ceil")?,
        })
    }

    fn setting_values(&self) -> Vec<Value> {
        let Self { rule, kernel, stride, padding, dilation, ceil } = self;
        rule.values(vec![
            kernel.to_value(),
            stride.to_value(),
            padding.to_value(),
            dilation.to_value(),
            ceil.to_value(),
        ])
    }
}

impl<R: PoolRule, const N: usize> Pool<R, N> {
    pub(super) fn with(rule: R, kernel: impl Axes<N>) -> Self {
        Self { rule, kernel: kernel.axes(), stride: None, padding: [0; N], dilation: [1; N], ceil: false }
    }

    /// The distance between windows, the size of the window by default.
    #[must_use]
    pub fn stride(self, stride: impl Axes<N>) -> Self {
        Self { stride: Some(stride.axes()), ..self }
    }

    /// The padding before and after each axis, at most half of the window, none by default. A maximum ignores it.
    #[must_use]
    pub fn padding(self, padding: impl Axes<N>) -> Self {
        Self { padding: padding.axes(), ..self }
    }

    /// Adds an output for a last window that is not full, if it begins in the input or in the padding before it. It may be the only
    /// one: a window of 2 over an axis of 1.
    #[must_use]
    pub fn ceil(self) -> Self {
        Self { ceil: true, ..self }
    }

    /// The distance between neighbouring positions of a window, 1 by default.
    #[must_use]
    pub fn dilation(self, dilation: impl Axes<N>) -> Self {
        Self { dilation: dilation.axes(), ..self }
    }

    pub(super) fn windows(&self, input: Shape, plan: &Plan) -> Result<PoolWindows, ShapeError> {
        if input.len() != N + 1 {
            let axes = ["length", "height, width", "depth, height, width"][N - 1];
            return Err(plan.error(input, &format!("[channels, {axes}]"), "put Reshape before it"));
        }
        let stride = self.stride.unwrap_or(self.kernel);
        let axes: [SlidingAxis; N] = std::array::from_fn(|axis| SlidingAxis {
            kernel: self.kernel[axis],
            stride: stride[axis],
            padding: self.padding[axis],
            dilation: self.dilation[axis],
            ceil: self.ceil,
        });
        let invalid = |axis: &SlidingAxis| {
            let SlidingAxis { kernel, stride, padding, dilation, .. } = *axis;
            kernel == 0
                || stride == 0
                || dilation == 0
                || axis.extent().is_some_and(|extent| padding > extent / 2)
        };
        if axes.iter().any(invalid) {
            let needed =
                "a window of at least one value, that moves, and a padding of at most half the window";
            let help =
                "set kernel, stride and dilation to at least 1, and the padding to at most half the window";
            return Err(plan.setting_error(input, needed, help));
        }
        PoolWindows::sliding(input, &axes).ok_or_else(|| {
            let expected = "samples of less than 2³² values, with at least one in every window";
            plan.error(input, expected, "choose a smaller kernel or dilation, or another padding")
        })
    }
}

impl<T: Real, R: PoolRule, const N: usize> Layer<T> for Pool<R, N> {
    type Cache = PoolCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, PoolCache<T>), ShapeError> {
        let windows = self.windows(input, plan)?;
        PoolCache::plan(self.rule, windows, N, (input, plan))
    }

    fn label(&self) -> Label {
        self.rule.relabel(Label::of(self).named(format!("{}Pool{N}d", R::NAME)).without("rule"))
    }

    described!();

    fn forward(&self, pass: Forward<'_, T, PoolCache<T>>) {
        PoolCache::forward(self.rule, pass);
    }

    fn backward(&self, pass: Backward<'_, T, PoolCache<T>>) {
        PoolCache::backward(self.rule, pass);
    }
}
