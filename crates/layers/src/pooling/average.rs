//! The mean of each window.

use chainrule_tensor::Real;
use chainrule_tensor::conv::pool2x2::{self, Planes};

use super::pool::{Notes, Pool, Rule, Values};
use super::windows::Windows;
use crate::Axes;

/// `y = 1/n Σ x` over each window: the rule of [`AvgPool2d`] and its kin. `n` counts the places in the padding too, as in
/// PyTorch, unless [`exclude_padding`](Pool::exclude_padding) is asked for, as Keras does.
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
    /// With windows of this size: one number for all axes, or one for each.
    pub fn new(kernel: impl Axes<N>) -> Self {
        Self::with(Avg::default(), kernel)
    }

    /// Divides by the number of inputs that the window sees, without the padding.
    #[must_use]
    pub fn exclude_padding(mut self) -> Self {
        self.rule = Avg { padding: false };
        self
    }
}

impl Rule for Avg {
    const INDEXED: bool = false;

    fn forward<T: Real>(self, windows: &Windows, x: &[T], y: &mut [T], _: &mut Notes) {
        if let Some([height, width]) = windows.squares() {
            let quarter = T::of(0.25);
            return pool2x2::forward(
                Planes { height, width },
                x,
                y,
                &mut vec![(); y.len()], // nothing is noted, and takes no memory
                #[inline(always)]
                |[a, b, c, d]| (((a + b) + (c + d)) * quarter, ()),
            );
        }
        for (x, y) in x.chunks_exact(windows.inputs()).zip(y.chunks_exact_mut(windows.outputs())) {
            windows.each(|output, window, places| {
                let (mut sum, mut inside) = (T::zero(), 0);
                window.each(|input| {
                    sum += x[input];
                    inside += 1;
                });
                y[output] = sum / T::of(if self.padding { places } else { inside } as f64);
            });
        }
    }

    fn backward<T: Real>(self, windows: &Windows, values: Values<'_, T>, _: &Notes, dx: &mut [T]) {
        let Values { dy, .. } = values;
        if let Some([height, width]) = windows.squares() {
            let quarter = T::of(0.25);
            return pool2x2::backward(
                Planes { height, width },
                dy,
                &vec![(); dy.len()],
                dx,
                #[inline(always)]
                |dy, ()| [dy * quarter; 4],
            );
        }
        dx.fill(T::zero());
        for (dx, dy) in dx.chunks_exact_mut(windows.inputs()).zip(dy.chunks_exact(windows.outputs())) {
            windows.each(|output, window, places| {
                let n = if self.padding { places } else { window.count() };
                let share = dy[output] / T::of(n as f64);
                window.each(|input| dx[input] += share);
            });
        }
    }
}
