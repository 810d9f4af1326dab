//! The squared hinge loss.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The squared hinge loss `L = 1/n Σⱼ max(1 - tⱼ yⱼ, 0)²` over the n columns, with the gradient `-2t/n max(1 - t y, 0)`. Targets are
/// -1 and 1; 0 counts as -1, as in Keras, and so does every column but that of the class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SquaredHinge;

describe! {
    /// The square of the hinge loss, which has no kink.
    SquaredHinge = "squared_hinge";
    formula "L = 1/n Σ max(1 - t y, 0)²; t = ±1";
    source "Keras";
}

impl Criterion for SquaredHinge {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::signs("SquaredHinge")
    }

    described!(validate);
}

/// `max(1 - t y, 0)`.
#[inline(always)]
fn missing(y: f64, t: f64) -> f64 {
    let missing = 1.0 - t * y;
    if missing < 0.0 { 0.0 } else { missing }
}

impl ColumnLoss for SquaredHinge {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        missing(y, t) * missing(y, t)
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        -2.0 * t * missing(y, t)
    }
}

column_loss!(SquaredHinge);
