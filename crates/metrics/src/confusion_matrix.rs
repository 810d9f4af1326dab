//! The confusion matrix.

use std::fmt;

use chainrule_core::{SettingCheck, SettingError};
use chainrule_tensor::memory_limit;
use ndarray::{ArrayView2, ShapeBuilder};

use crate::{ClassMetric, Counts, Decided, Decision, Metric, MetricValue, Table, Undefined, class_metric};

/// The confusion matrix: how often each class (column) was predicted for each true class (row), as a table.
///
/// It has a row and a column per column of the outputs, and grows with the outputs but never with a label, since a wrong one
/// could request any amount of memory. Samples outside of the matrix are in [`uncounted`](ConfusionCounts::uncounted).
///
/// Outputs of a single column decide between no (0) and yes (1), by a threshold that is 0 for logits and 0.5 for
/// [probabilities](Self::from_probabilities). With [`labels`](Self::labels), each column does, and all are counted in one matrix.
///
/// ```
/// use chainrule_metrics::{ConfusionMatrix, Tally};
/// use ndarray::array;
/// let mut matrix = Tally::new(ConfusionMatrix::from_probabilities());
/// matrix.update(array![[0.2], [0.8]].view(), &[0u8, 1]);
/// assert_eq!(matrix.counts().cells(), array![[1, 0], [0, 1]]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ConfusionMatrix {
    decision: Decision,
    classes: usize,
}

/// The matrix of logits, which takes its size from the outputs: `ConfusionMatrix::default()`.
#[allow(non_upper_case_globals, reason = "a metric is a value, written like a loss or a layer")]
pub const ConfusionMatrix: ConfusionMatrix = ConfusionMatrix { decision: Decision::LOGITS, classes: 0 };

impl ConfusionMatrix {
    /// A matrix for at least this many classes. It grows if the outputs have more columns.
    pub fn new(classes: usize) -> Self {
        Self { classes, ..Self::default() }
    }
}

impl Metric for ConfusionMatrix {
    fn name(&self) -> &'static str {
        "confusion_matrix"
    }

    fn validate(&self) -> Result<(), SettingError> {
        let check = SettingCheck("ConfusionMatrix");
        let allowed = "so few that a count for each pair of them fits into memory";
        check.range(cells(self.classes).is_some(), "classes", self.classes as f64, allowed)?;
        self.decision.validate("ConfusionMatrix")
    }
}

impl ClassMetric for ConfusionMatrix {
    type Counts = ConfusionCounts;

    fn decision(&self) -> Decision {
        self.decision
    }

    fn prepare(&self, counts: &mut ConfusionCounts, classes: usize) {
        counts.grow(classes.max(self.classes));
    }

    fn add(&self, counts: &mut ConfusionCounts, Decided { truth, found }: Decided) {
        let classes = counts.classes;
        let inside = truth.zip(found).filter(|&(truth, found)| truth < classes && found < classes);
        match inside {
            Some((truth, found)) => counts.cells[truth * classes + found] += 1,
            None => counts.uncounted += 1,
        }
    }

    fn value(&self, counts: &ConfusionCounts) -> MetricValue {
        if counts.too_large {
            return MetricValue::Undefined(Undefined(
                "a count for each pair of classes does not fit into memory",
            ));
        }
        if counts.total() == 0 {
            return MetricValue::Undefined(Undefined::NO_SAMPLE);
        }
        let names: Vec<String> = (0..counts.classes).map(|class| class.to_string()).collect();
        let mut table = Table::new(TITLE, names.clone());
        table.row_names = names;
        counts.cells().rows().into_iter().for_each(|row| table.push(row.iter().map(|&n| n as f64).collect()));
        if counts.uncounted > 0 {
            table.notes.push(format!("samples of no class: {}", counts.uncounted));
        }
        table.into()
    }
}

class_metric!(ConfusionMatrix);

/// What is in the corner of a matrix.
const TITLE: &str = "true \\ predicted";

