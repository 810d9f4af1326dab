//! The confusion matrix.

use std::fmt;

use chainrule_core::SettingError;
use ndarray::{ArrayView2, ShapeBuilder};

use crate::{ClassMetric, Decided, Decision, Mergeable, Metric, class_metric};

/// The confusion matrix: how often each class (column) was predicted for each true class (row). Its value is the accuracy.
///
/// It has a row and a column per column of the outputs, and grows with the outputs but never with a label, since a wrong one
/// could request any amount of memory. Samples outside of the matrix count as wrong, in [`uncounted`](Self::uncounted).
///
/// Outputs of a single column decide between no (0) and yes (1), by a threshold that is 0 for logits and 0.5 for
/// [probabilities](Self::from_probabilities). With [`labels`](Self::labels), each column does, and all are counted in one matrix.
///
/// ```
/// use chainrule_metrics::{ConfusionMatrix, Measure};
/// use ndarray::array;
/// let mut matrix = ConfusionMatrix::from_probabilities();
/// matrix.update(array![[0.2], [0.8]].view(), &[0u8, 1]);
/// assert_eq!(matrix.counts(), array![[1, 0], [0, 1]]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfusionMatrix {
    decision: Decision,
    classes: usize,
    /// Row by row, `[classes, classes]`.
    counts: Vec<u64>,
    uncounted: u64,
}

/// The matrix of logits, which takes its size from the outputs: `ConfusionMatrix::default()`.
#[allow(non_upper_case_globals, reason = "a metric is a value, written like a loss or a layer")]
pub const ConfusionMatrix: ConfusionMatrix =
    ConfusionMatrix { decision: Decision::LOGITS, classes: 0, counts: Vec::new(), uncounted: 0 };

impl ConfusionMatrix {
    /// A matrix for this many classes. It grows if the outputs have more columns.
    pub fn new(classes: usize) -> Self {
        let mut matrix = Self::default();
        matrix.prepare(classes);
        matrix
    }

    /// The counts, `[classes, classes]`: rows are true classes, columns predicted ones.
    pub fn counts(&self) -> ArrayView2<'_, u64> {
        let shape = (self.classes, self.classes).strides((self.classes, 1));
        ArrayView2::from_shape(shape, &self.counts).expect("a count for each pair of classes")
    }

    /// The number of samples outside of the matrix: those with a NaN output, or a class beyond its rows.
    pub fn uncounted(&self) -> u64 {
        self.uncounted
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
        let total = self.counts.iter().sum::<u64>() + self.uncounted;
        self.counts().diag().sum() as f64 / total as f64
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.decision.validate("ConfusionMatrix")
    }

    fn counts(&self) -> Option<Vec<f64>> {
        let all = self.counts.iter().chain([&self.uncounted]);
        Some(all.map(|&count| count as f64).collect())
    }

    fn restore(&mut self, counts: &[f64]) -> Option<()> {
        let (&uncounted, cells) = counts.split_last()?;
        let classes = cells.len().isqrt();
        if classes * classes != cells.len() {
            return None;
        }
        self.classes = classes;
        self.counts = cells.iter().map(|&count| count as u64).collect();
        self.uncounted = uncounted as u64;
        Some(())
    }
}

impl ClassMetric for ConfusionMatrix {
    fn decision(&self) -> Decision {
        self.decision
    }

    fn prepare(&mut self, classes: usize) {
        let old = self.classes;
        if classes > old {
            let mut counts = vec![0; classes * classes];
            for class in 0..old {
                counts[class * classes..][..old].copy_from_slice(&self.counts[class * old..][..old]);
            }
            self.counts = counts;
            self.classes = classes;
        }
    }

    fn count(&mut self, Decided { truth, found }: Decided) {
        let classes = self.classes;
        let inside = truth.zip(found).filter(|&(truth, found)| truth < classes && found < classes);
        match inside {
            Some((truth, found)) => self.counts[truth * classes + found] += 1,
            None => self.uncounted += 1,
        }
    }
}

class_metric!(ConfusionMatrix);

impl Mergeable for ConfusionMatrix {
    fn merge(&mut self, other: &Self) {
        self.prepare(other.classes);
        for ((truth, found), count) in other.counts().indexed_iter() {
            self.counts[truth * self.classes + found] += count;
        }
        self.uncounted += other.uncounted;
    }
}

impl fmt::Display for ConfusionMatrix {
    /// A table with the true classes as rows and the predicted ones as columns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.counts.iter().map(|count| count.to_string().len()).max().unwrap_or(1);
        let width = widest.max(self.classes.to_string().len()) + 1;
        write!(f, "true \\ predicted")?;
        (0..self.classes).try_for_each(|class| write!(f, "{class:width$}"))?;
        for (class, row) in self.counts().rows().into_iter().enumerate() {
            write!(f, "\n{class:>16}")?;
            row.iter().try_for_each(|count| write!(f, "{count:width$}"))?;
        }
        Ok(())
    }
}
