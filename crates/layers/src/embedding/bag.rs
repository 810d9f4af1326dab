//! The embedding of several ids at once.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError, ValueError};
use chainrule_tensor::{Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2};

use super::table::{Table, settings};

/// The mean of the vectors of several ids: samples `[ids]` become `[size]`, `y = 1/n Σ W[xᵢ]`, with `W` of shape
/// `[vocabulary, size]`; or their sum, or their greatest values.
///
/// It is an [`Embedding`](crate::Embedding) and a reduction over its steps, as PyTorch's `EmbeddingBag`, and all that is
/// said there about ids, starts and sparse gradients holds here. Ids that are padding do not count; where all are, `y`
/// is 0. Backward, `dW[xᵢ] += 1/n dy`; the greatest value passes its gradient to the first id that has it.
#[derive(Clone, Debug)]
pub struct EmbeddingBag {
    table: Table,
    reduction: Reduction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reduction {
    Sum,
    Mean,
    Max,
}

impl EmbeddingBag {
    /// The mean of vectors of `size` values, one for each of `vocabulary` ids.
    pub fn new(vocabulary: usize, size: usize) -> Self {
        Self { table: Table::new(vocabulary, size), reduction: Reduction::Mean }
    }

    /// The sum of the vectors.
    #[must_use]
    pub fn sum(self) -> Self {
        Self { reduction: Reduction::Sum, ..self }
    }

    /// The greatest value of each component. It has no sparse gradient.
    #[must_use]
    pub fn max(self) -> Self {
        Self { reduction: Reduction::Max, ..self }
    }

    settings!();

    /// What a sum is multiplied by.
    fn factor<T: Real>(&self, x: ArrayView1<'_, T>) -> T {
        match self.reduction {
            Reduction::Mean => {
                let count = x.iter().filter(|&&x| self.table.row(x).is_some()).count();
                T::of(1.0 / count.max(1) as f64)
            }
            Reduction::Sum | Reduction::Max => T::one(),
        }
    }
}

/// What an [`EmbeddingBag`] remembers: for greatest values, whose they are.
#[derive(Clone, Debug, Default)]
pub struct Bag {
    /// For each value of the output the id that it is of, or `NOBODY`.
    winners: Vec<u32>,
}

/// Stands for an id where all are padding.
const NOBODY: u32 = u32::MAX;

impl<T: Real> Layer<T> for EmbeddingBag {
    type Cache = Bag;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Bag), ShapeError> {
        if self.reduction == Reduction::Max && self.table.sparse {
            let help = "leave `sparse` away, or take the sum or the mean";
            return Err(plan.error(input, "[ids], with a gradient that is whole for greatest values,", help));
        }
        self.table.plan::<T>(input, plan)?;
        Ok((Shape::from([self.table.size]), Bag::default()))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.table.check(self, x)
    }

    fn forward(&self, Forward { mut params, x, mut y, cache, .. }: Forward<'_, T, Bag>) {
        let Table { vocabulary, size, .. } = self.table;
        let w = params.take([vocabulary, size]);
        y.fill(T::zero());
        if self.reduction == Reduction::Max {
            cache.winners.clear();
            cache.winners.resize(y.len(), NOBODY);
            let rows = x.rows().into_iter().zip(y.rows_mut()).zip(cache.winners.chunks_exact_mut(size));
            for ((x, mut y), winners) in rows {
                for id in x.iter().filter_map(|&x| self.table.row(x)) {
                    for ((y, winner), &value) in y.iter_mut().zip(&mut *winners).zip(w.row(id)) {
                        if *winner == NOBODY || value > *y {
                            (*y, *winner) = (value, id as u32); //                          y = max W[xᵢ]
                        }
                    }
                }
            }
            return;
        }
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            for id in x.iter().filter_map(|&x| self.table.row(x)) {
                vector::add(w.row(id), y.view_mut()); //                                    y = Σ W[xᵢ]
            }
            if self.reduction == Reduction::Mean {
                let factor = self.factor(x);
                y.mapv_inplace(|y| factor * y); //                                          y = 1/n Σ W[xᵢ]
            }
        }
    }

    fn backward(&self, Backward { mut grads, x, dy, dx, cache, .. }: Backward<'_, T, Bag>) {
        let Table { vocabulary, size, .. } = self.table;
        if self.reduction == Reduction::Max {
            let mut dw = grads.take([vocabulary, size]);
            for (((_, column), &dy), &winner) in dy.indexed_iter().zip(&cache.winners) {
                if winner != NOBODY {
                    dw[[winner as usize, column]] += dy;
                }
            }
        } else {
            let mut dw = grads.table([vocabulary, size], x.len());
            for (row, x) in x.rows().into_iter().enumerate() {
                let factor = self.factor(x);
                for id in x.iter().filter_map(|&x| self.table.row(x)) {
                    dw.add(id, factor, dy, [row, 0]); //                                    dW[xᵢ] += 1/n dy
                }
            }
        }
        if let Some(mut dx) = dx {
            dx.fill(T::zero());
        }
    }
}
