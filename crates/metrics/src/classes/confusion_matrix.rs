//! The confusion matrix.

use std::fmt;

use chainrule_core::{Described, Range, SettingCheck, SettingError, describe, described, setting_words};
use chainrule_tensor::memory_limit;
use ndarray::{ArrayView2, ShapeBuilder};

use super::accuracy::fraction;
use crate::{
    ClassMetric, Counts, Decided, Decision, Metric, MetricValue, Table, Task, Undefined, class_metric,
};

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
/// assert_eq!(matrix.counts().cells(), array![[1.0, 0.0], [0.0, 1.0]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfusionMatrix {
    /// The minimum number of classes.
    pub classes: usize,
    /// What the counts are divided by.
    pub normalize: Normalize,
    /// Whether the outputs are logits; else they are probabilities.
    pub from_logits: bool,
    /// An output above it is a yes; `None` for 0 of logits and 0.5 of probabilities.
    pub threshold: Option<f64>,
    /// Whether each column is a yes or no of its own.
    pub labels: bool,
    /// The class of samples that do not count.
    pub ignore_index: Option<usize>,
}

/// The matrix of logits, which takes its size from the outputs: `ConfusionMatrix::default()`.
#[allow(non_upper_case_globals, reason = "a metric is a value, written like a loss or a layer")]
pub const ConfusionMatrix: ConfusionMatrix = ConfusionMatrix {
    classes: 0,
    normalize: Normalize::Never,
    from_logits: true,
    threshold: None,
    labels: false,
    ignore_index: None,
};

/// What the counts of a confusion matrix are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalize {
    /// By nothing.
    #[default]
    Never,
    /// By the number of samples of the true class, so that each row sums to 1.
    True,
    /// By the number of samples of the predicted class, so that each column sums to 1.
    Predicted,
    /// By the number of samples.
    All,
}

setting_words! { Normalize { Never = "never", True = "rows", Predicted = "columns", All = "all" } }

describe! {
    /// The confusion matrix: how often each class (column) was predicted for each true class (row), as a table.
    ConfusionMatrix = "confusion_matrix";
    formula "nᵢⱼ = samples of class i that were taken for class j";
    source "Townsend 1971";
    settings {
        /// The minimum number of classes; the matrix grows with the outputs.
        classes ("num_classes"): 0, Range::NOT_NEGATIVE;
        /// What the counts are divided by: never, rows (true classes), columns (predicted ones) or all.
        normalize: never;
        /// Whether the outputs are logits; else they are probabilities.
        from_logits: true;
        /// An output above it is a yes; none for 0 of logits and 0.5 of probabilities.
        threshold: none;
        /// Whether each column is a yes or no of its own.
        labels ("multilabel", "multi_label"): false;
        /// The class of samples that do not count.
        ignore_index ("ignore_class"): none;
    }
}

impl Default for ConfusionMatrix {
    fn default() -> Self {
        ConfusionMatrix
    }
}

impl ConfusionMatrix {
    /// A matrix for at least this many classes. It grows if the outputs have more columns.
    pub fn new(classes: usize) -> Self {
        Self { classes, ..ConfusionMatrix }
    }

    /// For outputs that are probabilities: where an output is a yes or no, it is a yes above 0.5.
    pub fn from_probabilities() -> Self {
        Self { from_logits: false, ..ConfusionMatrix }
    }

    /// With this threshold, above which an output that is a yes or no is a yes, whatever the outputs are.
    pub fn with_threshold(threshold: f64) -> Self {
        Self { threshold: Some(threshold), ..ConfusionMatrix }
    }

    /// Takes each column for a label of its own, a yes or no, so that several may be right at once.
    #[must_use]
    pub fn labels(self) -> Self {
        Self { labels: true, ..self }
    }
}

impl Metric for ConfusionMatrix {
    fn name(&self) -> &'static str {
        "confusion_matrix"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        let allowed = "so few that a count for each pair of them fits into memory";
        let fits = cells(self.classes).is_some();
        SettingCheck("ConfusionMatrix").range(fits, "classes", self.classes as f64, allowed)
    }

    described!();
}

impl ClassMetric for ConfusionMatrix {
    type Counts = ConfusionCounts;

    fn decision(&self) -> Decision {
        let Self { from_logits, threshold, labels, ignore_index, .. } = *self;
        Decision { from_logits, threshold, labels, ignore_index, top_k: 1 }
    }

