//! The loss of normal distributions.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The negative log-likelihood of normal distributions, `L = 1/n Σⱼ ½ (ln vⱼ + (μⱼ - tⱼ)² / vⱼ)`, for 2n outputs: the n means μ,
/// then the n variances v; a target has n values. The gradients are `1/n (μ - t) / v` and `1/2n (1/v - (μ - t)² / v²)`
/// (Nix and Weigend 1994).
///
/// Variances are at least ε, and the gradient is that there, as in PyTorch's `GaussianNLLLoss`; a network gets positive ones by a
/// softplus. With [`full`](Self::full), `½ ln 2π` is added, which no output changes. Targets are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianNll {
    /// Whether `½ ln 2π` is added.
    pub full: bool,
    /// The minimum of a variance, ε.
    pub eps: f64,
}

impl Default for GaussianNll {
    fn default() -> Self {
        Self { full: false, eps: 1e-6 }
    }
}

describe! {
    /// The negative log-likelihood of normal distributions; the outputs are means, then variances.
    GaussianNll = "gaussian_nll";
    aliases ["gaussian_nll_loss"];
    formula "L = 1/n Σ ½ (ln v + (μ - t)² / v)";
    source "Nix and Weigend 1994";
    settings {
        /// Whether ½ ln 2π is added.
        full: false;
        /// The minimum of a variance.
        eps ("epsilon"): 1e-6, Range::POSITIVE;
    }
}

impl Criterion for GaussianNll {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("GaussianNll").in_parts(2)
    }

    described!(validate);
}

impl VectorLoss for GaussianNll {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let n = t.len() as f64;
        let (means, variances) = y.split_at(t.len());
        let (of_means, of_variances) = slopes.split_at_mut(t.len());
        let constant = if self.full { 0.5 * std::f64::consts::TAU.ln() } else { 0.0 };
        let mut total = 0.0;
        for (column, (&mean, &v)) in means.iter().zip(variances).enumerate() {
            let v = if v < self.eps { self.eps } else { v };
            let error = mean - t[column];
            // In this order no square is too large.
            let slope = error / v;
            total += 0.5 * (v.ln() + error * slope) + constant;
            of_means[column] = slope / n;
            of_variances[column] = 0.5 * (1.0 / v - slope * slope) / n;
        }
        total / n
    }
}

vector_loss!(GaussianNll);
