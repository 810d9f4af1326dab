//! The mean of each window.

use chainrule_core::{DescriptionError, Entry, Label, Range, Settings, Value, entry};
use chainrule_tensor::conv::pool2x2::{self, Planes};
use chainrule_tensor::{Real, each, vector};

use super::pool::Pool;
use super::pool_windows::PoolWindows;
use super::rule::{AdaptiveRule, MaxIndices, PoolRule, PoolValues};
use crate::axes::Axes;
use crate::axes::NameOfAxes;

/// `y = 1/n Σ x` over each window: the rule of [`AvgPool2d`] and its relatives. `n` includes the padding, as in PyTorch, unless
/// [`exclude_padding`](Pool::exclude_padding) is set, as in Keras.
#[derive(Clone, Copy, Debug)]
pub struct Avg {
    padding: bool,
}

/// Average pooling of `[channels, length]`.
pub type AvgPool1d = Pool<Avg, 1>;
/// Average pooling of `[channels, height, width]`.
pub type AvgPool2d = Pool<Avg, 2>;
/// Average pooling of `[channels, depth, height, width]`.
pub type AvgPool3d = Pool<Avg, 3>;

impl Default for Avg {
    fn default() -> Self {
        Self { padding: true }
    }
}

impl<const N: usize> Pool<Avg, N> {
    /// A pooling with windows of this size: one number for all axes, or one for each.
    pub fn new(kernel: impl Axes<N>) -> Self {
        Self::with(Avg::default(), kernel)
    }

    /// Divides by the number of inputs in the window, without the padding.
    #[must_use]
    pub fn exclude_padding(mut self) -> Self {
        self.rule = Avg { padding: false };
        self
    }
}

impl AdaptiveRule for Avg {
    const ADAPTIVE: Entry = entry! {
        /// The mean of each window, of so many windows that the output has a given size.
        AdaptiveAvgPool = "adaptive_avg_pool";
        settings {
            /// The size of the output: one number, or one for each axis.
            output ("output_size"): required, Range::AT_LEAST_ONE;
        }
    };
    const ADAPTIVE_NAMES: [NameOfAxes; 3] = [
        ("AdaptiveAvgPool1d", "adaptive_avg_pool1d", &["adaptive_average_pooling1d"]),
        ("AdaptiveAvgPool2d", "adaptive_avg_pool2d", &["adaptive_average_pooling2d"]),
        ("AdaptiveAvgPool3d", "adaptive_avg_pool3d", &["adaptive_average_pooling3d"]),
    ];
    const GLOBAL: Entry = entry! {
        /// The mean of each channel.
        GlobalAvgPool = "global_avg_pool";
        aliases ["global_avg_pool1d", "global_avg_pool2d", "global_avg_pool3d", "global_average_pooling1d", "global_average_pooling2d", "global_average_pooling3d"];
    };
}

impl PoolRule for Avg {
    const INDEXED: bool = false;
    const NAME: &'static str = "Avg";
    const ENTRY: Entry = entry! {
        /// The mean of each window.
        AvgPool = "avg_pool";
        formula "y = 1/n Σ x";
        settings {
            /// The size of a window: one number, or one for each axis.
            kernel ("kernel_size", "pool_size"): required, Range::AT_LEAST_ONE;
            /// The distance between windows; by default their size.
            stride ("strides"): none, Range::AT_LEAST_ONE;
            /// The padding before and after each axis.
            padding: 0;
            /// The distance between neighbouring positions of a window.
            dilation: 1, Range::AT_LEAST_ONE;
            /// Whether a last window that is not full has an output.
            ceil ("ceil_mode"): false;
            /// Whether n counts the inputs in the window alone, without the padding.
            exclude_padding: false;
        }
    };
    const NAMES: [NameOfAxes; 3] = [
        ("AvgPool1d", "avg_pool1d", &["average_pooling1d"]),
        ("AvgPool2d", "avg_pool2d", &["average_pooling2d"]),
        ("AvgPool3d", "avg_pool3d", &["average_pooling3d"]),
    ];

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("exclude_padding").map(|exclude: bool| Self { padding: !exclude })
    }

    fn values(self, mut pooling: Vec<Value>) -> Vec<Value> {
        pooling.push((!self.padding).into());
        pooling
    }

    fn relabel(self, pooling: Label) -> Label {
        if self.padding { pooling } else { pooling.with("exclude_padding", true) }
    }

    fn forward<T: Real>(self, windows: &PoolWindows, x: &[T], y: &mut [T], _: &mut MaxIndices) {
        if let Some([height, width]) = windows.squares() {
            let quarter = T::of(0.25);
            return pool2x2::forward(
                Planes { height, width },
                x,
                y,
                &mut vec![(); y.len()], // no notes, which take no memory
                #[inline(always)]
                move |[a, b, c, d]| (((a + b) + (c + d)) * quarter, ()),
            );
        }
        if let Some(n) = windows.whole_channels() {
            let n = T::of(n as f64);
            y.fill(T::zero());
            vector::sum_chunks(x, y);
            return each!(y = y / n);
        }
        for (x, y) in x.chunks_exact(windows.inputs()).zip(y.chunks_exact_mut(windows.outputs())) {
            windows.each(|output, window, padded_count| {
                let n = if self.padding { padded_count } else { window.count() };
                y[output] = window.sum(x) / T::of(n as f64);
            });
        }
    }

    fn add_gradient<T: Real, S: Real>(
        self,
        windows: &PoolWindows,
        PoolValues { dy, .. }: PoolValues<'_, T>,
        _: &[u32],
        dx: &mut [S],
    ) {
        windows.each(|output, window, padded_count| {
            let n = if self.padding { padded_count } else { window.count() };
            let share = S::of(dy[output].as_f64()) / S::of(n as f64);
            window.each(|input| dx[input] += share);
        });
    }

    fn backward<T: Real>(
        self,
        windows: &PoolWindows,
        values: PoolValues<'_, T>,
        _: &MaxIndices,
        dx: &mut [T],
    ) {
        let PoolValues { dy, .. } = values;
        if let Some([height, width]) = windows.squares() {
            let quarter = T::of(0.25);
            return pool2x2::backward(
                Planes { height, width },
                dy,
                &vec![(); dy.len()],
                dx,
                #[inline(always)]
                move |dy, ()| [dy * quarter; 4],
            );
        }
        if let Some(n) = windows.whole_channels() {
            let share = T::of(n as f64);
            return dx.chunks_exact_mut(n).zip(dy).for_each(|(dx, &dy)| dx.fill(dy / share));
        }
        values.each_sample(windows, dx, |_, sample, dx| self.add_gradient(windows, sample, &[], dx));
    }
}
