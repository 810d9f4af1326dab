use std::sync::Arc;

use chainrule_core::{Described, Range, describe, described};
use ndarray::Array2;

use super::spectrum::{Spectrum, projected};
use super::{Features, Transform, TransformError};

const NAME: &str = "whiten";

/// ZCA whitening: the columns stay near to what they are, but none goes with another, and all have the deviation 1 (Bell and Sejnowski
/// 1997).
///
/// ```text
/// y = W (x - mean)        W = Σ_k u_k u_kᵀ / √(λ_k + ε)
/// ```
///
/// λ and u are the variances and directions of [`PrincipalComponents`](super::PrincipalComponents), by LAPACK as there.
#[derive(Clone, Debug)]
pub struct Whiten {
    epsilon: f64,
    mean: Option<Vec<f64>>,
    weights: Option<Vec<Vec<f64>>>,
}

describe! {
    /// ZCA whitening: columns of the deviation 1 of which none goes with another, near to what they were.
    Whiten = "whiten";
    aliases ["zca", "zca_whitening"];
    formula "y = Σ u uᵀ / √(λ + ε) (x - mean)";
    source "Bell and Sejnowski 1997, \"The 'independent components' of natural scenes are edge filters\"";
    settings {
        /// What is added to each variance, so that directions with almost none do not become large.
        epsilon: 1e-5, Range::NOT_NEGATIVE;
        /// The mean of each column, learnt.
        mean: none;
        /// For each column here the weights of the columns that it is made of, learnt.
        weights: none;
    }
}

impl Default for Whiten {
    /// With ε = 10⁻⁵.
    fn default() -> Self {
        Self { epsilon: 1e-5, mean: None, weights: None }
    }
}

impl Whiten {
    /// With another ε.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }
}

impl Transform for Whiten {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        self.check_ranges()?;
        let Spectrum { mean, variances, directions } = Spectrum::of(NAME, features)?;
        let factor = |variance: f64| {
            let deviation = (variance + self.epsilon).sqrt();
            if deviation > 0.0 { 1.0 / deviation } else { 0.0 }
        };
        let factors = variances.mapv(factor);
        let scaled: Array2<f64> = &directions * &factors.insert_axis(ndarray::Axis(1));
        let weights = directions.t().dot(&scaled);
        let weights = weights.rows().into_iter().map(|row| row.to_vec()).collect();
        Ok(Arc::new(Self { mean: Some(mean.to_vec()), weights: Some(weights), ..self.clone() }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let learnt = self.mean.as_ref().zip(self.weights.as_ref());
        let (mean, weights) = learnt.ok_or(TransformError::NotFitted { transform: NAME })?;
        let name = |index: usize| features.columns()[index].name().to_owned();
        if weights.len() != mean.len() {
            let problem = format!("there have to be {} rows of weights", mean.len());
            return Err(TransformError::Damaged { transform: NAME, problem });
        }
        projected(NAME, features, mean, weights, &name)
    }
}
