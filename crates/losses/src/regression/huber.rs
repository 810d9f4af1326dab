//! Huber's loss.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// Huber's loss `L = 1/n Σⱼ h(yⱼ - tⱼ)` over the n columns, with `h(e) = e²/2` where `|e| ≤ δ`, and `δ (|e| - δ/2)` beyond
/// (Huber 1964): quadratic near the target and linear far away, so that outliers count less. Its gradient is
/// `1/n max(-δ, min(e, δ))`. As in PyTorch and Keras. Targets are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    /// Where the loss becomes linear, δ; above 0.
    pub delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

describe! {
    /// Quadratic near the target and linear far away.
    Huber = "huber";
    aliases ["huber_loss"];
    formula "L = 1/n Σ h(y - t); h(e) = e²/2 if |e| ≤ δ, else δ (|e| - δ/2)";
    source "Huber 1964";
    settings {
        /// Where the loss becomes linear, δ.
        delta: 1.0, Range::POSITIVE;
    }
}

impl Criterion for Huber {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("Huber")
    }

    described!(validate);
}

impl ColumnLoss for Huber {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        let error = (y - t).abs();
        let linear = self.delta * (error - 0.5 * self.delta);
        if error > self.delta { linear } else { 0.5 * error * error }
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        let error = y - t;
        let slope = if error > self.delta { self.delta } else { error };
        if error < -self.delta { -self.delta } else { slope }
    }
}

column_loss!(Huber);
