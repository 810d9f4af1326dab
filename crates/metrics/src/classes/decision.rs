//! How outputs and targets become classes.

use chainrule_core::{SettingCheck, SettingError};
use chainrule_tensor::{Outputs, Real, Target, TargetError, TargetView};
use ndarray::{ArrayView1, ArrayView2};

/// How a metric turns outputs and targets into classes.
///
/// - Several columns are the scores of as many classes: the class is the column of the maximum, the first of equal ones. A
///   target is a class, or a vector with one largest value. With `top_k`, the target's class is found if it is one of the k
///   largest scores.
/// - A single column is a yes or no: class 1 above the threshold, else class 0. A target is class 0 or 1, or a value, which is a
///   yes above 0.5.
/// - With [`labels`](Self::labels), each column is a yes or no of its own, so that several may be right at once.
///
/// The threshold is 0 for logits and 0.5 for probabilities. Nothing in the outputs tells which they are, so a metric has to be
/// told; the trainer refuses a metric that was told something else than the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Whether the outputs are logits; else they are probabilities.
    pub from_logits: bool,
    /// An output above it is a yes, whatever the outputs are; `None` for 0 of logits and 0.5 of probabilities.
    pub threshold: Option<f64>,
    /// Whether each column is a yes or no of its own.
    pub labels: bool,
    /// How many of the largest scores may be right; 1 is the maximum alone.
    pub top_k: usize,
    /// The class of samples that do not count.
    pub ignore_index: Option<usize>,
}

/// What outputs decide between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// A single output, a yes or no.
    #[default]
    Binary,
    /// As many classes, one of which is right.
    Classes(usize),
    /// As many labels, each a yes or no of its own.
    Labels(usize),
}

/// The class of a row, or of one of its labels, by the target and by the outputs. `None` where there is none: an output is NaN,
/// or the target is not of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decided {
    /// The label that is decided, which is its column; 0 where there are no labels.
    pub label: usize,
    /// The class of the target; of a label, 1 for yes and 0 for no.
    pub truth: Option<usize>,
    /// The class of the outputs.
    pub found: Option<usize>,
    /// How much the sample counts; above 0.
    pub weight: f64,
}

impl Default for Decision {
    fn default() -> Self {
        Self::LOGITS
    }
}

impl Decision {
    /// A yes above 0.
    pub const LOGITS: Self =
        Self { from_logits: true, threshold: None, labels: false, top_k: 1, ignore_index: None };

    /// A yes above 0.5.
    pub const PROBABILITIES: Self = Self { from_logits: false, ..Self::LOGITS };

    /// A yes above this threshold, whatever the outputs are.
    pub const fn with_threshold(threshold: f64) -> Self {
        Self { threshold: Some(threshold), ..Self::LOGITS }
    }

    /// Takes each column for a yes or no of its own.
    #[must_use]
    pub const fn labels(self) -> Self {
        Self { labels: true, ..self }
    }

    /// What outputs with this many columns decide between.
    pub fn task(&self, columns: usize) -> Task {
        match columns {
            columns if self.labels => Task::Labels(columns),
            1 => Task::Binary,
            columns => Task::Classes(columns),
        }
    }

    /// What outputs with this many columns are taken for; `None` if that is the same for all, as for the maximum of several.
    pub fn outputs(&self, columns: usize) -> Option<Outputs> {
        (self.threshold.is_none() && self.is_yes_or_no(columns)).then_some(self.taken_for())
    }

    /// What outputs are taken for, by a metric for which that is not the same.
    pub(crate) fn taken_for(&self) -> Outputs {
        if self.from_logits { Outputs::Logits } else { Outputs::Probabilities }
    }

    /// Checks the settings of the metric `owner`.
    ///
    /// # Errors
    ///
    /// [`SettingError`] if the threshold is NaN, which no output is above, or none of the scores may be right.
    pub fn validate(&self, owner: &'static str) -> Result<(), SettingError> {
        let check = SettingCheck(owner);
        let threshold = self.threshold();
        check.range(!threshold.is_nan(), "threshold", threshold, "a number")?;
        check.range(self.top_k > 0, "top_k", self.top_k as f64, "at least 1")
    }

    /// Checks that targets have a class, or one for each column, for the metric `owner`.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not.
    pub fn check<T: Real, Y: Target<T>>(
        &self,
        owner: &'static str,
        columns: usize,
        targets: &[Y],
    ) -> Result<(), TargetError> {
        targets.iter().enumerate().try_for_each(|(row, target)| match target.view() {
            TargetView::Class(class) => {
                // A class stands for its one-hot vector, except with a single column.
                let classes = if columns == 1 { 2 } else { columns };
                let error = TargetError::Class { row, class, columns: classes };
                if class < classes || Some(class) == self.ignore_index { Ok(()) } else { Err(error) }
            }
            TargetView::Values(values) if values.len() != columns => {
                Err(TargetError::Length { row, found: values.len(), columns })
            }
            TargetView::Values(values) if self.is_yes_or_no(columns) => {
                let Some(column) = values.iter().position(|&value| yes(value).is_none()) else {
                    return Ok(());
                };
                Err(TargetError::value(row, column, values[column], "numbers from 0 to 1, or -1", owner))
            }
            TargetView::Values(values) => match one_class(values) {
                Some(_) => Ok(()),
                None => Err(TargetError::NoClass { row, labels: count_labels(values), owner }),
            },
        })
    }

