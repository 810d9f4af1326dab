//! The mean of each window.

use chainrule_core::Label;
use chainrule_tensor::Real;
use chainrule_tensor::conv::pool2x2::{self, Planes};

use super::pool::Pool;
use super::pool_windows::PoolWindows;
use super::rule::{MaxIndices, PoolRule, PoolValues};
use crate::axes::Axes;

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

impl PoolRule for Avg {
    const INDEXED: bool = false;
    const NAME: &'static str = "Avg";

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
        values.each_sample(windows, dx, |_, sample, dx| self.add_gradient(windows, sample, &[], dx));
    }
}
