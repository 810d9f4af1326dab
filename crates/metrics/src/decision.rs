//! How outputs and targets become classes.

use chainrule_core::{SettingCheck, SettingError};
use chainrule_tensor::{Outputs, Real, Target, TargetError, TargetView};
use ndarray::{ArrayView1, ArrayView2};

/// How a metric turns outputs and targets into classes.
///
/// - Several columns are the scores of as many classes: the class is the column of the maximum, the first of equal ones. A
///   target is a class, or a vector with one largest value.
/// - A single column is a yes or no: class 1 above the threshold, else class 0. A target is class 0 or 1, or a value, which is a
///   yes above 0.5.
/// - With [`labels`](Self::labels), each column is a yes or no of its own, so that several may be right at once.
///
/// The threshold is 0 for logits and 0.5 for probabilities. Nothing in the outputs tells which they are, so a metric has to be
/// told; the trainer refuses a metric that was told something else than the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    outputs: Option<Outputs>,
    threshold: f64,
    labels: bool,
}

/// The class of a row, or of one of its labels, by the target and by the outputs. `None` where there is none: an output is NaN,
/// or the target is not of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The class of the target.
    pub truth: Option<usize>,
    /// The class of the outputs.
    pub found: Option<usize>,
}

impl Default for Decision {
    fn default() -> Self {
        Self::LOGITS
    }
}

impl Decision {
    /// A yes above 0.
    pub const LOGITS: Self = Self { outputs: Some(Outputs::Logits), threshold: 0.0, labels: false };

    /// A yes above 0.5.
    pub const PROBABILITIES: Self =
        Self { outputs: Some(Outputs::Probabilities), threshold: 0.5, labels: false };

    /// A yes above this threshold, whatever the outputs are.
    pub const fn with_threshold(threshold: f64) -> Self {
        Self { outputs: None, threshold, labels: false }
    }

    /// Takes each column for a yes or no of its own.
    #[must_use]
    pub const fn labels(self) -> Self {
        Self { labels: true, ..self }
    }

    /// The number of classes that outputs with this many columns decide between.
    pub fn classes(&self, columns: usize) -> usize {
        if self.is_yes_or_no(columns) { 2 } else { columns }
    }

    /// What outputs with this many columns are taken for; `None` if that is the same for all, as for the maximum of several.
    pub fn outputs(&self, columns: usize) -> Option<Outputs> {
        self.outputs.filter(|_| self.is_yes_or_no(columns))
    }

    /// Checks the threshold of the metric `owner`.
    ///
    /// # Errors
    ///
    /// [`SettingError`] if it is NaN, which no output is above.
    pub fn validate(&self, owner: &'static str) -> Result<(), SettingError> {
        SettingCheck(owner).range(!self.threshold.is_nan(), "threshold", self.threshold, "a number")
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
                if class < classes { Ok(()) } else { Err(error) }
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

    /// Calls `count` for each row, or for each of its labels.
    #[inline]
    pub fn each<T: Real, Y: Target<T>>(
        &self,
        y: ArrayView2<'_, T>,
        targets: &[Y],
        mut count: impl FnMut(Decided),
    ) {
        let columns = y.ncols();
        let threshold = T::of(self.threshold);
        let above = |y: T| (!y.is_nan()).then_some(usize::from(y > threshold));
        let rows = y.rows().into_iter().zip(targets);
        if !self.is_yes_or_no(columns) {
            for (y, target) in rows {
                let truth = match target.view() {
                    TargetView::Class(class) => Some(class),
                    TargetView::Values(values) => one_class(values),
                };
                count(Decided { truth, found: argmax(y) });
            }
            return;
        }
        for (y, target) in rows {
            for (column, &y) in y.iter().enumerate() {
                let truth = match target.view() {
                    TargetView::Class(class) if columns == 1 => (class < 2).then_some(class),
                    TargetView::Class(class) => Some(usize::from(class == column)),
                    TargetView::Values(values) => values.get(column).copied().and_then(yes),
                };
                count(Decided { truth, found: above(y) });
            }
        }
    }

    fn is_yes_or_no(&self, columns: usize) -> bool {
        self.labels || columns == 1
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

/// The index of the maximum, the first of equal ones; `None` if there are no values, or if one is NaN.
#[inline]
fn argmax<T: Real>(row: ArrayView1<'_, T>) -> Option<usize> {
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
