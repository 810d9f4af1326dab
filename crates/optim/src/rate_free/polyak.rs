use std::sync::Arc;

use chainrule_core::{Range, describe, described, setting_words};
use chainrule_tensor::each;

use crate::setters::setters;
use crate::{Optimizer, Real, Schedule, Update, UpdateRule, Whole, vector};

/// What a loss below its minimum means for [`PolyakSgd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolyakVariant {
    /// A step up.
    Sps,
    /// No step.
    SpsPlus,
}

setting_words! { PolyakVariant { Sps = "sps", SpsPlus = "sps+" } }

/// Gradient descent with Polyak's step (Polyak 1987; Loizou et al. 2021): as far as a straight line would go to the minimum of the loss.
///
/// ```text
/// u = s g                        s: a scaling, 1 by default
/// p ← p - min((J - J*) / (‖u‖² + ε), η) u
/// ```
///
/// Defaults are optax': the maximum rate η 1, the minimum of the loss J* 0, ε 0. The norm is over all parameters. It needs the loss, which
/// a trainer knows.
#[derive(Clone, Debug)]
pub struct PolyakSgd {
    max_rate: f64,
    scaling: Arc<dyn Schedule>,
    minimum: f64,
    epsilon: f64,
    variant: PolyakVariant,
}

describe! {
    /// Gradient descent as far as a straight line would go to the minimum of the loss.
    PolyakSgd = "polyak_sgd";
    aliases ["sps"];
    formula "p ← p - min((J - J*) / (‖g‖² + ε), η) g";
    source "Polyak 1987; Loizou et al. 2021";
    settings {
        /// The maximum learning rate η.
        max_rate as "max_learning_rate" ("lr"): 1.0, Range::POSITIVE;
        /// A factor of the gradient, s.
        scaling: 1.0;
        /// The minimum of the loss, J*.
        minimum as "f_min": 0.0, Range::FINITE;
        /// The term ε of the denominator.
        epsilon as "eps": 0.0, Range::NOT_NEGATIVE;
        /// What a loss below the minimum means: a step up for `sps`, none for `"sps+"`.
        variant: sps;
    }
}

/// Polyak's steps with this maximum learning rate; often 1.
pub fn polyak_sgd(max_rate: f64) -> PolyakSgd {
    let scaling = Arc::new(1.0);
    PolyakSgd { max_rate, scaling, minimum: 0.0, epsilon: 0.0, variant: PolyakVariant::Sps }
}

setters! { PolyakSgd;
    /// The minimum of the loss.
    minimum(loss: f64) => minimum = loss;
    /// The term ε of the denominator.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// What a loss below the minimum means.
    variant(variant: PolyakVariant) => variant = variant;
}

impl PolyakSgd {
    /// A factor of the gradient.
    #[must_use]
    pub fn scaling(self, scaling: impl Schedule + 'static) -> Self {
        Self { scaling: Arc::new(scaling), ..self }
    }
}

impl Optimizer for PolyakSgd {
    described!(check_settings);

    fn numbers(&self) -> usize {
        1
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.scaling);
    }
}

impl<T: Real> UpdateRule<T> for PolyakSgd {
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let scaling = self.scaling.rate(whole.step);
        let mut square = 0.0;
        whole.for_each(|Update { grads, .. }| square += vector::sum_squares(grads));
        let square = scaling * scaling * square + self.epsilon;
        let gap = whole.loss - self.minimum;
        let gap = match self.variant {
            PolyakVariant::Sps => gap,
            PolyakVariant::SpsPlus => gap.max(0.0),
        };
        let rate = if square <= T::epsilon().as_f64() { 0.0 } else { (gap / square).min(self.max_rate) };
        let Some(number) = whole.numbers.first_mut() else { return };
        *number = scaling * rate;
    }

    fn update(&self, Update { params: p, grads, numbers, .. }: Update<'_, T>) {
        let rate = T::of(numbers.first().copied().unwrap_or(0.0));
        let grads = &*grads;
        each!(p = |g: grads| p - rate * g);
    }
}
