//! The loss of quantiles.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use crate::total::weighted;
use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The quantile or pinball loss `L = 1/n Σⱼ max(q (tⱼ - yⱼ), (q - 1) (tⱼ - yⱼ))` over the n columns, whose minimum is the
/// quantile q of the targets (Koenker and Bassett 1978): outputs that are too small cost q, those that are too large 1 - q. The
/// gradient is `-q/n` below the target, `(1 - q)/n` above it, and 0 at it. With q = 1/2 it is half the
/// [`MeanAbsoluteError`](crate::MeanAbsoluteError), for the median. Targets are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// The quantile q, from 0 to 1.
    pub quantile: f64,
}

impl Default for Quantile {
    fn default() -> Self {
        Self { quantile: 0.5 }
    }
}

describe! {
    /// The pinball loss, whose minimum is a quantile of the targets.
    Quantile = "quantile";
    aliases ["pinball", "pinball_loss", "quantile_loss"];
    formula "L = 1/n Σ max(q (t - y), (q - 1) (t - y))";
    source "Koenker and Bassett 1978";
    settings {
        /// The quantile q.
        quantile ("q", "alpha"): 0.5, Range::UNIT;
    }
}

impl Criterion for Quantile {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("Quantile")
    }

    described!(validate);
}

impl ColumnLoss for Quantile {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        let missing = t - y;
        let factor = if missing > 0.0 { self.quantile } else { self.quantile - 1.0 };
        weighted(factor, missing)
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        let missing = t - y;
        let slope = if missing > 0.0 { -self.quantile } else { missing };
        if missing < 0.0 { 1.0 - self.quantile } else { slope }
    }
}

column_loss!(Quantile);
