//! The cosine of the outputs and their targets.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use super::distance::{Pair, PairSlopes, add_cosine_slopes, cosine};
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The minimum of a norm that is divided by, as in Keras.
const MIN_NORM: f64 = 1e-7;

/// The negative cosine of the outputs and their target, `L = -y·t / (‖y‖ ‖t‖)`, from -1, where they have one direction, to 1: as in
/// Keras. The gradient is `-(t/‖t‖ + L y/‖y‖) / ‖y‖`. Norms are at least 10⁻⁷. Targets are finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineSimilarity;

describe! {
    /// The negative cosine of the outputs and their target.
    CosineSimilarity = "cosine_similarity";
    aliases ["cosine"];
    formula "L = -y·t / (‖y‖ ‖t‖)";
    source "Keras";
}

impl Criterion for CosineSimilarity {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("CosineSimilarity")
    }

    described!(validate);
}

impl VectorLoss for CosineSimilarity {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let pair = Pair { a: y, b: t };
        add_cosine_slopes(pair, MIN_NORM, -1.0, PairSlopes { da: slopes, db: &mut [] });
        -cosine(pair, MIN_NORM)
    }
}

vector_loss!(CosineSimilarity);
