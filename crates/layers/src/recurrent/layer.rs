//! The recurrent layer: a cell and its projection, unrolled over the steps.

use std::fmt;
use std::ops::Range;

use chainrule_core::{
    Backward, Description, DescriptionError, Forward, Layer, Mode, Plan, Settings, ShapeError,
};
use chainrule_tensor::{Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, s};

use super::cell::Cell;
use super::recurrent_projection::RecurrentProjection;
use super::steps::split_steps;
use super::unrolled::{Unrolled, UnrolledSizes, copy, matrix_rows, matrix_rows_mut};

/// A layer that passes a hidden state through the steps of a sample: `hₜ = cell(projection(xₜ, hₜ₋₁))`, starting from zeros.
///
/// Samples are `[steps, ...]`; the output is the last state, or with [`sequences`](Self::sequences) all of them,
/// `[steps, ...]`. See [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm), [`Gru`](crate::Gru) and
/// [`ConvLstm`](crate::ConvLstm) for the formulas, and the [module](crate::recurrent) for padding.
///
/// The backward pass runs once for each forward pass: its gradients overwrite what the forward pass left.
#[derive(Clone)]
pub struct Recurrent<C, P> {
    cell: C,
    pub(super) projection: P,
    options: RecurrentOptions,
}

/// The settings that all recurrent layers have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecurrentOptions {
    sequences: bool,
    backwards: bool,
    masked: bool,
    stateful: bool,
}

impl RecurrentOptions {
    pub(super) fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            sequences: settings.get("sequences")?,
            backwards: settings.get("backwards")?,
            masked: settings.get("masked")?,
            stateful: settings.get("stateful")?,
        })
    }

    /// Adds the settings to a description.
    fn describe(self, description: Description) -> Description {
        let Self { sequences, backwards, masked, stateful } = self;
        let description = description.with("sequences", sequences).with("backwards", backwards);
        description.with("masked", masked).with("stateful", stateful)
    }
}

impl<C, P> Recurrent<C, P> {
    /// A layer of this projection and this cell.
    pub fn new_with(cell: C, projection: P) -> Self {
        Self { cell, projection, options: RecurrentOptions::default() }
    }

    /// The same layer with another cell.
    pub(super) fn with_cell<D>(self, cell: D) -> Recurrent<D, P> {
        Recurrent { cell, projection: self.projection, options: self.options }
    }

    /// Returns the state after every step, `[steps, ...]`, instead of the last one (Keras' `return_sequences`).
    #[must_use]
    pub fn sequences(mut self) -> Self {
        self.options.sequences = true;
        self
    }

    /// Processes the steps from the last to the first (Keras' `go_backwards`). With [`sequences`](Self::sequences) the
    /// states are returned in the order in which they were computed, so that the first belongs to the last step;
    /// [`Bidirectional`](crate::Bidirectional) returns them in the order of the input.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.options.backwards = true;
        self
    }

    /// Treats steps whose values are all exactly 0 as padding: see the [module](crate::recurrent).
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.options.masked = true;
        self
    }

    /// Starts from the last state of the previous pass: row `i` of a batch continues row `i` of the one before (Keras'
    /// `stateful`). Gradients do not flow from pass to pass: this is truncated backpropagation through time.
    ///
    /// A pass with another number of rows than the previous one starts from zeros. A trainer starts from zeros in every
    /// epoch and every evaluation; it must not shuffle.
    #[must_use]
    pub fn stateful(mut self) -> Self {
        self.options.stateful = true;
        self
    }

    /// The same layer in the other direction.
    pub(super) fn reversed(mut self) -> Self {
        self.options.backwards = !self.options.backwards;
        self
    }

    /// The same layer with these options.
    pub(crate) fn with_options(self, options: RecurrentOptions) -> Self {
        Self { options, ..self }
    }

    pub(super) fn returns_sequences(&self) -> bool {
        self.options.sequences
    }
}

impl<C: fmt::Debug, P: fmt::Debug> fmt::Debug for Recurrent<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecurrentOptions { sequences, backwards, masked, stateful } = self.options;
        f.debug_struct(&format!("{:?}", self.cell))
            .field("projection", &self.projection)
            .field("sequences", &sequences)
            .field("backwards", &backwards)
            .field("masked", &masked)
            .field("stateful", &stateful)
            .finish()
    }
}

/// What a [`Recurrent`] layer keeps between its passes: all steps, and the cache of its projection.
#[derive(Clone, Debug, Default)]
pub struct RecurrentCache<T: Real, P> {
    unrolled: Unrolled<T>,
    projection: P,
}

impl<T: Real, P> RecurrentCache<T, P> {
    /// The number of values of a state.
    pub(super) fn units(&self) -> usize {
        self.unrolled.sizes.units
    }

    /// The number of parameters of the layer.
    pub(super) fn parameters(&self) -> usize {
        self.unrolled.sizes.parameters
    }
}

