use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::setters::setters;
use crate::sign::sign;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Update, UpdateRule};

/// Rprop, resilient backpropagation (Riedmiller and Braun 1993): each parameter has a step size of its own, which grows while
/// the sign of the gradient stays and shrinks when it changes. For gradients of the whole data set, not of batches.
///
/// ```text
/// s ← min(η₊ s, largest)          where the sign stayed
/// s ← max(η₋ s, smallest), g ← 0  where the sign changed
/// p ← p - s sign(g)
/// ```
///
/// The first size is the learning rate of the first step; later rates are not used. Defaults are
/// PyTorch's: η₋ 0.5, η₊ 1.2, and sizes from 1e-6 to 50.
#[derive(Clone, Debug)]
pub struct Rprop {
    rate: Arc<dyn Schedule>,
    etas: [f64; 2],
    step_sizes: [f64; 2],
}

describe! {
    /// Rprop: each parameter has a step size of its own, which follows the signs of its gradients.
    Rprop = "rprop";
    formula "p ← p - s sign(g), with s ← s η₊ while the sign stays and s ← s η₋ when it changes";
    source "Riedmiller and Braun 1993";
    settings {
        /// The first step size: a number, or a schedule of which only the rate at the first step counts.
        rate as "lr" ("learning_rate"): 0.01;
        /// What a step size is multiplied by when the sign changes, η₋, and while it stays, η₊.
        etas: [0.5, 1.2], Range::POSITIVE;
        /// The smallest and the largest step size.
        step_sizes: [1e-6, 50.0], Range::NOT_NEGATIVE;
    }
}

/// Rprop with this first step size; often 1e-2.
pub fn rprop(rate: impl Schedule + 'static) -> Rprop {
    Rprop { rate: Arc::new(rate), etas: [0.5, 1.2], step_sizes: [1e-6, 50.0] }
}

setters! { Rprop;
    /// What a step size is multiplied by when the sign changes, η₋ in `(0, 1)`, and while it stays, η₊ above 1.
    etas(changed: f64, stayed: f64) => etas = [changed, stayed];
    /// The smallest and the largest step size.
    step_sizes(smallest: f64, largest: f64) => step_sizes = [smallest, largest];
}

impl Optimizer for Rprop {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Rprop {
    fn start(&self, pass: Update<'_, T>) {
        let rate = T::of(self.rate.rate(pass.step));
        let (_, _, [_, size]) = pass.split();
        size.fill(rate);
    }

    fn update(&self, pass: Update<'_, T>) {
        let (zero, one) = (T::zero(), T::one());
        let [[changed, stayed], [smallest, largest]] =
            [self.etas, self.step_sizes].map(|pair| pair.map(T::of));
        let (p, grads, [last, size]) = pass.split();
        each!(
            [p, last, size] = |g: grads| {
                let sign_of_g = sign(g);
                let sign_of_both = sign_of_g * sign(last);
                let not_stayed = if sign_of_both < zero { changed } else { one };
                let factor = if sign_of_both > zero { stayed } else { not_stayed };
                let size = factor * size;
                let size = if size < smallest { smallest } else { size };
                let size = if size > largest { largest } else { size };
                let [g, sign_of_g] = if sign_of_both < zero { [zero; 2] } else { [g, sign_of_g] };
                [p - size * sign_of_g, g, size]
            }
        );
    }

    fn bound(&self, Bounds { params, grads, state, .. }: Bounds<'_>) -> f64 {
        let [last, size] = state else { return f64::INFINITY };
        let grown = self.etas[1].max(1.0) * *size;
        *last = *grads;
        *size = grown.clamp(self.step_sizes[0], self.step_sizes[1]);
        *params += *size;
        params.max(*grads).max(grown)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        let settings = SettingCheck("Rprop");
        let [[changed, stayed], [smallest, largest]] = [self.etas, self.step_sizes];
        settings.range(
            changed > 0.0 && changed < 1.0,
            "the first of etas",
            changed,
            "above 0 and below 1",
        )?;
        settings.range(
            stayed > 1.0 && stayed.is_finite(),
            "the second of etas",
            stayed,
            "a finite number above 1",
        )?;
        settings.range(
            smallest <= largest,
            "the first of step_sizes",
            smallest,
            "no more than the second",
        )?;
        settings.range(T::of(smallest) > T::zero(), "the first of step_sizes", smallest, "above 0")?;
        settings.range(T::of(largest).is_finite(), "the second of step_sizes", largest, "a finite number")
    }
}
