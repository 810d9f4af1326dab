//! The embedding: a vector for each id.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Layer, Plan, Range, Settings, ShapeError,
    SparseGrad, Value, ValueError, described, entry,
};
use chainrule_tensor::{Real, Shape, prefetch};
use ndarray::ArrayView2;

use super::table::{Table, settings};

/// A vector for each id: samples `[steps]` of ids become `[steps, size]`, `yₛ = W[xₛ]`, with `W` of shape
/// `[vocabulary, size]`.
///
/// Ids are whole numbers from 0 to `vocabulary - 1`, stored as numbers of the model's type; a trainer and `Model::predict` reject
/// others. They have no gradient: `dx` is 0. Backward, `dW[xₛ] += dyₛ`.
///
/// The vectors are initialised from a standard normal distribution, as in PyTorch's `Embedding`, or uniformly in ±0.05 by
/// [`keras`](Self::keras). With a [`padding_index`](Self::padding_index), the output for that id is zeros, which later layers treat
/// as padding if they are `masked`.
///
/// ```
/// use chainrule_core::{Layer, Plan};
/// use chainrule_layers::Embedding;
/// let words = Embedding::new(10_000, 64).padding_index(0).sparse();
/// let (output, _) = Layer::<f32>::plan(&words, [20].into(), &mut Plan::new())?;
/// assert_eq!(*output, [20, 64]);
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    table: Table,
}

impl Described for Embedding {
    const ENTRY: Entry = entry! {
        /// A vector for each id, from a table.
        Embedding = "embedding";
        settings {
            /// The number of ids.
            vocabulary ("num_embeddings", "input_dim"): required, Range::AT_LEAST_ONE;
            /// The number of values of a vector.
            size ("embedding_dim", "output_dim"): required, Range::AT_LEAST_ONE;
            /// The first vectors.
            weight_init ("embeddings_initializer"): normal;
            /// The id of padding, whose vector is 0 and is not trained.
            padding_index ("padding_idx"): none;
            /// Whether a step updates only the vectors that its batch used.
            sparse: false;
        }
        presets { keras { weight_init = uniform(-0.05, 0.05) } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Table::from_settings(settings).map(|table| Self { table })
    }

    fn setting_values(&self) -> Vec<Value> {
        self.table.values()
    }
}

impl Embedding {
    /// A vector of `size` values for each of `vocabulary` ids.
    pub fn new(vocabulary: usize, size: usize) -> Self {
        Self { table: Table::new(vocabulary, size) }
    }

    /// An embedding with the initialiser of Keras.
    pub fn keras(vocabulary: usize, size: usize) -> Self {
        Self { table: Table::keras(vocabulary, size) }
    }

    settings!();
}

/// The cache of an [`Embedding`]: scratch space for a gradient.
#[derive(Clone, Debug)]
pub struct EmbeddingCache<T> {
    terms: SparseGrad<T>,
}

impl<T> Default for EmbeddingCache<T> {
    fn default() -> Self {
        Self { terms: SparseGrad::default() }
    }
}

/// The number of vectors that are prefetched.
const PREFETCH: usize = 4;

impl<T: Real> Layer<T> for Embedding {
    type Cache = EmbeddingCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, EmbeddingCache<T>), ShapeError> {
        let steps = self.table.plan::<T>(input, plan)?;
        Ok((Shape::from([steps, self.table.size]), EmbeddingCache::default()))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.table.check(self, x)
    }

    described!();

    fn forward(&self, Forward { mut params, x, mut y, .. }: Forward<'_, T, EmbeddingCache<T>>) {
        let Table { vocabulary, size, .. } = self.table;
        let w = params.take([vocabulary, size]);
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            let mut later = x.iter().skip(PREFETCH);
            for (&x, mut y) in x.iter().zip(y.exact_chunks_mut(size)) {
                if let Some(id) = later.next().and_then(|&x| self.table.row(x)) {
                    prefetch(w.row(id).to_slice().unwrap_or_default());
                }
                match self.table.row(x) {
                    Some(id) => y.assign(&w.row(id)), //                                    yₛ = W[xₛ]
                    None => y.fill(T::zero()),
                }
            }
        }
    }

    fn backward(&self, Backward { mut grads, x, dy, dx, cache, .. }: Backward<'_, T, EmbeddingCache<T>>) {
        let Table { vocabulary, size, .. } = self.table;
        let mut dw = grads.table([vocabulary, size], x.len(), &mut cache.terms);
        for ((row, step), &x) in x.indexed_iter() {
            if let Some(id) = self.table.row(x) {
                dw.add(id, T::one(), [row, step * size]); //                                dW[xₛ] += dyₛ
            }
        }
        dw.finish(dy);
        if let Some(mut dx) = dx {
            dx.fill(T::zero());
        }
    }
}