/// Which columns of an output the states are stored in: the first state starts at the column `first`, and each next one
/// `stride` columns later.
#[derive(Clone, Copy, Debug)]
pub(super) struct StateColumns {
    pub(super) first: usize,
    pub(super) stride: usize,
    /// Whether the states of a layer that runs backwards are stored in the order of the input.
    pub(super) input_order: bool,
}

/// What to do with the gradient of the input.
#[derive(Debug)]
pub(super) enum InputGradient<'a, T> {
    Skip,
    Overwrite(ArrayViewMut2<'a, T>),
    Add(ArrayViewMut2<'a, T>),
}

impl<C, P> Recurrent<C, P> {
    /// The index in the input of the step that is processed as number `step`.
    fn input_step(&self, steps: usize, step: usize) -> usize {
        if self.options.backwards { steps - 1 - step } else { step }
    }

    /// The columns of the input of a step.
    fn input_columns(&self, sizes: UnrolledSizes, step: usize) -> Range<usize> {
        let step = self.input_step(sizes.steps, step);
        step * sizes.inputs..(step + 1) * sizes.inputs
    }

    /// The columns of the output that hold the state after a step, if it is returned.
    fn output_columns(
        &self,
        sizes: UnrolledSizes,
        step: usize,
        columns: StateColumns,
    ) -> Option<Range<usize>> {
        let index = if !self.options.sequences {
            if step + 1 < sizes.steps {
                return None;
            }
            0
        } else if columns.input_order {
            self.input_step(sizes.steps, step)
        } else {
            step
        };
        let start = columns.first + index * columns.stride;
        Some(start..start + sizes.units)
    }

    /// The forward pass, into these columns of `y`.
    pub(super) fn forward_into<T: Real>(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        columns: StateColumns,
        cache: &mut RecurrentCache<T, P::Cache>,
        mode: Mode,
    ) where
        C: Cell<T>,
        P: RecurrentProjection<T>,
    {
        let RecurrentCache { unrolled, projection } = cache;
        unrolled.start(x.nrows(), self.options.stateful);
        let sizes = unrolled.sizes;
        let rows = unrolled.rows;
        let width = unrolled.width();
        let UnrolledSizes { steps, inputs, units, .. } = sizes;
        for step in 0..steps {
            let of_step = unrolled.rows_of(step);
            let mut to = matrix_rows_mut(&mut unrolled.x, of_step.clone(), inputs);
            copy(x.slice(s![.., self.input_columns(sizes, step)]), to.view_mut());
            if self.options.masked {
                let all_zero = |row: ArrayView1<'_, T>| row.iter().all(|&x| x == T::zero());
                let padding = unrolled.padding[of_step].iter_mut();
                padding.zip(to.rows()).for_each(|(padding, row)| *padding = all_zero(row));
            }
        }
        self.projection.forward_sequence(params, unrolled, projection);
        for step in 0..steps {
            self.projection.forward_step(params, step, mode, unrolled, projection);
            let of_step = unrolled.rows_of(step);
            let z = &mut unrolled.z[of_step.start * width..of_step.end * width];
            let padding = &unrolled.padding[of_step];
            let mut states =
                unrolled.states.each_mut().map(|state| before_and_after(state, step, rows * units));
            for (rows, padded) in padding_chunks(padding) {
                let before = states.each_ref().map(|(before, _)| state_rows(before, &rows, units));
                let after = states.each_mut().map(|(_, after)| state_rows_mut(after, &rows, units));
                if padded {
                    after.into_iter().zip(before).for_each(|(to, from)| to.copy_from_slice(from));
                } else {
                    self.cell.forward(units, state_rows_mut(z, &rows, width), before, after);
                }
            }
            let Some(columns) = self.output_columns(sizes, step, columns) else { continue };
            let mut y = y.slice_mut(s![.., columns]);
            copy(matrix_rows(states[0].1, 0..rows, units), y.view_mut());
            if self.options.sequences {
                let padded = padding_chunks(padding).filter(|(_, padded)| *padded);
                padded.for_each(|(rows, _)| y.slice_mut(s![rows, ..]).fill(T::zero()));
            }
        }
    }

    /// The backward pass, from these columns of `dy`.
    #[expect(clippy::too_many_arguments, reason = "they are those of a layer's backward pass")]
    pub(super) fn backward_from<T: Real>(
        &self,
        params: &[T],
        grads: &mut [T],
        dy: ArrayView2<'_, T>,
        columns: StateColumns,
        dx: InputGradient<'_, T>,
        cache: &mut RecurrentCache<T, P::Cache>,
        share: T,
    ) where
        C: Cell<T>,
        P: RecurrentProjection<T>,
    {
        let RecurrentCache { unrolled, projection } = cache;
        let sizes = unrolled.sizes;
        let rows = unrolled.rows;
        let width = unrolled.width();
        let UnrolledSizes { steps, inputs, units, .. } = sizes;
        unrolled.gradients.iter_mut().for_each(|gradient| gradient.fill(T::zero()));
        for step in (0..steps).rev() {
            let of_step = unrolled.rows_of(step);
            let z = &mut unrolled.z[of_step.start * width..of_step.end * width];
            let padding = &unrolled.padding[of_step];
            let states = unrolled.states.each_mut().map(|state| before_and_after(state, step, rows * units));
            let columns = self.output_columns(sizes, step, columns);
            for (rows, padded) in padding_chunks(padding) {
                let gradients =
                    unrolled.gradients.each_mut().map(|gradient| state_rows_mut(gradient, &rows, units));
                let zeroed = padded && self.options.sequences; // the output is 0, whatever the state
                if let Some(columns) = columns.clone()
                    && !zeroed
                {
                    let dy = dy.slice(s![rows.clone(), columns]);
                    vector::accumulate(dy, matrix_rows_mut(gradients[0], 0..rows.len(), units));
                }
                let z = state_rows_mut(z, &rows, width);
                if padded {
                    // The state is kept, so its gradient passes unchanged.
                    z.fill(T::zero());
                    continue;
                }
                let before = states.each_ref().map(|(before, _)| state_rows(before, &rows, units));
                let after = states.each_ref().map(|(_, after)| state_rows(after, &rows, units));
                self.cell.backward(units, z, before, after, gradients);
            }
            self.projection.backward_step(params, grads, step, share, unrolled, projection);
        }
        let input_gradient = !matches!(dx, InputGradient::Skip);
        self.projection.backward_sequence(params, grads, input_gradient, unrolled, projection);
        let of_step = |step: usize| matrix_rows(&unrolled.x, unrolled.rows_of(step), inputs);
        match dx {
            InputGradient::Skip => {}
            InputGradient::Overwrite(mut dx) => (0..steps).for_each(|step| {
                copy(of_step(step), dx.slice_mut(s![.., self.input_columns(sizes, step)]));
            }),
            InputGradient::Add(mut dx) => (0..steps).for_each(|step| {
                vector::accumulate(of_step(step), dx.slice_mut(s![.., self.input_columns(sizes, step)]));
            }),
        }
    }
}

/// The state before a step, and after it; both empty if the cell has no such state.
fn before_and_after<T>(state: &mut [T], step: usize, size: usize) -> (&[T], &mut [T]) {
    if state.is_empty() {
        return (&[], &mut []);
    }
    let (before, after) = state.split_at_mut((step + 1) * size);
    (&before[step * size..], &mut after[..size])
}

/// These rows of a matrix; empty if the matrix is.
fn state_rows<'a, T>(values: &'a [T], rows: &Range<usize>, columns: usize) -> &'a [T] {
    values.get(rows.start * columns..rows.end * columns).unwrap_or_default()
}

