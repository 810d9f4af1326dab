//! The p-norm of each window.

use chainrule_tensor::Real;

use super::pool::Pool;
use super::pool_windows::PoolWindows;
use super::rule::{MaxIndices, PoolRule, PoolValues};
use crate::axes::Axes;

/// `y = (Σ |x|ᵖ)^(1/p)` over each window: the rule of [`LpPool2d`] and its relatives. With `p = 1` it is the sum of the absolute
/// values; the larger `p`, the closer to their maximum.
///
/// Backward, `dx = dy sign(x) (|x| / y)ᵖ⁻¹`, and 0 where y is. PyTorch's `LPPool` leaves the absolute value out, so it agrees for
/// even `p`.
#[derive(Clone, Copy, Debug)]
pub struct Lp {
    p: f64,
}

/// Lp pooling of `[channels, length]`.
pub type LpPool1d = Pool<Lp, 1>;
/// Lp pooling of `[channels, height, width]`.
pub type LpPool2d = Pool<Lp, 2>;
/// Lp pooling of `[channels, depth, height, width]`.
pub type LpPool3d = Pool<Lp, 3>;

impl<const N: usize> Pool<Lp, N> {
    /// A pooling with the norm of this exponent, at least 1, and windows of this size: one number for all axes, or one for each.
    pub fn new(p: f64, kernel: impl Axes<N>) -> Self {
        Self::with(Lp { p }, kernel)
    }
}

impl PoolRule for Lp {
    const INDEXED: bool = false;

    fn invalid_setting(self) -> Option<(&'static str, &'static str)> {
        let valid = self.p >= 1.0 && self.p.is_finite();
        (!valid).then_some(("any samples, with p at least 1,", "set p to a finite number of at least 1"))
    }

    fn forward<T: Real>(self, windows: &PoolWindows, x: &[T], y: &mut [T], _: &mut MaxIndices) {
        let (p, root) = (T::of(self.p), T::of(1.0 / self.p));
        for (x, y) in x.chunks_exact(windows.inputs()).zip(y.chunks_exact_mut(windows.outputs())) {
            windows.each(|output, window, _| {
                let mut sum = T::zero();
                window.each(|input| sum += x[input].abs().powf(p));
                y[output] = sum.powf(root);
            });
        }
    }

    fn backward<T: Real>(
        self,
        windows: &PoolWindows,
        values: PoolValues<'_, T>,
        _: &MaxIndices,
        dx: &mut [T],
    ) {
        let PoolValues { x, y, dy } = values;
        let exponent = T::of(self.p - 1.0);
        let (inputs, outputs) = (windows.inputs(), windows.outputs());
        dx.fill(T::zero());
        let samples = x.chunks_exact(inputs).zip(dx.chunks_exact_mut(inputs));
        for ((x, dx), (y, dy)) in samples.zip(y.chunks_exact(outputs).zip(dy.chunks_exact(outputs))) {
            windows.each(|output, window, _| {
                if y[output] != T::zero() {
                    window.each(|input| {
                        let power = (x[input].abs() / y[output]).powf(exponent);
                        let derivative =
                            if x[input] == T::zero() { T::zero() } else { power * x[input].signum() };
                        dx[input] += dy[output] * derivative;
                    });
                }
            });
        }
    }
}
