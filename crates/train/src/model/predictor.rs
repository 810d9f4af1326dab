//! Predictions, with memory that is kept from call to call.

use std::fmt;

use chainrule_core::runner::RunExt;
use chainrule_core::{Forward, Layer, Mode, Params, SequentialCache, ValueError};
use chainrule_tensor::{Buffer, FlushDenormals, Real, Shape, SparseMatrix, blas};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, ShapeBuilder};

use super::model::Model;

/// So many bytes of what layers compute stay in a second cache.
const PART_BYTES: u64 = 1 << 20;

/// A part of a forward pass has no more samples, and uses a parameter as often if it has fewer: a dense layer uses each once for a sample, and
/// a convolution as often as its window moves.
const MAX_ROWS: usize = 256;

/// It has no fewer, since recurrent layers multiply them in each step.
const MIN_ROWS: usize = 32;

/// Nor does it take more bytes than this, unless a single sample does.
const MAX_BYTES: u64 = 1 << 26;

impl<T: Real> Model<T> {
    /// How many samples a forward pass takes at a time where any number will do, if the layers compute so many bytes from one and keep
    /// them.
    pub(crate) fn rows_of_part(&self, bytes: u64) -> usize {
        let rows = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
        let fitting = |bytes_of_part: u64| rows(bytes_of_part / bytes.max(1));
        let uses_of_row = self.plan().total_flops() / (2 * self.parameters().len().max(1) as u64);
        let using = MAX_ROWS / rows(uses_of_row).max(1);
        fitting(PART_BYTES).max(using).clamp(MIN_ROWS, MAX_ROWS).min(fitting(MAX_BYTES)).max(1)
    }

    /// The outputs, `[rows, size of the output]`, for the samples in the rows of `x`.
    ///
    /// Each call allocates the memory of the pass, and layers that carry a state start from zeros. So pass many rows at once,
    /// or use a [`predictor`](Self::predictor).
    ///
    /// # Errors
    ///
    /// [`PredictError`] if the rows do not have the size of a sample, or hold a value that the first layer does not accept.
    pub fn predict(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>, PredictError> {
        let mut predictor = self.predictor();
        predictor.check(x)?;
        let mut y = Array2::zeros((x.nrows(), self.output.size()));
        predictor.run(x, y.view_mut());
        Ok(y)
    }

    /// As [`predict`](Self::predict), for samples that are stored without their zeros.
    ///
    /// # Errors
    ///
    /// [`PredictError`] as [`predict`](Self::predict).
    pub fn predict_sparse(&self, x: &SparseMatrix<T>) -> Result<Array2<T>, PredictError> {
        self.predictor().predict_sparse(x).map(|y| y.to_owned())
    }

    /// Memory for many predictions, between which layers may carry a state.
    pub fn predictor(&self) -> Predictor<'_, T> {
        // Before the first call, since which one is the first product by BLAS depends on the numbers of rows. Where the system
        // refuses it, that product says so.
        let _ = blas::reserve(1);
        Predictor { model: self, cache: self.cache(), y: Buffer::default() }
    }
}

/// A model with memory for many predictions: after the first call with a number of rows, calls with no more allocate nothing.
///
/// Layers that carry a state go on from call to call: row `i` starts where row `i` of the previous call ended, if both calls
/// have the same number of rows. So a model can be given a sequence step by step, for example to generate text. Plan it for
/// samples of one step, and copy the parameters of the model that was trained on longer ones:
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_layers::{Dense, Lstm, TimeDistributed};
/// use chainrule_tensor::Seed;
/// use chainrule_train::Model;
/// use ndarray::{Array2, s};
///
/// let lstm = Lstm::new(8).sequences();
/// let layers = |lstm| Sequential::new().then(lstm).then(TimeDistributed(Dense::new(3)));
/// let trained = Model::new([20, 3], layers(lstm.clone()), Seed(1))?;
/// let mut model = Model::new([1, 3], layers(lstm.stateful()), Seed(0))?;
/// model.parameters_mut().copy_from_slice(trained.parameters());
///
/// let mut text = Array2::zeros((1, 60));
/// let mut step = Array2::from_elem((1, 3), 0.5);
/// let mut generator = model.predictor();
/// for t in 0..20 {
///     text.slice_mut(s![.., 3 * t..3 * t + 3]).assign(&step);
///     let next = generator.predict(step.view())?;
///     step.assign(&next);
/// }
/// let whole = trained.predict(text.view())?;
/// assert!((&whole.slice(s![.., 57..]) - &step).iter().all(|difference| difference.abs() < 1e-5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Predictor<'a, T: Real> {
    model: &'a Model<T>,
    cache: SequentialCache<T>,
    y: Buffer<T>,
}

