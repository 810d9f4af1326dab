//! Means over the samples of figures of each column.

use chainrule_tensor::{Real, Target, TargetError, TargetView};
use ndarray::ArrayView2;

use super::ColumnAverage;
use crate::{Counts, MetricValue, RunningMean, Undefined};

/// The mean of a figure in each column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnMeans(Vec<RunningMean>);

impl ColumnMeans {
    /// Adds a figure of each output and its target.
    pub(super) fn count<T: Real, Y: Target<T>>(
        &mut self,
        y: ArrayView2<'_, T>,
        targets: &[Y],
        figure: impl Fn(f64, f64) -> f64,
    ) {
        if self.0.len() < y.ncols() {
            self.0.resize(y.ncols(), RunningMean::default());
        }
        for (y, target) in y.rows().into_iter().zip(targets) {
            let weight = if Y::WEIGHTED { target.weight() } else { 1.0 };
            if weight == 0.0 {
                continue;
            }
            let view = target.view();
            for (column, (y, mean)) in y.iter().zip(&mut self.0).enumerate() {
                mean.push(figure(y.as_f64(), view.at(column).as_f64()), weight);
            }
        }
    }

    /// The average over the columns of what `figure` makes of their means.
    pub(super) fn average(
        &self,
        average: ColumnAverage,
        nan: Undefined,
        figure: impl Fn(f64) -> f64,
    ) -> MetricValue {
        let of = |mean: &RunningMean| {
            mean.value()
                .map(&figure)
                .map_err(|undefined| if undefined == Undefined::NAN { nan } else { undefined })
        };
        match average {
            ColumnAverage::Pooled => {
                let mut all = RunningMean::default();
                self.0.iter().for_each(|mean| all.merge(mean));
                of(&all).into()
            }
            ColumnAverage::PerColumn if self.0.iter().any(|mean| mean.weight() > 0.0) => {
                MetricValue::Vector(self.0.iter().map(of).collect())
            }
            ColumnAverage::PerColumn | ColumnAverage::Uniform => {
                let mut all = RunningMean::default();
                for mean in &self.0 {
                    match of(mean) {
                        Ok(figure) => all.push(figure, 1.0),
                        Err(undefined) => return MetricValue::Undefined(undefined),
                    }
                }
                all.value().into()
            }
        }
    }
}

impl Counts for ColumnMeans {
    fn merge(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), RunningMean::default());
        self.0.iter_mut().zip(&other.0).for_each(|(mean, other)| mean.merge(other));
    }

    fn scale(&mut self, weight: f64) {
        self.0.iter_mut().for_each(|mean| mean.scale(weight));
    }

    fn reset(&mut self) {
        self.0.fill(RunningMean::default());
    }

    fn numbers(&self) -> Vec<f64> {
        self.0.iter().flat_map(Counts::numbers).collect()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        numbers.chunks(3).map(RunningMean::from_numbers).collect::<Option<_>>().map(Self)
    }
}

/// Checks that targets have a value for each column, which is allowed.
pub(super) fn check<T: Real, Y: Target<T>>(
    owner: &'static str,
    columns: usize,
    targets: &[Y],
    allowed: impl Fn(f64) -> bool,
    words: &'static str,
) -> Result<(), TargetError> {
    targets.iter().enumerate().try_for_each(|(row, target)| match target.view() {
        TargetView::Class(class) if class < columns => Ok(()),
        TargetView::Class(class) => Err(TargetError::Class { row, class, columns }),
        TargetView::Values(values) if values.len() != columns => {
            Err(TargetError::Length { row, found: values.len(), columns })
        }
        TargetView::Values(values) => {
            let wrong = values.iter().position(|value| !allowed(value.as_f64()));
            wrong.map_or(Ok(()), |column| Err(TargetError::value(row, column, values[column], words, owner)))
        }
    })
}
