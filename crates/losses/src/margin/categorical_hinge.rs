//! Keras' hinge loss for classes.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use crate::total::weighted;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The hinge loss for classes as Keras has it, `L = max(1 + maxⱼ (1 - tⱼ) yⱼ - Σⱼ tⱼ yⱼ, 0)`. The class itself takes part in the inner
/// maximum, with 0, so that it also has to be above 1: [`MulticlassHinge`](crate::MulticlassHinge) is the loss without that. Where it
/// is not 0, the gradient is `1[largest] (1 - t) - t`. Targets are from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CategoricalHinge;

describe! {
    /// 0 where the output of the class is above 1 and ahead of all others by 1.
    CategoricalHinge = "categorical_hinge";
    formula "L = max(1 + max((1 - t) y) - Σ t y, 0)";
    source "Keras";
}

impl Criterion for CategoricalHinge {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("CategoricalHinge")
    }

    described!(validate);
}

impl VectorLoss for CategoricalHinge {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let mut other = f64::NEG_INFINITY;
        let mut at = 0;
        let mut wanted = 0.0;
        for (column, (&y, &t)) in y.iter().zip(t).enumerate() {
            let value = weighted(1.0 - t, y);
            if value > other || value.is_nan() && !other.is_nan() {
                other = value;
                at = column;
            }
            wanted += weighted(t, y);
        }
        let loss = 1.0 + other - wanted;
        if loss <= 0.0 {
            return 0.0;
        }
        slopes.iter_mut().zip(t).for_each(|(slope, t)| *slope = -t);
        if let Some(slope) = slopes.get_mut(at) {
            *slope += 1.0 - t[at];
        }
        loss
    }
}

vector_loss!(CategoricalHinge);
