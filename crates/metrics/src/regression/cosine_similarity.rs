//! The cosine similarity.

use chainrule_core::Range;
use chainrule_tensor::{Real, Target, TargetError};
use ndarray::ArrayView2;

use super::columns::check;
use crate::definition::definition;
use crate::{Count, MetricValue, RunningMean, Statistic};

definition! {
    /// The cosine similarity: the mean over the samples of the cosine of the angle between outputs and targets.
    CosineSimilarity = "cosine_similarity";
    aliases ["cosine", "cosine_proximity"];
    formula "mean y·t / max(|y| |t|, ε)";
    source "PyTorch's cosine_similarity";
    about "Of outputs y and targets t; a class is its one-hot vector. A row of zeros has the similarity 0.";
    settings {
        /// The least product of lengths that is divided by.
        eps ("epsilon"): f64 = 1e-8, 1e-8, Range::POSITIVE;
    }
}

impl Statistic for CosineSimilarity {
    type Counts = RunningMean;

    fn value(&self, counts: &RunningMean) -> MetricValue {
        counts.value().into()
    }
}

impl<T: Real, Y: Target<T>> Count<T, Y> for CosineSimilarity {
    fn count(&self, counts: &mut RunningMean, y: ArrayView2<'_, T>, targets: &[Y]) {
        for (y, target) in y.rows().into_iter().zip(targets) {
            let weight = if Y::WEIGHTED { target.weight() } else { 1.0 };
            if weight == 0.0 {
                continue;
            }
            let view = target.view();
            let pairs = || y.iter().enumerate().map(|(column, y)| [y.as_f64(), view.at(column).as_f64()]);
            // Divided by the largest values, no square is beyond the range of numbers.
            let largest = |side: usize| pairs().map(|pair| pair[side].abs()).fold(0.0, f64::max);
            let scales = [0, 1].map(|side| if largest(side) == 0.0 { 1.0 } else { largest(side) });
            let [mut product, mut yy, mut tt] = [0.0; 3];
            for [y, t] in pairs() {
                let [y, t] = [y / scales[0], t / scales[1]];
                product += y * t;
                yy += y * y;
                tt += t * t;
            }
            let lengths = yy.sqrt() * tt.sqrt();
            counts.push(product / lengths.max(self.eps / scales[0] / scales[1]), weight);
        }
    }

    fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        check("cosine_similarity", columns, targets, |t| !t.is_nan(), "numbers")
    }
}
