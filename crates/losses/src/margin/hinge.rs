//! The hinge loss.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The hinge loss `L = 1/n Σⱼ max(1 - tⱼ yⱼ, 0)` over the n columns, of support vector machines (Cortes and Vapnik 1995), with the
/// gradient `-t/n` where a term is not 0. Targets are -1 and 1; 0 counts as -1, as in Keras, and so does every column but that of
/// the class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hinge;

describe! {
    /// 0 where the output has the right sign and is beyond 1.
    Hinge = "hinge";
    aliases ["hinge_loss"];
    formula "L = 1/n Σ max(1 - t y, 0); t = ±1";
    source "Cortes and Vapnik 1995";
}

impl Criterion for Hinge {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::signs("Hinge")
    }

    described!(validate);
}

impl ColumnLoss for Hinge {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        let missing = 1.0 - t * y;
        if missing < 0.0 { 0.0 } else { missing }
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        if 1.0 - t * y > 0.0 { -t } else { 0.0 }
    }
}

column_loss!(Hinge);