impl<T: Real> Predictor<'_, T> {
    /// The outputs, `[rows, size of the output]`, for the samples in the rows of `x`.
    ///
    /// # Errors
    ///
    /// [`PredictError`] if the rows do not have the size of a sample, or hold a value that the first layer does not accept.
    /// Then states are unchanged.
    pub fn predict(&mut self, x: ArrayView2<'_, T>) -> Result<ArrayView2<'_, T>, PredictError> {
        self.check(x)?;
        let rows = x.nrows();
        let columns = self.model.output().size();
        let mut y = std::mem::take(&mut self.y);
        y.reserve(rows * columns);
        self.run(x, y.matrix_mut(rows, columns));
        self.y = y;
        Ok(self.y.matrix(rows, columns))
    }

    /// As [`predict`](Self::predict), for samples that are stored without their zeros. Where the network begins with a dense layer, it
    /// takes as long as the values that are stored; otherwise the zeros are written first.
    ///
    /// # Errors
    ///
    /// [`PredictError`] as [`predict`](Self::predict).
    pub fn predict_sparse(&mut self, x: &SparseMatrix<T>) -> Result<ArrayView2<'_, T>, PredictError> {
        let input = self.model.input();
        if x.columns() != input.size() {
            return Err(PredictError::Columns { columns: x.columns(), input });
        }
        let weight = self.cache.lead().filter(|_| x.columns() > 0);
        let Some(weight) = weight else { return self.predict(x.to_dense().view()) };
        let (rows, columns) = (x.rows(), self.model.output().size());
        let mut y = std::mem::take(&mut self.y);
        y.reserve(rows * columns);
        {
            let _flush = FlushDenormals::new();
            let Self { model, cache, .. } = self;
            let weight = &model.parameters()[weight];
            let w = ArrayView2::from_shape((x.columns(), weight.len() / x.columns()), weight);
            let z = cache.lead_output(rows).unwrap_or_else(|| y.matrix_mut(rows, columns));
            x.product(w.expect("the values of the weight"), z); // Z = X W
            // The first layer does not read them.
            let zero = [T::zero()];
            let zeros = ArrayView2::from_shape((rows, x.columns()).strides((0, 0)), &zero);
            let zeros = zeros.expect("every index is the first");
            let params = Params::new(model.parameters()).deferred(true);
            let y = y.matrix_mut(rows, columns);
            model.layers().forward(Forward { params, x: zeros, y, cache, mode: Mode::Eval });
        }
        self.y = y;
        Ok(self.y.matrix(rows, columns))
    }

    /// Resets the states that layers carry from call to call.
    pub fn reset(&mut self) {
        if self.model.plan().is_stateful() {
            self.cache = self.model.cache();
        }
    }

    /// Whether the model accepts these samples.
    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), PredictError> {
        let input = self.model.input();
        if x.ncols() != input.size() {
            return Err(PredictError::Columns { columns: x.ncols(), input });
        }
        Ok(self.model.layers().check(x)?)
    }

    /// The forward pass over samples that were checked.
    fn run(&mut self, x: ArrayView2<'_, T>, mut y: ArrayViewMut2<'_, T>) {
        let _flush = FlushDenormals::new();
        let Self { model, cache, .. } = self;
        // Rows go on from those of the call before, if a state is carried.
        let rows = match model.plan().is_stateful() {
            true => x.nrows().max(1),
            false => model.rows_of_part(model.values_per_sample().saturating_mul(size_of::<T>() as u64)),
        };
        for (x, y) in x.axis_chunks_iter(Axis(0), rows).zip(y.axis_chunks_iter_mut(Axis(0), rows)) {
            let params = Params::new(model.parameters());
            model.layers().forward(Forward { params, x, y, cache, mode: Mode::Eval });
        }
    }
}

impl<T: Real> fmt::Debug for Predictor<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor").field("model", &self.model).finish_non_exhaustive()
    }
}

/// Samples that a model does not accept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The rows do not have the size of a sample.
    #[error("the rows have {columns} values, but a sample of shape {input} has {}", input.size())]
    Columns {
        /// The number of values of a row.
        columns: usize,
        /// The shape of a sample.
        input: Shape,
    },
    /// A value is not one that the first layer accepts.
    #[error(transparent)]
    Value(#[from] ValueError),
}
