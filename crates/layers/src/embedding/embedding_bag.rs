//! The embedding bag: one vector for several ids.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Layer, Plan, Range, SettingValue, Settings,
    ShapeError, SparseGrad, Value, ValueError, described, entry, setting_words,
};
use chainrule_tensor::vector::{CHAIN, LongSum};
use chainrule_tensor::{Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1};

use super::table::{Table, settings};

/// The mean of the vectors of several ids: samples `[ids]` become `[size]`, `y = 1/n Σ W[xᵢ]`, with `W` of shape
/// `[vocabulary, size]`; or their sum, or their maximum.
///
/// This is an [`Embedding`](crate::Embedding) followed by a reduction over its steps, as PyTorch's `EmbeddingBag`; what is said there
/// about ids, initialisers and sparse gradients applies here. Padding ids do not count; if all ids are padding, `y` is 0.
/// Backward, `dW[xᵢ] += 1/n dy`; the maximum passes its gradient to the first id that attains it.
#[derive(Clone, Debug)]
pub struct EmbeddingBag {
    table: Table,
    reduction: Reduction,
}

impl Described for EmbeddingBag {
    const ENTRY: Entry = entry! {
        /// The vectors of several ids, from a table, as one.
        EmbeddingBag = "embedding_bag";
        settings {
            /// The number of ids.
            vocabulary ("num_embeddings", "input_dim"): required, Range::AT_LEAST_ONE;
            /// The number of values of a vector.
            size ("embedding_dim", "output_dim"): required, Range::AT_LEAST_ONE;
            /// `mean`, `sum` or `max`.
            reduction ("mode"): mean;
            /// The first vectors.
            weight_init ("embeddings_initializer"): normal;
            /// The id of padding, whose vector is 0 and is not trained.
            padding_index ("padding_idx"): none;
            /// Whether a step updates only the vectors that its batch used.
            sparse: false;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self { table: Table::from_settings(settings)?, reduction: settings.get("reduction")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        let mut values = self.table.values();
        values.insert(2, self.reduction.to_value());
        values
    }
}

setting_words!(Reduction { Sum = "sum", Mean = "mean", Max = "max" });

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

    /// The maximum of each component, which has no sparse gradient.
    #[must_use]
    pub fn max(self) -> Self {
        Self { reduction: Reduction::Max, ..self }
    }

    settings!();

    /// `y = Σ W[xᵢ]`, from `y = 0`.
    fn sum_vectors<T: Real>(
        &self,
        x: ArrayView1<'_, T>,
        w: ArrayView2<'_, T>,
        mut y: ArrayViewMut1<'_, T>,
        sum: &mut LongSum<T>,
    ) {
        let ids = x.iter().filter_map(|&x| self.table.row(x));
        if x.len() <= CHAIN {
            return ids.for_each(|id| vector::add(w.row(id), y.view_mut()));
        }
        sum.start(y.len());
        ids.for_each(|id| vector::add(w.row(id), sum.part().into()));
        sum.add_to(y.into_slice().expect("the rows of the output are contiguous"));
    }

    /// The factor of a sum.
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

/// The cache of an [`EmbeddingBag`].
#[derive(Clone, Debug)]
pub struct EmbeddingBagCache<T: Real> {
    /// For maxima, the id that each value of the output comes from, or `NO_ID`.
    argmax: Vec<u32>,
    /// Scratch space for a gradient.
    terms: SparseGrad<T>,
    /// For maxima, the values that have an id: `id size + column`, and the row.
    order: Vec<(u64, u32)>,
    /// Scratch space for the sum of many vectors.
    sum: LongSum<T>,
}

impl<T: Real> Default for EmbeddingBagCache<T> {
    fn default() -> Self {
        Self { argmax: Vec::new(), terms: SparseGrad::default(), order: Vec::new(), sum: LongSum::default() }
    }
}

/// Marks a value where all ids are padding.
const NO_ID: u32 = u32::MAX;

impl<T: Real> Layer<T> for EmbeddingBag {
    type Cache = EmbeddingBagCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, EmbeddingBagCache<T>), ShapeError> {
        if self.reduction == Reduction::Max && self.table.sparse {
            let help = "remove `sparse`, or use the sum or the mean";
            return Err(plan.error(input, "[ids], with a dense gradient for the maximum,", help));
        }
        self.table.plan::<T>(input, plan)?;
        Ok((Shape::from([self.table.size]), EmbeddingBagCache::default()))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.table.check(self, x)
    }

    described!();

    fn forward(&self, Forward { mut params, x, mut y, cache, .. }: Forward<'_, T, EmbeddingBagCache<T>>) {
        let Table { vocabulary, size, .. } = self.table;
        let w = params.take([vocabulary, size]);
        y.fill(T::zero());
        if self.reduction == Reduction::Max {
            cache.argmax.clear();
            cache.argmax.resize(y.len(), NO_ID);
            let rows = x.rows().into_iter().zip(y.rows_mut()).zip(cache.argmax.chunks_exact_mut(size));
            for ((x, mut y), argmax) in rows {
                for id in x.iter().filter_map(|&x| self.table.row(x)) {
                    for ((y, from), &value) in y.iter_mut().zip(&mut *argmax).zip(w.row(id)) {
                        if *from == NO_ID || value > *y {
                            *y = value; //                                                  y = max W[xᵢ]
                            *from = id as u32;
                        }
                    }
                }
            }
            return;
        }
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            self.sum_vectors(x, w, y.view_mut(), &mut cache.sum); //                       y = Σ W[xᵢ]
            if self.reduction == Reduction::Mean {
                let factor = self.factor(x);
                y.mapv_inplace(|y| factor * y); //                                          y = 1/n Σ W[xᵢ]
            }
        }
    }

    fn backward(&self, Backward { mut grads, x, dy, dx, cache, .. }: Backward<'_, T, EmbeddingBagCache<T>>) {
        let Table { vocabulary, size, .. } = self.table;
        if self.reduction == Reduction::Max {
            let EmbeddingBagCache { argmax, order, .. } = cache;
            let positions = argmax.iter().enumerate().filter(|&(_, &id)| id != NO_ID);
            order.clear();
            order.reserve(argmax.len());
            order.extend(positions.map(|(index, &id)| {
                let value = u64::from(id) * size as u64 + (index % size) as u64;
                (value, (index / size) as u32)
            }));
            // In the order of the rows for each value of the table.
            order.sort_unstable();
            let dw = grads.values(vocabulary * size);
            for of_value in order.chunk_by(|a, b| a.0 == b.0) {
                let value = of_value[0].0 as usize;
                let terms = of_value.iter().map(|&(_, row)| dy[[row as usize, value % size]]);
                dw[value] += vector::sum_iter(terms);
            }
        } else {
            let mut dw = grads.table([vocabulary, size], x.len(), &mut cache.terms);
            for (row, x) in x.rows().into_iter().enumerate() {
                let factor = self.factor(x);
                for id in x.iter().filter_map(|&x| self.table.row(x)) {
                    dw.add(id, factor, [row, 0]); //                                        dW[xᵢ] += 1/n dy
                }
            }
            dw.finish(dy);
        }
        if let Some(mut dx) = dx {
            dx.fill(T::zero());
        }
    }
}
