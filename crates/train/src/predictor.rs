//! Predictions, one call after the other.

use std::fmt;

use chainrule_core::{Forward, Layer, Mode, Params, SequentialCache};
use chainrule_tensor::{Buffer, FlushDenormals, Real};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Model, PredictError};

/// A model with the memory to predict again and again: after the first call for so many rows, a call allocates
/// nothing.
///
/// Layers that carry a state go on from call to call: row `i` where row `i` of the call before ended, if both have as
/// many rows. So a model can be given a sequence step by step, as when a text is generated. It is planned for samples of
/// one step, and takes the parameters of the model that was trained on longer ones:
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_layers::{Dense, Lstm, TimeDistributed};
/// use chainrule_tensor::Seed;
/// use chainrule_train::Model;
/// use ndarray::{Array2, s};
/// let lstm = Lstm::new(8).sequences();
/// let layers = |lstm| Sequential::new().then(lstm).then(TimeDistributed(Dense::new(3)));
/// let trained = Model::new([20, 3], layers(lstm.clone()), Seed(1))?;
/// let mut model = Model::new([1, 3], layers(lstm.stateful()), Seed(0))?;
/// model.parameters_mut().copy_from_slice(trained.parameters());
///
/// let (mut text, mut step) = (Array2::zeros((1, 60)), Array2::from_elem((1, 3), 0.5));
/// let whole = {
///     let mut generator = model.predictor();
///     for t in 0..20 {
///         text.slice_mut(s![.., 3 * t..3 * t + 3]).assign(&step);
///         let next = generator.predict(step.view())?;
///         step.assign(&next);
///     }
///     trained.predict(text.view())?
/// };
/// assert!((&whole.slice(s![.., 57..]) - &step).iter().all(|difference| difference.abs() < 1e-5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Predictor<'a, T: Real> {
    model: &'a Model<T>,
    cache: SequentialCache<T>,
    y: Buffer<T>,
}

impl<'a, T: Real> Predictor<'a, T> {
    pub(crate) fn new(model: &'a Model<T>) -> Self {
        Self { model, cache: model.cache(), y: Buffer::default() }
    }

    /// The outputs, `[rows, size of the output]`, for the samples in the rows of `x`.
    ///
    /// # Errors
    ///
    /// [`PredictError`] if the rows have not the size of a sample, or a value that the first layer cannot take. States
    /// are then as they were.
    pub fn predict(&mut self, x: ArrayView2<'_, T>) -> Result<ArrayView2<'_, T>, PredictError> {
        self.check(x)?;
        let (rows, columns) = (x.nrows(), self.model.output().size());
        let mut y = std::mem::take(&mut self.y);
        y.reserve(rows * columns);
        self.run(x, y.matrix_mut(rows, columns));
        self.y = y;
        Ok(self.y.matrix(rows, columns))
    }

    /// Lets states that are carried from call to call begin anew.
    pub fn reset(&mut self) {
        if self.model.plan().is_stateful() {
            self.cache = self.model.cache();
        }
    }

    /// Whether the model can take these samples.
    pub(crate) fn check(&self, x: ArrayView2<'_, T>) -> Result<(), PredictError> {
        let input = self.model.input();
        if x.ncols() != input.size() {
            return Err(PredictError::Columns { columns: x.ncols(), input });
        }
        Ok(self.model.layers().check(x)?)
    }

    /// The forward pass over samples that were checked.
    pub(crate) fn run(&mut self, x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
        let _flush = FlushDenormals::new();
        let Self { model, cache, .. } = self;
        model.layers().forward(Forward {
            params: Params::new(model.parameters()),
            x,
            y,
            cache,
            mode: Mode::Eval,
        });
    }
}

impl<T: Real> fmt::Debug for Predictor<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor").field("model", &self.model).finish_non_exhaustive()
    }
}
