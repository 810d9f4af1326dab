//! What the losses of a batch's rows become.

use chainrule_core::setting_words;

/// What the sum of the rows' losses is divided by.
///
/// Rows have weights: those of the samples ([`Weighted`](crate::Weighted)), of their classes, and 0 for targets that are ignored.
/// Whatever it is divided by is of the whole batch, never of a shard, nor of a part whose gradients are accumulated.
///
/// | | `J` | in PyTorch | in Keras |
/// |---|---|---|---|
/// | `Mean` | `Σ wᵢ Lᵢ / Σ wᵢ` | `mean` | `mean_with_sample_weight` |
/// | `MeanOfRows` | `Σ wᵢ Lᵢ / m` | | `sum_over_batch_size` |
/// | `Sum` | `Σ wᵢ Lᵢ` | `sum` | `sum` |
///
/// Where no row has a weight, the first two are the same. A batch in which no row counts has the loss 0 and no gradient.
///
/// ```
/// use chainrule_losses::Reduction;
/// assert_eq!(Reduction::Mean.divisor(4, 2.5), 2.5);
/// assert_eq!(Reduction::MeanOfRows.divisor(4, 2.5), 4.0);
/// assert_eq!(Reduction::Sum.divisor(4, 2.5), 1.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The weighted mean: the sum of the weights of the batch.
    #[default]
    Mean,
    /// The number of rows of the batch.
    MeanOfRows,
    /// 1.
    Sum,
}

setting_words! { Reduction { Mean = "mean", MeanOfRows = "mean_of_rows", Sum = "sum" } }

impl Reduction {
    /// What the sum of the losses of a batch is divided by, which has this many rows with this sum of weights.
    pub fn divisor(self, rows: usize, weight: f64) -> f64 {
        match self {
            Self::Mean => weight,
            Self::MeanOfRows => rows as f64,
            Self::Sum => 1.0,
        }
    }

    /// The factor of the losses: 1 / [`divisor`](Self::divisor), or 0 where no row counts.
    pub fn factor(self, rows: usize, weight: f64) -> f64 {
        let divisor = self.divisor(rows, weight);
        if divisor == 0.0 { 0.0 } else { 1.0 / divisor }
    }
}

/// What the loss of a row, and the weight that it has, depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The row. Its weight is 1.
    #[default]
    Row,
    /// The row. Rows have weights, whose sum has to be known before the gradient can be computed.
    WeightedRow,
    /// All rows of the batch, which have weights as well: they are computed together.
    Batch,
}
