//! Which classes are taken for which.

use std::fmt;

use chainrule_tensor::{Real, Target};
use ndarray::{Array2, ArrayView2, s};

use crate::metric::{class, predicted};
use crate::{Merge, Metric};

/// Counts for each true class (row) how often each class (column) was predicted. Its value is the accuracy.
///
/// A sample whose output is not a number is counted as wrong, in [`unpredicted`](Self::unpredicted).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfusionMatrix {
    counts: Array2<u64>,
    unpredicted: u64,
}

impl ConfusionMatrix {
    /// For this many classes. It grows when it meets a greater one.
    pub fn new(classes: usize) -> Self {
        Self { counts: Array2::zeros((classes, classes)), unpredicted: 0 }
    }

    /// The counts, `[classes, classes]`: rows are true classes, columns predicted ones.
    pub fn counts(&self) -> ArrayView2<'_, u64> {
        self.counts.view()
    }

    /// How many samples had an output that is not a number.
    pub fn unpredicted(&self) -> u64 {
        self.unpredicted
    }

    fn grow(&mut self, classes: usize) {
        let old = self.counts.nrows();
        if classes > old {
            let mut counts = Array2::zeros((classes, classes));
            counts.slice_mut(s![..old, ..old]).assign(&self.counts);
            self.counts = counts;
        }
    }
}

impl<T: Real, Y: Target<T>> Metric<T, Y> for ConfusionMatrix {
    fn name(&self) -> &'static str {
        "confusion accuracy"
    }

    fn reset(&mut self) {
        self.counts.fill(0);
        self.unpredicted = 0;
    }

    fn update(&mut self, y: ArrayView2<'_, T>, targets: &[Y]) {
        for (row, target) in y.rows().into_iter().zip(targets) {
            match (class(target), predicted(row, 0.0)) {
                (Some(truth), Some(found)) => {
                    self.grow(truth.max(found) + 1);
                    self.counts[[truth, found]] += 1;
                }
                _ => self.unpredicted += 1,
            }
        }
    }

    fn value(&self) -> f64 {
        self.counts.diag().sum() as f64 / (self.counts.sum() + self.unpredicted) as f64
    }
}

impl Merge for ConfusionMatrix {
    fn merge(&mut self, other: &Self) {
        self.grow(other.counts.nrows());
        let classes = other.counts.nrows();
        let mut shared = self.counts.slice_mut(s![..classes, ..classes]);
        shared += &other.counts;
        self.unpredicted += other.unpredicted;
    }
}

impl fmt::Display for ConfusionMatrix {
    /// A table with the true classes down and the predicted ones across.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = self.counts.nrows();
        let widest = self.counts.iter().map(|count| count.to_string().len()).max().unwrap_or(1);
        let width = widest.max(classes.to_string().len()) + 1;
        write!(f, "true \\ predicted")?;
        (0..classes).try_for_each(|class| write!(f, "{class:width$}"))?;
        for (class, row) in self.counts.rows().into_iter().enumerate() {
            write!(f, "\n{class:>16}")?;
            row.iter().try_for_each(|count| write!(f, "{count:width$}"))?;
        }
        Ok(())
    }
}
