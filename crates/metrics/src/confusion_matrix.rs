//! The confusion matrix.

use std::fmt;

use chainrule_tensor::{Real, Target};
use ndarray::{Array2, ArrayView2, s};

use crate::metric::{class, predicted};
use crate::{Measure, Mergeable, Metric};

/// The confusion matrix: how often each class (column) was predicted for each true class (row). Its value is the accuracy.
///
/// It has a row and a column per column of the outputs (two, if the outputs have one), and grows with the outputs but
/// never with a label, since a wrong one could request any amount of memory. Samples outside of the matrix count as wrong,
/// in [`uncounted`](Self::uncounted).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfusionMatrix {
    counts: Array2<u64>,
    uncounted: u64,
}

impl ConfusionMatrix {
    /// A matrix for this many classes. It grows if the outputs have more columns.
    pub fn new(classes: usize) -> Self {
        Self { counts: Array2::zeros((classes, classes)), uncounted: 0 }
    }

    /// The counts, `[classes, classes]`: rows are true classes, columns predicted ones.
    pub fn counts(&self) -> ArrayView2<'_, u64> {
        self.counts.view()
    }

    /// The number of samples outside of the matrix: those with a NaN output, or a class beyond its rows.
    pub fn uncounted(&self) -> u64 {
        self.uncounted
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

impl Metric for ConfusionMatrix {
    fn name(&self) -> &'static str {
        "confusion accuracy"
    }

    fn reset(&mut self) {
        self.counts.fill(0);
        self.uncounted = 0;
    }

    fn value(&self) -> f64 {
        self.counts.diag().sum() as f64 / (self.counts.sum() + self.uncounted) as f64
    }

    fn counts(&self) -> Option<Vec<f64>> {
        let all = self.counts.iter().chain([&self.uncounted]);
        Some(all.map(|&count| count as f64).collect())
    }

    fn restore(&mut self, counts: &[f64]) -> Option<()> {
        let (&uncounted, cells) = counts.split_last()?;
        let classes = cells.len().isqrt();
        let cells = cells.iter().map(|&count| count as u64).collect();
        self.counts = Array2::from_shape_vec((classes, classes), cells).ok()?;
        self.uncounted = uncounted as u64;
        Some(())
    }
}

impl<T: Real, Y: Target<T>> Measure<T, Y> for ConfusionMatrix {
    fn update(&mut self, y: ArrayView2<'_, T>, targets: &[Y]) {
        self.grow(if y.ncols() == 1 { 2 } else { y.ncols() });
        for (row, target) in y.rows().into_iter().zip(targets) {
            let cell = class(target).zip(predicted(row, 0.0));
            match cell.and_then(|cell| self.counts.get_mut(cell)) {
                Some(count) => *count += 1,
                None => self.uncounted += 1,
            }
        }
    }
}

impl Mergeable for ConfusionMatrix {
    fn merge(&mut self, other: &Self) {
        self.grow(other.counts.nrows());
        let classes = other.counts.nrows();
        let mut shared = self.counts.slice_mut(s![..classes, ..classes]);
        shared += &other.counts;
        self.uncounted += other.uncounted;
    }
}

impl fmt::Display for ConfusionMatrix {
    /// A table with the true classes as rows and the predicted ones as columns.
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
