//! The accuracy.

use chainrule_tensor::{Real, Target};
use ndarray::ArrayView2;

use crate::metric::{class, predicted};
use crate::{Measure, Mergeable, Metric};

/// The accuracy: the fraction of samples whose maximum output is at the target's class.
///
/// A single column is a binary output: class 1 above the threshold, which is 0 (for logits) unless it is set. A row with
/// a NaN counts as wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accuracy {
    threshold: f64,
    right: u64,
    seen: u64,
}

impl Accuracy {
    /// An accuracy with this threshold for outputs of one column: 0.5 for probabilities.
    pub fn with_threshold(threshold: f64) -> Self {
        Self { threshold, ..Self::default() }
    }
}

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn reset(&mut self) {
        (self.right, self.seen) = (0, 0);
    }

    fn value(&self) -> f64 {
        self.right as f64 / self.seen as f64
    }

    fn counts(&self) -> Option<Vec<f64>> {
        Some(vec![self.right as f64, self.seen as f64])
    }

    fn restore(&mut self, counts: &[f64]) -> Option<()> {
        let &[right, seen] = counts else { return None };
        (self.right, self.seen) = (right as u64, seen as u64);
        Some(())
    }
}

impl<T: Real, Y: Target<T>> Measure<T, Y> for Accuracy {
    fn update(&mut self, y: ArrayView2<'_, T>, targets: &[Y]) {
        for (row, target) in y.rows().into_iter().zip(targets) {
            let found = predicted(row, self.threshold);
            self.right += u64::from(found.is_some() && found == class(target));
            self.seen += 1;
        }
    }
}

impl Mergeable for Accuracy {
    fn merge(&mut self, other: &Self) {
        self.right += other.right;
        self.seen += other.seen;
    }
}
