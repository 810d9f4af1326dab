//! Rows of outputs and targets, in double precision.

use chainrule_tensor::{Real, Target, TargetError, TargetView};
use ndarray::ArrayView2;

use crate::{Decision, Task};

/// A row of classes, or a yes or no, with its targets.
pub(super) enum Row<'a> {
    Classes { y: &'a [f64], t: &'a [f64] },
    Answer { y: f64, t: f64 },
}

/// Calls `count` for each row of classes, or each yes or no, with its weight.
pub(super) fn count<T: Real, Y: Target<T>>(
    decision: Decision,
    y: ArrayView2<'_, T>,
    targets: &[Y],
    mut count: impl FnMut(Row<'_>, f64),
) {
    let columns = y.ncols();
    let classes = matches!(decision.task(columns), Task::Classes(_));
    let mut row = vec![0.0; columns];
    let mut t = vec![0.0; columns];
    for (y, target) in y.rows().into_iter().zip(targets) {
        let weight = if Y::WEIGHTED { target.weight() } else { 1.0 };
        let view = target.view();
        if weight == 0.0 || decision.ignores(&view) {
            continue;
        }
        for (column, (value, truth)) in row.iter_mut().zip(&mut t).enumerate() {
            *value = y[column].as_f64();
            *truth = match view {
                TargetView::Class(class) if columns == 1 => class as f64,
                view => view.at(column).as_f64(),
            };
        }
        if classes {
            count(Row::Classes { y: &row, t: &t }, weight);
        } else {
            row.iter().zip(&t).for_each(|(&y, &t)| count(Row::Answer { y, t }, weight));
        }
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
