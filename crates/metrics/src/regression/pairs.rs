//! All outputs and targets, for figures of their order.

use chainrule_tensor::{Real, Target, TargetError};
use ndarray::ArrayView2;

use super::MomentAverage;
use crate::{Counts, MetricValue, Undefined};

/// The output and the target of each sample, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    columns: Vec<Vec<[f64; 2]>>,
}

impl Pairs {
    pub(super) fn count<T: Real, Y: Target<T>>(&mut self, y: ArrayView2<'_, T>, targets: &[Y]) {
        if self.columns.len() < y.ncols() {
            self.columns.resize(y.ncols(), Vec::new());
        }
        for (y, target) in y.rows().into_iter().zip(targets) {
            if Y::WEIGHTED && target.weight() == 0.0 {
                continue;
            }
            let view = target.view();
            for (column, (y, pairs)) in y.iter().zip(&mut self.columns).enumerate() {
                pairs.push([y.as_f64(), view.at(column).as_f64()]);
            }
        }
    }

    pub(super) fn average(
        &self,
        average: MomentAverage,
        figure: impl Fn(&[[f64; 2]]) -> Result<f64, Undefined>,
    ) -> MetricValue {
        let of = |pairs: &Vec<[f64; 2]>| {
            if pairs.is_empty() {
                return (Err(Undefined::NO_SAMPLE), 0.0);
            }
            if pairs.iter().flatten().any(|value| value.is_nan()) {
                return (Err(Undefined::NAN), 1.0);
            }
            let mean = pairs.iter().map(|[_, t]| t).sum::<f64>() / pairs.len() as f64;
            (figure(pairs), pairs.iter().map(|[_, t]| (t - mean) * (t - mean)).sum())
        };
        average.of(self.columns.iter().map(of).collect())
    }
}

/// Checks that each sample counts or does not.
pub(super) fn check_weights<T: Real, Y: Target<T>>(
    owner: &'static str,
    targets: &[Y],
) -> Result<(), TargetError> {
    let wrong = targets.iter().position(|target| ![0.0, 1.0].contains(&target.weight()));
    wrong.map_or(Ok(()), |row| {
        let value = targets[row].weight();
        Err(TargetError::Value { row, column: 0, value, allowed: "only the weights 0 and 1", owner })
    })
}

impl Counts for Pairs {
    fn merge(&mut self, other: &Self) {
        self.columns.resize(self.columns.len().max(other.columns.len()), Vec::new());
        self.columns.iter_mut().zip(&other.columns).for_each(|(pairs, other)| pairs.extend(other));
    }

    /// A sequence counts or does not: no other weight is accepted.
    fn scale(&mut self, weight: f64) {
        if weight == 0.0 {
            self.reset();
        }
    }

    fn reset(&mut self) {
        self.columns.iter_mut().for_each(Vec::clear);
    }

    fn numbers(&self) -> Vec<f64> {
        let columns = self.columns.len() as f64;
        std::iter::once(columns).chain(self.columns.iter().flatten().flatten().copied()).collect()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (&columns, rest) = numbers.split_first()?;
        let (pairs, odd) = rest.as_chunks::<2>();
        let columns = columns as usize;
        if columns == 0 {
            return rest.is_empty().then(Self::default);
        }
        if !odd.is_empty() || pairs.len() % columns != 0 {
            return None;
        }
        let rows = pairs.len() / columns;
        Some(Self { columns: (0..columns).map(|column| pairs[column * rows..][..rows].to_vec()).collect() })
    }
}
