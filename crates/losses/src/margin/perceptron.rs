//! The losses of the perceptron.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use super::multiclass_hinge::ahead;
use crate::{ColumnLoss, Criterion, Domain, Row, VectorLoss, column_loss, vector_loss};

/// The loss of the perceptron `L = 1/n Σⱼ max(-tⱼ yⱼ, 0)` over the n columns (Rosenblatt 1958), with the gradient `-t/n` where a term
/// is not 0. As in optax. Targets are -1 and 1; 0 counts as -1, and so does every column but that of the class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Perceptron;

describe! {
    /// 0 where the output has the right sign.
    Perceptron = "perceptron";
    aliases ["perceptron_loss"];
    formula "L = 1/n Σ max(-t y, 0); t = ±1";
    source "Rosenblatt 1958";
}

impl Criterion for Perceptron {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::signs("Perceptron")
    }

    described!(validate);
}

impl ColumnLoss for Perceptron {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        let missing = -t * y;
        if missing < 0.0 { 0.0 } else { missing }
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        if t * y < 0.0 { -t } else { 0.0 }
    }
}

column_loss!(Perceptron);

/// The loss of the perceptron for classes, `L = maxⱼ yⱼ - Σⱼ tⱼ yⱼ`, with the gradient `1[largest] - t`. As in optax. Targets are from
/// 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MulticlassPerceptron;

describe! {
    /// 0 where the output of the class is the largest.
    MulticlassPerceptron = "multiclass_perceptron";
    aliases ["multiclass_perceptron_loss"];
    formula "L = max y - Σ t y";
    source "Collins 2002";
}

impl Criterion for MulticlassPerceptron {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("MulticlassPerceptron")
    }

    described!(validate);
}

impl VectorLoss for MulticlassPerceptron {
    fn row(&self, row: Row<'_>) -> f64 {
        ahead(row, 0.0)
    }
}

vector_loss!(MulticlassPerceptron);
