//! Distances of vectors, with their slopes.

use chainrule_core::setting_words;
use chainrule_tensor::vector;

/// How far two vectors are from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Distance {
    /// `‖a - b‖`, PyTorch's `PairwiseDistance`: 10⁻⁶ is added to each difference.
    #[default]
    Euclidean,
    /// `‖a - b‖²`.
    SquaredEuclidean,
    /// `Σ |a - b|`.
    Manhattan,
    /// `1 - cos(a, b)`; norms are at least 10⁻⁸, as in PyTorch's `CosineSimilarity`.
    Cosine,
}

setting_words! {
    Distance {
        Euclidean = "euclidean",
        SquaredEuclidean = "squared_euclidean",
        Manhattan = "manhattan",
        Cosine = "cosine",
    }
}

/// What [`Distance::Euclidean`] adds to each difference.
const DIFFERENCE: f64 = 1e-6;

/// The minimum of a norm that [`Distance::Cosine`] divides by.
const MIN_NORM: f64 = 1e-8;

/// Two vectors of equal length.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) a: &'a [f64],
    pub(super) b: &'a [f64],
}

/// Where the slopes of two vectors are added to.
pub(super) struct PairSlopes<'a> {
    pub(super) da: &'a mut [f64],
    pub(super) db: &'a mut [f64],
}

impl Distance {
    /// The distance.
    pub(super) fn of(self, pair: Pair<'_>) -> f64 {
        match self {
            Self::Euclidean => norm(pair, 2.0, DIFFERENCE),
            Self::SquaredEuclidean => norm(pair, 2.0, 0.0).powi(2),
            Self::Manhattan => norm(pair, 1.0, 0.0),
            Self::Cosine => 1.0 - cosine(pair, MIN_NORM),
        }
    }

    /// Adds `factor` times the derivatives of the distance.
    pub(super) fn add_slopes(self, pair: Pair<'_>, factor: f64, to: PairSlopes<'_>) {
        match self {
            Self::Euclidean => add_norm_slopes(pair, 2.0, DIFFERENCE, factor, to),
            Self::SquaredEuclidean => {
                let twice = 2.0 * norm(pair, 2.0, 0.0);
                add_norm_slopes(pair, 2.0, 0.0, factor * twice, to);
            }
            Self::Manhattan => add_norm_slopes(pair, 1.0, 0.0, factor, to),
            Self::Cosine => add_cosine_slopes(pair, MIN_NORM, -factor, to),
        }
    }
}

/// The norm `(Σⱼ |aⱼ - bⱼ + ε|ᵖ)^(1/p)`; the largest difference where p is infinite.
pub(super) fn norm(Pair { a, b }: Pair<'_>, p: f64, epsilon: f64) -> f64 {
    let sizes = || a.iter().zip(b).map(|(a, b)| (a - b + epsilon).abs());
    if p == 1.0 {
        return sizes().sum();
    }
    if p == 2.0 {
        let square: f64 = sizes().map(|size| size * size).sum();
        if square.is_nan() || (MIN_SQUARE..f64::INFINITY).contains(&square) {
            return square.sqrt();
        }
    }
    let largest =
        sizes().fold(0.0, |largest, size| if size > largest || size.is_nan() { size } else { largest });
    if p.is_infinite() || largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    // No power of a share of the largest is too large.
    largest * sizes().map(|size| (size / largest).powf(p)).sum::<f64>().powf(1.0 / p)
}

/// Below it, some of the squares in a sum may have lost digits.
const MIN_SQUARE: f64 = f64::MIN_POSITIVE / f64::EPSILON;

/// Adds `factor` times the derivatives of [`norm`]: `sign(v) (|v| / ‖v‖)ᵖ⁻¹` of each difference v, and 0 where the norm is 0.
pub(super) fn add_norm_slopes(pair: Pair<'_>, p: f64, epsilon: f64, factor: f64, to: PairSlopes<'_>) {
    let Pair { a, b } = pair;
    let PairSlopes { da, db } = to;
    let norm = norm(pair, p, epsilon);
    if norm == 0.0 {
        return;
    }
    for (j, (a, b)) in a.iter().zip(b).enumerate() {
        let difference = a - b + epsilon;
        let size = difference.abs();
        let slope = if p == 2.0 {
            difference / norm
        } else if difference == 0.0 {
            0.0
        } else if p == 1.0 {
            difference.signum()
        } else if p.is_infinite() {
            if size == norm { difference.signum() } else { 0.0 }
        } else {
            difference.signum() * (size / norm).powf(p - 1.0)
        };
        da[j] += factor * slope;
        db[j] -= factor * slope;
    }
}

/// `cos(a, b) = a·b / (‖a‖ ‖b‖)`, where norms are at least `min_norm`.
pub(super) fn cosine(Pair { a, b }: Pair<'_>, min_norm: f64) -> f64 {
    let [of_a, of_b] = [a, b].map(|v| at_least(vector::norm(v), min_norm));
    // In this order no product is too large.
    a.iter().zip(b).map(|(a, b)| (a / of_a) * (b / of_b)).sum()
}

/// Adds `factor` times the derivatives of [`cosine`]: `(b/‖b‖ - cos a/‖a‖) / ‖a‖` of a, and likewise of b; where a norm is at its
/// minimum, without the second term.
pub(super) fn add_cosine_slopes(pair: Pair<'_>, min_norm: f64, factor: f64, to: PairSlopes<'_>) {
    let Pair { a, b } = pair;
    let PairSlopes { da, db } = to;
    let cos = cosine(pair, min_norm);
    let add = |v: &[f64], other: &[f64], to: &mut [f64]| {
        let own = vector::norm(v);
        let norm = at_least(own, min_norm);
        let other_norm = at_least(vector::norm(other), min_norm);
        let back = if own < min_norm { 0.0 } else { cos };
        for ((to, v), other) in to.iter_mut().zip(v).zip(other) {
            *to += factor * (other / other_norm - back * (v / norm)) / norm;
        }
    };
    add(a, b, da);
    add(b, a, db);
}

/// The larger one; NaN stays NaN.
fn at_least(norm: f64, min: f64) -> f64 {
    if norm < min { min } else { norm }
}
