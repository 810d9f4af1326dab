//! A batch that is computed in several passes, one after the other, since its activations take too much memory at once.

use chainrule_losses::Reduction;

use super::whole_batch::BatchLoss;

/// How much the sums so far, and those of one more pass, count in the sum of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shares {
    /// Whether there are no sums yet.
    pub(crate) first: bool,
    /// Of gradients.
    pub(crate) gradients: [f64; 2],
    /// Of the next running statistics.
    pub(crate) statistics: [f64; 2],
}

impl Shares {
    /// Those of the only pass.
    pub(crate) const ALL: Self = Self { first: true, gradients: [0.0, 1.0], statistics: [0.0, 1.0] };
}

/// The passes of a batch so far.
///
/// The loss of a pass is divided by what counts in it, and its gradient as well. So a mean over the batch is the mean of the passes,
/// weighted by what counts in each: that is known only after the last one, where samples have weights.
#[derive(Debug)]
pub(crate) struct SeveralPasses {
    reduction: Reduction,
    rows: usize,
    divisor: f64,
    loss: BatchLoss,
    largest_grad: f64,
}

impl SeveralPasses {
    /// No pass yet.
    pub(crate) fn new(reduction: Reduction) -> Self {
        let loss = BatchLoss { objective: 0.0, mean: 0.0, weight: 0.0 };
        Self { reduction, rows: 0, divisor: 0.0, loss, largest_grad: 0.0 }
    }

    /// Adds a pass of so many rows with this loss. None of its gradients is larger than `largest_grad`.
    pub(crate) fn add(&mut self, loss: BatchLoss, rows: usize, largest_grad: f64) -> Shares {
        self.largest_grad += largest_grad;
        if self.rows == 0 {
            self.rows = rows;
            self.divisor = self.reduction.divisor(rows, loss.weight);
            self.loss = loss;
            return Shares::ALL;
        }
        let shares = |before: f64, more: f64| {
            let all = before + more;
            if all == 0.0 { [0.0; 2] } else { [before / all, more / all] }
        };
        let of = |[before, more]: [f64; 2], a: f64, b: f64| before * a + more * b;
        let divisor = self.reduction.divisor(rows, loss.weight);
        let gradients = match self.reduction {
            Reduction::Sum => [1.0, 1.0],
            _ => shares(self.divisor, divisor),
        };
        let weights = shares(self.loss.weight, loss.weight);
        let statistics = shares(self.rows as f64, rows as f64);
        self.loss = BatchLoss {
            objective: of(gradients, self.loss.objective, loss.objective),
            mean: of(weights, self.loss.mean, loss.mean),
            weight: self.loss.weight + loss.weight,
        };
        self.rows += rows;
        self.divisor += divisor;
        Shares { first: false, gradients, statistics }
    }

    /// The loss of all passes.
    pub(crate) fn loss(&self) -> BatchLoss {
        self.loss
    }

    /// No gradient of their sum is larger.
    pub(crate) fn largest_grad(&self) -> f64 {
        self.largest_grad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_parts_is_that_of_all() {
        // Losses with weights 2, 0 and 6, in passes of 3, 1 and 4 rows.
        let parts = [(0.5, 2.0, 3), (0.0, 0.0, 1), (0.25, 6.0, 4)];
        for (reduction, right) in [
            (Reduction::Mean, (0.5 * 2.0 + 0.25 * 6.0) / 8.0),
            (Reduction::MeanOfRows, (0.5 * 3.0 + 0.25 * 4.0) / 8.0),
            (Reduction::Sum, 0.75),
        ] {
            let mut passes = SeveralPasses::new(reduction);
            let mut gradient = 0.0;
            let mut statistic = 0.0;
            for (mean, weight, rows) in parts {
                let weight = if reduction == Reduction::MeanOfRows { rows as f64 } else { weight };
                let Shares { gradients, statistics, .. } =
                    passes.add(BatchLoss { objective: mean, mean, weight }, rows, 1.0);
                gradient = gradients[0] * gradient + gradients[1] * mean;
                statistic = statistics[0] * statistic + statistics[1] * rows as f64;
            }
            assert!((passes.loss().objective - right).abs() < 1e-15, "{reduction:?}");
            assert!((gradient - right).abs() < 1e-15, "{reduction:?}");
            assert!((statistic - (9.0 + 1.0 + 16.0) / 8.0).abs() < 1e-15);
            assert_eq!(passes.largest_grad(), 3.0);
        }
    }
}
