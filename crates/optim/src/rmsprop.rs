use std::sync::Arc;

use chainrule_core::SettingCheck;
use chainrule_tensor::each;

use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Update, UpdateRule};

/// RMSprop (Tieleman and Hinton 2012), optionally centered (Graves 2013) and with momentum.
///
/// ```text
/// v ← α v + (1 - α) g²
/// m ← α m + (1 - α) g            centered
/// d = g / (√v + ε)               centered: g / (√(v - m²) + ε)
/// p ← p - η d                    with momentum μ: b ← μ b + d;   p ← p - η b
/// ```
///
/// Defaults are PyTorch's: α 0.99, ε 1e-8, and ε is added outside the root. Where rounding makes `v - m²` negative, it
/// counts as 0.
#[derive(Clone, Debug)]
pub struct RmsProp {
    rate: Arc<dyn Schedule>,
    alpha: f64,
    epsilon: f64,
    momentum: f64,
    centered: bool,
}

/// RMSprop with this learning rate; often 1e-2.
pub fn rmsprop(rate: impl Schedule + 'static) -> RmsProp {
    RmsProp { rate: Arc::new(rate), alpha: 0.99, epsilon: 1e-8, momentum: 0.0, centered: false }
}

impl RmsProp {
    /// The decay rate α of the running means, in `[0, 1)` (Keras' `rho`).
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// The term ε that keeps the denominator above 0.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// The momentum μ, in `[0, 1)`.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// Divides by the gradient's standard deviation instead of its root mean square.
    #[must_use]
    pub fn centered(self) -> Self {
        Self { centered: true, ..self }
    }
}

impl Optimizer for RmsProp {
    fn slots(&self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum != 0.0)
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for RmsProp {
    fn update(&self, pass: Update<'_, T>) {
        let [rate, alpha, rest, epsilon, momentum] =
            [self.rate.rate(pass.step), self.alpha, 1.0 - self.alpha, self.epsilon, self.momentum].map(T::of);
        match (self.centered, self.momentum != 0.0) {
            (false, false) => {
                let (p, grads, [v]) = pass.split();
                each!(
                    [p, v] = |g: grads| {
                        let v = alpha * v + rest * (g * g);
                        [p - rate * (g / (v.sqrt() + epsilon)), v]
                    }
                );
            }
            (false, true) => {
                let (p, grads, [v, b]) = pass.split();
                each!(
                    [p, v, b] = |g: grads| {
                        let v = alpha * v + rest * (g * g);
                        let b = momentum * b + g / (v.sqrt() + epsilon);
                        [p - rate * b, v, b]
                    }
                );
            }
            (true, false) => {
                let (p, grads, [v, m]) = pass.split();
                each!(
                    [p, v, m] = |g: grads| {
                        let v = alpha * v + rest * (g * g);
                        let m = alpha * m + rest * g;
                        [p - rate * (g / (deviation(v, m) + epsilon)), v, m]
                    }
                );
            }
            (true, true) => {
                let (p, grads, [v, m, b]) = pass.split();
                each!(
                    [p, v, m, b] = |g: grads| {
                        let v = alpha * v + rest * (g * g);
                        let m = alpha * m + rest * g;
                        let b = momentum * b + g / (deviation(v, m) + epsilon);
                        [p - rate * b, v, m, b]
                    }
                );
            }
        }
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        if T::of(self.epsilon) < T::min_positive_value() {
            // It may count as 0.
            return f64::INFINITY;
        }
        let square = *grads * *grads;
        let mut change = *grads / self.epsilon;
        if !self.centered {
            // (1 - α) g² ≤ v, where the square is not so small that it counts as 0. Twice that leaves room for rounding.
            let rest = 1.0 - self.alpha;
            let small = (T::min_positive_value().as_f64() / rest).sqrt();
            change = change.min(2.0 * (rest.sqrt().recip() + small / self.epsilon));
        }
        let Some((v, rest)) = state.split_first_mut() else { return f64::INFINITY };
        *v = v.max(square);
        let (means, momenta) = rest.split_at_mut(usize::from(self.centered));
        means.iter_mut().for_each(|m| *m = m.max(*grads));
        for b in momenta {
            *b = self.momentum * *b + change;
            change = *b;
        }
        *params += self.rate.rate(step).abs() * change;
        params.max(change).max(*v + square)
    }

    fn validate(&self) -> Result<(), SettingError> {
        let settings = SettingCheck("RmsProp");
        self.rate.validate()?;
        settings.fraction("alpha", self.alpha)?;
        settings.fraction("momentum", self.momentum)?;
        settings.epsilon::<T>(self.epsilon)
    }
}

/// √(v - m²), or 0 where rounding makes `v - m²` negative.
#[inline(always)]
fn deviation<T: Real>(v: T, m: T) -> T {
    let variance = v - m * m;
    (if variance < T::zero() { T::zero() } else { variance }).sqrt()
}