    /// Calls `count` for each row, or for each of its labels; not for a row that does not count.
    #[inline]
    pub fn each<T: Real, Y: Target<T>>(
        &self,
        y: ArrayView2<'_, T>,
        targets: &[Y],
        mut count: impl FnMut(Decided),
    ) {
        let single = y.ncols() == 1;
        let yes_or_no = self.is_yes_or_no(y.ncols());
        let threshold = T::of(self.threshold());
        // Few columns take less time than a view of each row.
        let contiguous = y.as_slice();
        let columns = y.ncols();
        for (row, target) in targets.iter().enumerate().take(y.nrows()) {
            let weight = if Y::WEIGHTED { target.weight() } else { 1.0 };
            let view = target.view();
            if weight == 0.0 || self.ignores(&view) {
                continue;
            }
            if !yes_or_no {
                let truth = class_of(view);
                let best = match contiguous {
                    Some(y) => first_maximum(y[row * columns..][..columns].iter().copied()),
                    None => argmax(y.row(row)),
                };
                let found = best.map(|best| match truth {
                    Some(truth) if self.top_k > 1 && is_among(y.row(row), truth, self.top_k) => truth,
                    _ => best,
                });
                count(Decided { label: 0, truth, found, weight });
                continue;
            }
            for (label, &y) in y.row(row).iter().enumerate() {
                let truth = answer(&view, label, single);
                let found = (!y.is_nan()).then_some(usize::from(y > threshold));
                count(Decided { label, truth, found, weight });
            }
        }
    }

    /// Whether rows with this target do not count.
    pub(crate) fn ignores<T>(&self, target: &TargetView<'_, T>) -> bool {
        match (target, self.ignore_index) {
            (TargetView::Class(class), Some(ignored)) => *class == ignored,
            _ => false,
        }
    }

    fn threshold(&self) -> f64 {
        self.threshold.unwrap_or(if self.from_logits { 0.0 } else { 0.5 })
    }

    fn is_yes_or_no(&self, columns: usize) -> bool {
        self.labels || columns == 1
    }
}

/// The class of a target.
pub(crate) fn class_of<T: Real>(target: TargetView<'_, T>) -> Option<usize> {
    match target {
        TargetView::Class(class) => Some(class),
        TargetView::Values(values) => one_class(values),
    }
}

/// Whether a target is a yes, 1, or a no, 0: for one of several labels, or for a single output.
pub(crate) fn answer<T: Real>(target: &TargetView<'_, T>, label: usize, single: bool) -> Option<usize> {
    match *target {
        TargetView::Class(class) if single => (class < 2).then_some(class),
        TargetView::Class(class) => Some(usize::from(class == label)),
        TargetView::Values(values) => values.get(label).copied().and_then(yes),
    }
}

/// Whether a target value is a yes; `None` if it is neither a probability nor the -1 of a no.
fn yes<T: Real>(value: T) -> Option<usize> {
    let fits = (value >= T::zero() && value <= T::one()) || value == -T::one();
    fits.then_some(usize::from(value > T::of(0.5)))
}

/// The class that a vector stands for, if it stands for one: not the labels of several classes at once, or of none.
fn one_class<T: Real>(values: &[T]) -> Option<usize> {
    let some = count_labels(values) < 2 && values.iter().any(|&value| value != T::zero());
    argmax(values.into()).filter(|_| some)
}

fn count_labels<T: Real>(values: &[T]) -> usize {
    values.iter().filter(|&&value| value > T::of(0.5)).count()
}

/// Whether a column is one of the k largest, the first ones of equal.
fn is_among<T: Real>(row: ArrayView1<'_, T>, column: usize, k: usize) -> bool {
    let Some(&own) = row.get(column) else { return false };
    let before = |(index, &other): (usize, &T)| other > own || (other == own && index < column);
    row.iter().enumerate().filter(|&entry| before(entry)).count() < k
}

/// The index of the maximum, the first of equal ones; `None` if there are no values, or if one is NaN.
#[inline]
pub(crate) fn argmax<T: Real>(row: ArrayView1<'_, T>) -> Option<usize> {
    match row.as_slice() {
        Some(row) => first_maximum(row.iter().copied()),
        None => first_maximum(row.iter().copied()),
    }
}

#[inline(always)]
fn first_maximum<T: Real>(mut values: impl Iterator<Item = T>) -> Option<usize> {
    let first = values.next()?;
    let mut best = 0;
    let mut maximum = first;
    let mut nan = first.is_nan();
    // Without branches, since no CPU can predict which value is larger.
    for (index, value) in (1..).zip(values) {
        nan |= value.is_nan();
        let better = value > maximum;
        best = if better { index } else { best };
        maximum = if better { value } else { maximum };
    }
    (!nan).then_some(best)
}
