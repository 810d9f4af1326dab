//! The logarithm of the hyperbolic cosine.

use chainrule_core::{describe, described};
use chainrule_tensor::{Outputs, Real};

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The logarithm of the hyperbolic cosine, `L = 1/n Σⱼ ln cosh(yⱼ - tⱼ)` over the n columns, with the gradient `1/n tanh(y - t)`:
/// about `e²/2` near the target and `|e| - ln 2` far away. It is computed as `|e| + ln(1 + exp(-2 |e|)) - ln 2`, in which nothing
/// overflows. As in Keras and optax. Targets are finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogCosh;

describe! {
    /// The logarithm of the hyperbolic cosine of the error.
    LogCosh = "log_cosh";
    formula "L = 1/n Σ ln cosh(y - t)";
    source "Keras";
}

impl Criterion for LogCosh {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("LogCosh")
    }

    described!(validate);
}

impl ColumnLoss for LogCosh {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        let error = (y - t).abs();
        // ln cosh e = e²/2 (1 - e²/6 + ...): where e is small, the difference below would have no digit left.
        let near = 0.5 * error * error * (1.0 - error * error / 6.0);
        let far = error + ((-2.0 * error).fast_exp().fast_ln_1p() - std::f64::consts::LN_2);
        if error < 1e-3 { near } else { far }
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        (y - t).fast_tanh()
    }
}

column_loss!(LogCosh);
