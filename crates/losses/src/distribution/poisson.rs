//! The loss of rates.

use chainrule_core::{describe, described};
use chainrule_tensor::{Outputs, Real};

use crate::total::weighted;
use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// What is added to a rate before its logarithm, as in Keras.
const EPSILON: f64 = 1e-7;

/// The loss of counts `L = 1/n Σⱼ (yⱼ - tⱼ ln(yⱼ + 10⁻⁷))` over the n columns, where the outputs are the rates of Poisson
/// distributions, with the gradient `1/n (1 - t / (y + 10⁻⁷))`: Keras' `Poisson`. [`PoissonNll`](struct@crate::PoissonNll) takes the
/// logarithms of the rates instead, which may be any numbers; a negative rate has no loss, but gives NaN. Targets are at least 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Poisson;

describe! {
    /// The loss of counts whose rates are the outputs.
    Poisson = "poisson";
    formula "L = 1/n Σ (y - t ln(y + 10⁻⁷))";
    source "Keras";
}

impl Criterion for Poisson {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::not_negative("Poisson")
    }

    described!(validate);
}

impl ColumnLoss for Poisson {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        // Of an infinite y it grows faster than its logarithm.
        if y == f64::INFINITY { y } else { y - weighted(t, (y + EPSILON).fast_ln()) }
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        1.0 - weighted(t, 1.0 / (y + EPSILON))
    }
}

column_loss!(Poisson);
