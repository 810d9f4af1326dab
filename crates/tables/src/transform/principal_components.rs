use std::sync::Arc;

use chainrule_core::{Described, Range, describe, described};

use super::spectrum::{Spectrum, projected};
use super::{Features, Transform, TransformError};

const NAME: &str = "principal_components";

/// The components of the columns along the directions in which they vary most, for columns that go with each other (Pearson 1901).
///
/// ```text
/// y_k = u_k (x - mean) [/ √λ_k]        1/(n-1) Σ (x - mean)(x - mean)ᵀ = Σ λ_k u_k u_kᵀ,  λ₁ ≥ λ₂ ≥ ...
/// ```
///
/// As scikit-learn's `PCA`, also in the sign: the entry of a direction that is largest is positive. The directions are computed by LAPACK,
/// with the feature `lapack`; what has been fitted is applied without it. Columns of other units are standardised before, missing values
/// imputed.
#[derive(Clone, Debug)]
pub struct PrincipalComponents {
    components: Option<usize>,
    whiten: bool,
    mean: Option<Vec<f64>>,
    directions: Option<Vec<Vec<f64>>>,
}

describe! {
    /// Principal components: the columns along the directions in which they vary most.
    PrincipalComponents = "principal_components";
    aliases ["pca"];
    formula "y_k = u_k (x - mean)";
    source "Pearson 1901; scikit-learn's PCA";
    settings {
        /// The number of components; all without it.
        components ("n_components"): none, Range::AT_LEAST_ONE;
        /// Whether each component is divided by its deviation, so that all have the deviation 1.
        whiten: false;
        /// The mean of each column, learnt.
        mean: none;
        /// A direction for each component, divided by the deviation for whitening, learnt.
        directions: none;
    }
}

impl PrincipalComponents {
    /// So many components.
    pub fn new(components: usize) -> Self {
        Self { components: Some(components), ..Self::all() }
    }

    /// As many components as columns.
    pub fn all() -> Self {
        Self { components: None, whiten: false, mean: None, directions: None }
    }

    /// Each component has the deviation 1.
    #[must_use]
    pub fn whiten(self) -> Self {
        Self { whiten: true, ..self }
    }
}

impl Transform for PrincipalComponents {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        self.check_ranges()?;
        let Spectrum { mean, variances, directions } = Spectrum::of(NAME, features)?;
        let count = self.components.unwrap_or(mean.len()).min(mean.len());
        let row = |component: usize| {
            // A direction without variance stays one.
            let deviation = variances[component].sqrt();
            let factor = if self.whiten && deviation > 0.0 { 1.0 / deviation } else { 1.0 };
            directions.row(component).iter().map(|entry| entry * factor).collect()
        };
        let directions = Some((0..count).map(row).collect());
        Ok(Arc::new(Self { mean: Some(mean.to_vec()), directions, ..self.clone() }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let learnt = self.mean.as_ref().zip(self.directions.as_ref());
        let (mean, directions) = learnt.ok_or(TransformError::NotFitted { transform: NAME })?;
        projected(NAME, features, mean, directions, &|index| format!("component {}", index + 1))
    }
}