/// The number of cells of a matrix with this many classes, if the memory of the machine could hold them.
fn cells(classes: usize) -> Option<usize> {
    let cells = classes.checked_mul(classes)?;
    let bytes = cells.checked_mul(size_of::<u64>())?;
    let limit = memory_limit().unwrap_or(u64::MAX).min(isize::MAX as u64);
    (bytes as u64 <= limit).then_some(cells)
}

/// What a [`ConfusionMatrix`] has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfusionCounts {
    classes: usize,
    /// Row by row, `[classes, classes]`.
    cells: Vec<u64>,
    uncounted: u64,
    /// Whether there were more classes than memory for them.
    too_large: bool,
}

impl ConfusionCounts {
    /// The counts, `[classes, classes]`: rows are true classes, columns predicted ones.
    pub fn cells(&self) -> ArrayView2<'_, u64> {
        let shape = (self.classes, self.classes).strides((self.classes, 1));
        ArrayView2::from_shape(shape, &self.cells).expect("a count for each pair of classes")
    }

    /// The number of samples outside of the matrix: those with a NaN output, or a class beyond its rows.
    pub fn uncounted(&self) -> u64 {
        self.uncounted
    }

    /// The fraction of the samples that were predicted as what they are.
    ///
    /// # Errors
    ///
    /// [`Undefined`] if there are no samples.
    pub fn accuracy(&self) -> Result<f64, Undefined> {
        crate::accuracy::fraction(self.cells().diag().sum(), self.total())
    }

    /// The number of samples.
    pub fn total(&self) -> u64 {
        self.cells.iter().sum::<u64>() + self.uncounted
    }

    /// Makes room for this many classes.
    fn grow(&mut self, classes: usize) {
        let old = self.classes;
        if classes <= old || self.too_large {
            return;
        }
        let mut grown = Vec::new();
        let cells = cells(classes).filter(|&cells| grown.try_reserve_exact(cells).is_ok());
        let Some(cells) = cells else {
            self.too_large = true;
            return;
        };
        grown.resize(cells, 0);
        for class in 0..old {
            grown[class * classes..][..old].copy_from_slice(&self.cells[class * old..][..old]);
        }
        self.cells = grown;
        self.classes = classes;
    }
}

impl Counts for ConfusionCounts {
    fn merge(&mut self, other: &Self) {
        self.grow(other.classes);
        self.too_large |= other.too_large;
        self.uncounted += other.uncounted;
        if self.classes < other.classes {
            self.uncounted += other.cells.iter().sum::<u64>();
            return;
        }
        for ((truth, found), count) in other.cells().indexed_iter() {
            self.cells[truth * self.classes + found] += count;
        }
    }

    fn reset(&mut self) {
        self.cells.fill(0);
        self.uncounted = 0;
        self.too_large = false;
    }

    fn numbers(&self) -> Vec<f64> {
        let all = self.cells.iter().chain([&self.uncounted]);
        all.map(|&count| count as f64).collect()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (&uncounted, cells) = numbers.split_last()?;
        let classes = cells.len().isqrt();
        if classes * classes != cells.len() {
            return None;
        }
        let cells = cells.iter().map(|&count| count as u64).collect();
        Some(Self { classes, cells, uncounted: uncounted as u64, too_large: false })
    }
}

impl fmt::Display for ConfusionCounts {
    /// A table with the true classes as rows and the predicted ones as columns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.cells.iter().map(|count| count.to_string().len()).max().unwrap_or(1);
        let width = widest.max(self.classes.to_string().len()) + 1;
        f.write_str(TITLE)?;
        (0..self.classes).try_for_each(|class| write!(f, "{class:width$}"))?;
        for (class, row) in self.cells().rows().into_iter().enumerate() {
            write!(f, "\n{class:>16}")?;
            row.iter().try_for_each(|count| write!(f, "{count:width$}"))?;
        }
        Ok(())
    }
}
