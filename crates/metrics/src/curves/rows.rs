//! Rows of outputs and targets, in double precision.

use chainrule_tensor::{Real, Target, TargetError, TargetView};
use ndarray::ArrayView2;

use crate::{Counts, Decision, RunningMean, Task};

/// A row of classes, or a yes or no, with its targets.
pub(crate) enum Row<'a> {
    Classes { y: &'a mut [f64], t: &'a [f64] },
    Answer { y: f64, t: f64 },
}

/// The mean over the samples of a figure of their rows.
#[derive(Clone, Debug, Default)]
pub struct RowMean {
    mean: RunningMean,
    /// A row of outputs and targets, kept so that a batch allocates nothing.
    y: Vec<f64>,
    t: Vec<f64>,
}

impl PartialEq for RowMean {
    fn eq(&self, other: &Self) -> bool {
        self.mean == other.mean
    }
}

impl RowMean {
    /// The mean so far.
    pub fn mean(&self) -> &RunningMean {
        &self.mean
    }

    /// Adds the figure of each row of classes, or of each yes or no.
    pub(crate) fn count<T: Real, Y: Target<T>>(
        &mut self,
        decision: Decision,
        y: ArrayView2<'_, T>,
        targets: &[Y],
        figure: impl Fn(Row<'_>) -> f64,
    ) {
        let columns = y.ncols();
        let classes = matches!(decision.task(columns), Task::Classes(_));
        let Self { mean, y: row, t } = self;
        for (y, target) in y.rows().into_iter().zip(targets) {
            let weight = if Y::WEIGHTED { target.weight() } else { 1.0 };
            let view = target.view();
            if weight == 0.0 || decision.ignores(&view) {
                continue;
            }
            row.clear();
            row.extend(y.iter().map(|y| y.as_f64()));
            t.clear();
            t.extend((0..columns).map(|column| match view {
                TargetView::Class(class) if columns == 1 => class as f64,
                view => view.at(column).as_f64(),
            }));
            if classes {
                mean.push(figure(Row::Classes { y: row, t }), weight);
            } else {
                row.iter().zip(&*t).for_each(|(&y, &t)| mean.push(figure(Row::Answer { y, t }), weight));
            }
        }
    }
}

impl Counts for RowMean {
    fn merge(&mut self, other: &Self) {
        self.mean.merge(&other.mean);
    }

    fn scale(&mut self, weight: f64) {
        self.mean.scale(weight);
    }

    fn reset(&mut self) {
        self.mean.reset();
    }

    fn numbers(&self) -> Vec<f64> {
        self.mean.numbers()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        Some(Self { mean: RunningMean::from_numbers(numbers)?, ..Self::default() })
    }
}

/// Checks that targets are classes or probabilities.
pub(super) fn check<T: Real, Y: Target<T>>(
    decision: Decision,
    owner: &'static str,
    columns: usize,
    targets: &[Y],
) -> Result<(), TargetError> {
    targets.iter().enumerate().try_for_each(|(row, target)| match target.view() {
        TargetView::Class(class) => {
            let classes = if columns == 1 { 2 } else { columns };
            let error = TargetError::Class { row, class, columns: classes };
            if class < classes || Some(class) == decision.ignore_index { Ok(()) } else { Err(error) }
        }
        TargetView::Values(values) if values.len() != columns => {
            Err(TargetError::Length { row, found: values.len(), columns })
        }
        TargetView::Values(values) => {
            let wrong = values.iter().position(|&value| !(value >= T::zero() && value <= T::one()));
            wrong.map_or(Ok(()), |column| {
                Err(TargetError::value(row, column, values[column], "numbers from 0 to 1", owner))
            })
        }
    })
}