    fn prepare(&self, counts: &mut ConfusionCounts, task: Task) {
        let classes = match task {
            Task::Binary | Task::Labels(_) => 2,
            Task::Classes(classes) => classes,
        };
        counts.grow(classes.max(self.classes));
    }

    fn add(&self, counts: &mut ConfusionCounts, Decided { truth, found, weight, .. }: Decided) {
        let classes = counts.classes;
        let inside = truth.zip(found).filter(|&(truth, found)| truth < classes && found < classes);
        match inside {
            Some((truth, found)) => counts.cells[truth * classes + found] += weight,
            None => counts.uncounted += weight,
        }
    }

    fn value(&self, counts: &ConfusionCounts) -> MetricValue {
        if counts.too_large {
            let reason = "a count for each pair of classes does not fit into memory";
            return MetricValue::Undefined(Undefined(reason));
        }
        if counts.total() == 0.0 {
            return MetricValue::Undefined(Undefined::NO_SAMPLE);
        }
        let names: Vec<String> = (0..counts.classes).map(|class| class.to_string()).collect();
        let mut table = Table::new(TITLE, names.clone());
        let cells = counts.cells();
        let all = cells.sum();
        for (truth, row) in cells.rows().into_iter().enumerate() {
            let divisor = |found| match self.normalize {
                Normalize::Never => 1.0,
                Normalize::True => row.sum(),
                Normalize::Predicted => cells.column(found).sum(),
                Normalize::All => all,
            };
            if self.normalize == Normalize::True && row.sum() == 0.0 {
                table.note(format!("no sample is of class {truth}"));
            }
            if self.normalize == Normalize::Predicted && cells.column(truth).sum() == 0.0 {
                table.note(format!("no sample was taken for class {truth}"));
            }
            table.push(row.iter().enumerate().map(|(found, count)| count / divisor(found)).collect());
        }
        table.name_rows(names);
        if counts.uncounted > 0.0 {
            table.note(format!("samples of no class: {}", counts.uncounted));
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
    let bytes = cells.checked_mul(size_of::<f64>())?;
    let limit = memory_limit().unwrap_or(u64::MAX).min(isize::MAX as u64);
    (bytes as u64 <= limit).then_some(cells)
}

/// What a [`ConfusionMatrix`](struct@ConfusionMatrix) has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfusionCounts {
    classes: usize,
    /// Row by row, `[classes, classes]`.
    cells: Vec<f64>,
    uncounted: f64,
    /// Whether there were more classes than memory for them.
    too_large: bool,
}

impl ConfusionCounts {
    /// The counts, `[classes, classes]`: rows are true classes, columns predicted ones.
    pub fn cells(&self) -> ArrayView2<'_, f64> {
        let shape = (self.classes, self.classes).strides((self.classes, 1));
        ArrayView2::from_shape(shape, &self.cells).expect("a count for each pair of classes")
    }

    /// The number of samples outside of the matrix: those with a NaN output, or a class beyond its rows.
    pub fn uncounted(&self) -> f64 {
        self.uncounted
    }

    /// The fraction of the samples that were predicted as what they are.
    ///
    /// # Errors
    ///
    /// [`Undefined`] if there are no samples.
    pub fn accuracy(&self) -> Result<f64, Undefined> {
        fraction(self.cells().diag().sum(), self.total())
    }

    /// The number of samples.
    pub fn total(&self) -> f64 {
        self.cells.iter().sum::<f64>() + self.uncounted
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
        grown.resize(cells, 0.0);
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
            self.uncounted += other.cells.iter().sum::<f64>();
            return;
        }
        for ((truth, found), count) in other.cells().indexed_iter() {
            self.cells[truth * self.classes + found] += count;
        }
    }

    fn scale(&mut self, weight: f64) {
        self.cells.iter_mut().for_each(|count| *count *= weight);
        self.uncounted *= weight;
    }

    fn reset(&mut self) {
        self.cells.fill(0.0);
        self.uncounted = 0.0;
        self.too_large = false;
    }

    fn numbers(&self) -> Vec<f64> {
        self.cells.iter().chain([&self.uncounted]).copied().collect()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (&uncounted, cells) = numbers.split_last()?;
        let classes = cells.len().isqrt();
        let square = classes * classes == cells.len();
        square.then(|| Self { classes, cells: cells.to_vec(), uncounted, too_large: false })
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
