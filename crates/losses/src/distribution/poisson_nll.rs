//! The loss of counts.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Outputs, Real};

use crate::total::weighted;
use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The negative log-likelihood of counts `L = 1/n Σⱼ (exp zⱼ - tⱼ zⱼ)` over the n columns, where the outputs z are the logarithms
/// of the rates of Poisson distributions, with the gradient `1/n (exp z - t)`: without `ln t!`, which no output changes, as in
/// PyTorch's `PoissonNLLLoss`. Targets are at least 0.
///
/// Without [`log_input`](Self::log_input) the outputs are the rates, and a term is `y - t ln(y + ε)`. With [`full`](Self::full),
/// Stirling's approximation of `ln t!` is added where t is above 1: `t ln t - t + ½ ln 2πt`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNll {
    /// Whether the outputs are the logarithms of the rates.
    pub log_input: bool,
    /// Whether Stirling's approximation of `ln t!` is added.
    pub full: bool,
    /// What is added to a rate before its logarithm, ε, where the outputs are rates.
    pub eps: f64,
}

/// The loss of the logarithms of rates, without `ln t!`: `PoissonNll::default()`.
#[allow(non_upper_case_globals, reason = "a loss is a value, written like the losses that have no settings")]
pub const PoissonNll: PoissonNll = PoissonNll { log_input: true, full: false, eps: 1e-8 };

impl Default for PoissonNll {
    fn default() -> Self {
        PoissonNll
    }
}

describe! {
    /// The negative log-likelihood of counts; the outputs are logarithms of rates, or rates.
    PoissonNll = "poisson_nll";
    aliases ["poisson_nll_loss"];
    formula "L = 1/n Σ (exp z - t z)";
    source "PyTorch";
    settings {
        /// Whether the outputs are the logarithms of the rates.
        log_input: true;
        /// Whether Stirling's approximation of ln t! is added.
        full: false;
        /// What is added to a rate before its logarithm.
        eps ("epsilon"): 1e-8, Range::NOT_NEGATIVE;
    }
}

impl Criterion for PoissonNll {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::not_negative("PoissonNll")
    }

    described!(validate);
}

/// `t ln t - t + ½ ln 2πt`, about `ln t!`, where t is above 1; 0 elsewhere.
fn stirling(t: f64) -> f64 {
    if t > 1.0 { t * t.ln() - t + 0.5 * (std::f64::consts::TAU * t).ln() } else { 0.0 }
}

impl ColumnLoss for PoissonNll {
    #[inline(always)]
    fn value(&self, z: f64, t: f64) -> f64 {
        let loss = if self.log_input {
            let exp = z.fast_exp();
            // Of an infinite z it grows faster than t z.
            if exp == f64::INFINITY { exp } else { exp - weighted(t, z) }
        } else {
            z - weighted(t, (z + self.eps).fast_ln())
        };
        if self.full { loss + stirling(t) } else { loss }
    }

    #[inline(always)]
    fn derivative(&self, z: f64, t: f64) -> f64 {
        if self.log_input { z.fast_exp() - t } else { 1.0 - weighted(t, 1.0 / (z + self.eps)) }
    }
}

column_loss!(PoissonNll);