/// These rows of a matrix, to be written; empty if the matrix is.
fn state_rows_mut<'a, T>(values: &'a mut [T], rows: &Range<usize>, columns: usize) -> &'a mut [T] {
    values.get_mut(rows.start * columns..rows.end * columns).unwrap_or_default()
}

/// Consecutive rows that are all padding, or all not, and whether they are.
fn padding_chunks(padding: &[bool]) -> impl Iterator<Item = (Range<usize>, bool)> {
    let mut start = 0;
    padding.chunk_by(|a, b| a == b).map(move |chunk| {
        let rows = start..start + chunk.len();
        start = rows.end;
        (rows, chunk[0])
    })
}

impl<T: Real, C: Cell<T>, P: RecurrentProjection<T>> Layer<T> for Recurrent<C, P> {
    type Cache = RecurrentCache<T, P::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (steps, step) = split_steps(input, plan)?;
        let before = plan.size();
        let (state, projection) = self.projection.plan(input, C::GATES, plan)?;
        let sizes = UnrolledSizes {
            steps,
            inputs: step.size(),
            units: state.size(),
            gates: C::GATES,
            states: C::STATES,
            parameters: plan.size() - before,
        };
        let sequence = Shape::new(&[&[steps], &*state].concat());
        let (Some(sequence), Some(values)) = (sequence, sizes.values()) else {
            return Err(plan.error(input, "sequences that fit in memory", "use fewer steps or units"));
        };
        plan.memory(plan.check_size(values)?);
        if self.options.stateful {
            plan.stateful();
        }
        let output = if self.options.sequences { sequence } else { state };
        Ok((output, RecurrentCache { unrolled: Unrolled::new(sizes), projection }))
    }

    fn description(&self) -> Description {
        self.options.describe(self.projection.describe(self.cell.description()))
    }

    fn forward(&self, Forward { mut params, x, y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let columns = StateColumns { first: 0, stride: cache.units(), input_order: false };
        self.forward_into(params.values(cache.parameters()), x, y, columns, cache, mode);
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, dy, dx, cache, share, .. } = pass;
        let columns = StateColumns { first: 0, stride: cache.units(), input_order: false };
        let params = params.values(cache.parameters());
        let grads = grads.values(cache.parameters());
        let dx = dx.map_or(InputGradient::Skip, InputGradient::Overwrite);
        self.backward_from(params, grads, dy, columns, dx, cache, share);
    }
}
