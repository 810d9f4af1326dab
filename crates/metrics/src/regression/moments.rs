//! Means, variances and covariances of outputs and targets.

use chainrule_tensor::{Real, Target};
use ndarray::ArrayView2;

use super::MomentAverage;
use crate::{Counts, MetricValue, Undefined};

/// The moments of outputs y, targets t and their differences d = t - y, by Welford 1962 and, merged, by Chan et al. 1979: no large
/// sums are subtracted from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// The sum of the weights.
    pub weight: f64,
    /// The means of y, t and d.
    pub means: [f64; 3],
    /// The sums of the squared distances of y, t and d from their means.
    pub squares: [f64; 3],
    /// The sum of the products of the distances of y and t from their means.
    pub product: f64,
}

impl Moments {
    fn push(&mut self, y: f64, t: f64, weight: f64) {
        self.weight += weight;
        let values = [y, t, t - y];
        let share = weight / self.weight;
        let before = [0, 1, 2].map(|index| values[index] - self.means[index]);
        for index in 0..3 {
            self.means[index] += share * before[index];
            self.squares[index] += weight * before[index] * (values[index] - self.means[index]);
        }
        self.product += weight * before[0] * (t - self.means[1]);
    }

    fn merge(&mut self, other: &Self) {
        if other.weight == 0.0 {
            return;
        }
        let weight = self.weight + other.weight;
        let share = other.weight / weight;
        let apart = [0, 1, 2].map(|index| other.means[index] - self.means[index]);
        let between = self.weight * share;
        for (index, apart) in apart.into_iter().enumerate() {
            self.means[index] += share * apart;
            self.squares[index] += other.squares[index] + between * apart * apart;
        }
        self.product += other.product + between * apart[0] * apart[1];
        self.weight = weight;
    }

    /// The sum of `(t - y)²`.
    pub fn squared_error(&self) -> f64 {
        let [.., mean] = self.means;
        let [.., squares] = self.squares;
        squares + self.weight * mean * mean
    }

    fn is_nan(&self) -> bool {
        self.squares.iter().chain([&self.product]).any(|sum| sum.is_nan())
    }
}

/// The moments of each column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnMoments(Vec<Moments>);

impl ColumnMoments {
    /// Those of each column.
    pub fn columns(&self) -> &[Moments] {
        &self.0
    }

    pub(super) fn count<T: Real, Y: Target<T>>(&mut self, y: ArrayView2<'_, T>, targets: &[Y]) {
        if self.0.len() < y.ncols() {
            self.0.resize(y.ncols(), Moments::default());
        }
        for (y, target) in y.rows().into_iter().zip(targets) {
            let weight = if Y::WEIGHTED { target.weight() } else { 1.0 };
            if weight == 0.0 {
                continue;
            }
            let view = target.view();
            for (column, (y, moments)) in y.iter().zip(&mut self.0).enumerate() {
                moments.push(y.as_f64(), view.at(column).as_f64(), weight);
            }
        }
    }

    /// The average over the columns of a figure of their moments.
    pub(super) fn average(
        &self,
        average: MomentAverage,
        figure: impl Fn(&Moments) -> Result<f64, Undefined>,
    ) -> MetricValue {
        let of = |moments: &Moments| {
            let figure = match moments {
                moments if moments.weight == 0.0 => Err(Undefined::NO_SAMPLE),
                moments if moments.is_nan() => Err(Undefined("an output or a target is not finite")),
                moments => figure(moments),
            };
            (figure, moments.squares[1])
        };
        average.of(self.0.iter().map(of).collect())
    }
}

/// Why there is nothing to explain.
pub(super) const EQUAL: &str = "the targets are all equal";

/// Why there is no correlation.
pub(super) const CONSTANT: &str = "the outputs or the targets are all equal";

impl Counts for ColumnMoments {
    fn merge(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), Moments::default());
        self.0.iter_mut().zip(&other.0).for_each(|(moments, other)| moments.merge(other));
    }

    fn scale(&mut self, weight: f64) {
        for moments in &mut self.0 {
            moments.weight *= weight;
            moments.squares = moments.squares.map(|sum| sum * weight);
            moments.product *= weight;
        }
    }

    fn reset(&mut self) {
        self.0.fill(Moments::default());
    }

    fn numbers(&self) -> Vec<f64> {
        let numbers = |&Moments { weight, means: [y, t, d], squares: [yy, tt, dd], product }: &Moments| {
            [weight, y, t, d, yy, tt, dd, product]
        };
        self.0.iter().flat_map(numbers).collect()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (columns, rest) = numbers.as_chunks();
        let moments = |&[weight, y, t, d, yy, tt, dd, product]: &[f64; 8]| Moments {
            weight,
            means: [y, t, d],
            squares: [yy, tt, dd],
            product,
        };
        rest.is_empty().then(|| Self(columns.iter().map(moments).collect()))
    }
}
