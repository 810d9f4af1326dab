//! The p-norm of each window.

use chainrule_core::{DescriptionError, Entry, Label, Range, Settings, Value, entry};
use chainrule_tensor::Real;

use super::pool::Pool;
use super::pool_windows::{PoolWindow, PoolWindows};
use super::rule::{MaxIndices, PoolRule, PoolValues};
use crate::axes::Axes;
use crate::axes::NameOfAxes;

/// `y = (Σ |x|ᵖ)^(1/p)` over each window: the rule of [`LpPool2d`] and its relatives. With `p = 1` it is the sum of the absolute
/// values; the larger `p`, the closer to their maximum.
///
/// It is computed as `y = m s^(1/p)`, `s = Σ (|x| / m)ᵖ`, from the maximum `m` of `|x|`, so that no power overflows or vanishes.
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
    const NAME: &'static str = "Lp";
    const ENTRY: Entry = entry! {
        /// The p-norm of each window.
        LpPool = "lp_pool";
        formula "y = (Σ |x|ᵖ)^(1/p)";
        settings {
            /// The exponent.
            p ("norm_type"): required, Range::AT_LEAST_ONE;
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
        }
    };
    const NAMES: [NameOfAxes; 3] =
        [("LpPool1d", "lp_pool1d", &[]), ("LpPool2d", "lp_pool2d", &[]), ("LpPool3d", "lp_pool3d", &[])];

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("p").map(|p| Self { p })
    }

    fn values(self, mut pooling: Vec<Value>) -> Vec<Value> {
        pooling.insert(0, self.p.into());
        pooling
    }

    fn relabel(self, pooling: Label) -> Label {
        pooling.with("p", self.p)
    }

    fn invalid_setting(self) -> Option<(&'static str, &'static str)> {
        let valid = self.p >= 1.0 && self.p.is_finite();
        (!valid).then_some(("a p of at least 1", "set p to a finite number of at least 1"))
    }

    fn forward<T: Real>(self, windows: &PoolWindows, x: &[T], y: &mut [T], _: &mut MaxIndices) {
        for (x, y) in x.chunks_exact(windows.inputs()).zip(y.chunks_exact_mut(windows.outputs())) {
            windows.each(|output, window, _| {
                let m = maximum(x, &window);
                y[output] = m;
                if m > T::zero() && m.is_finite() {
                    let mut s = 0.0;
                    window.each(|input| s += power(x[input].abs() / m, self.p).as_f64());
                    y[output] = m * T::of(power(s, 1.0 / self.p));
                }
            });
        }
    }

    fn add_gradient<T: Real, S: Real>(
        self,
        windows: &PoolWindows,
        PoolValues { x, dy, .. }: PoolValues<'_, T>,
        _: &[u32],
        dx: &mut [S],
    ) {
        let exponent = self.p - 1.0;
        windows.each(|output, window, _| {
            let m = maximum(x, &window);
            if m == T::zero() {
                return;
            }
            // (|x| / y)ᵖ⁻¹ = (|x| / m)ᵖ⁻¹ / s^((p - 1)/p): y itself has been rounded, which a large p would magnify.
            let mut s = 0.0;
            window.each(|input| s += power(x[input].abs() / m, self.p).as_f64());
            let factor = dy[output] * T::of(power(s, -exponent / self.p));
            window.each(|input| {
                if x[input] != T::zero() {
                    let term = factor * power(x[input].abs() / m, exponent) * x[input].signum();
                    dx[input] += S::of(term.as_f64());
                }
            });
        });
    }

    fn backward<T: Real>(
        self,
        windows: &PoolWindows,
        values: PoolValues<'_, T>,
        _: &MaxIndices,
        dx: &mut [T],
    ) {
        values.each_sample(windows, dx, |_, sample, dx| self.add_gradient(windows, sample, &[], dx));
    }
}

/// The maximum of `|x|` in a window; NaN counts as greater than any number.
#[inline(always)]
fn maximum<T: Real>(x: &[T], window: &PoolWindow<'_>) -> T {
    let mut m = T::zero();
    window.each(|input| {
        let value = x[input].abs();
        m = if value <= m || m.is_nan() { m } else { value };
    });
    m
}

/// `baseᵖ`, without the general function for the usual exponents.
#[inline(always)]
fn power<T: Real>(base: T, p: f64) -> T {
    if p == 2.0 {
        base * base
    } else if p == 1.0 {
        base
    } else if p == 0.5 {
        base.sqrt()
    } else {
        base.powf(T::of(p))
    }
}
