//! Recurrent layers, unrolled over their steps.

use std::fmt;
use std::ops::Range;

use chainrule_core::{Backward, Forward, Layer, Mode, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, s};

use super::memory::{Memory, Sizes, add, copy, part, part_mut};
use super::{Cell, Product, steps};

/// A layer that carries a state through the steps of a sample: `hₜ = cell(product(xₜ, hₜ₋₁))`, from a state of zeros.
///
/// Samples are `[steps, ...]`; the output is the last state, or with [`sequences`](Self::sequences) all of them,
/// `[steps, ...]`. See [`Rnn`](super::Rnn), [`Lstm`](super::Lstm), [`Gru`](super::Gru) and
/// [`ConvLstm`](super::ConvLstm) for the formulas, and the [module](super) for padding.
///
/// A pass runs backward once: the gradients take the place of what the forward pass left.
#[derive(Clone)]
pub struct Recurrent<C, P> {
    cell: C,
    pub(super) product: P,
    options: Options,
}

/// What is the same for all recurrent layers.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    sequences: bool,
    backwards: bool,
    masked: bool,
    stateful: bool,
}

impl<C, P> Recurrent<C, P> {
    /// This cell behind this product.
    pub fn new_with(cell: C, product: P) -> Self {
        Self { cell, product, options: Options::default() }
    }

    /// The same with another cell.
    pub(super) fn with_cell<D>(self, cell: D) -> Recurrent<D, P> {
        Recurrent { cell, product: self.product, options: self.options }
    }

    /// Returns the state after every step, `[steps, ...]`, instead of the last one (Keras' `return_sequences`).
    #[must_use]
    pub fn sequences(mut self) -> Self {
        self.options.sequences = true;
        self
    }

    /// Takes the steps from the last to the first (Keras' `go_backwards`). With [`sequences`](Self::sequences) the
    /// states come in the order in which they were computed, so that the first belongs to the last step;
    /// [`Bidirectional`](super::Bidirectional) turns them around.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.options.backwards = true;
        self
    }

    /// Takes steps whose values are all exactly 0 for padding: see the [module](super).
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.options.masked = true;
        self
    }

    /// Begins where the pass before ended: row `i` of a batch goes on where row `i` of the one before stopped (Keras'
    /// `stateful`). Gradients do not flow from pass to pass, which is truncated backpropagation through time.
    ///
    /// A pass with another number of rows than the one before starts from zeros. A trainer does so in every epoch and
    /// every evaluation; it must not shuffle.
    #[must_use]
    pub fn stateful(mut self) -> Self {
        self.options.stateful = true;
        self
    }

    /// The same in the other direction.
    pub(super) fn turned(mut self) -> Self {
        self.options.backwards = !self.options.backwards;
        self
    }

    pub(super) fn gives_sequences(&self) -> bool {
        self.options.sequences
    }
}

impl<C: fmt::Debug, P: fmt::Debug> fmt::Debug for Recurrent<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { sequences, backwards, masked, stateful } = self.options;
        f.debug_struct(&format!("{:?}", self.cell))
            .field("product", &self.product)
            .field("sequences", &sequences)
            .field("backwards", &backwards)
            .field("masked", &masked)
            .field("stateful", &stateful)
            .finish()
    }
}

/// What a [`Recurrent`] remembers: all steps, and what its product does.
#[derive(Clone, Debug, Default)]
pub struct Unrolled<T: Real, P> {
    memory: Memory<T>,
    product: P,
}

impl<T: Real, P> Unrolled<T, P> {
    /// Values of a state.
    pub(super) fn units(&self) -> usize {
        self.memory.sizes.units
    }

    /// How many parameters the layer has.
    pub(super) fn parameters(&self) -> usize {
        self.memory.sizes.parameters
    }
}

/// Where the states lie in an output: that of the first step in the columns from `first` on, that of the next one
/// `stride` columns further.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) first: usize,
    pub(super) stride: usize,
    /// Whether the states of a layer that runs backwards stand at the steps that they belong to.
    pub(super) turned: bool,
}

/// What becomes of the gradient of the input.
#[derive(Debug)]
pub(super) enum TargetView<'a, T> {
    Nothing,
    Overwrite(ArrayViewMut2<'a, T>),
    Add(ArrayViewMut2<'a, T>),
}

impl<C, P> Recurrent<C, P> {
    /// The step of the input that is the `step`th to be taken.
    fn order(&self, steps: usize, step: usize) -> usize {
        if self.options.backwards { steps - 1 - step } else { step }
    }

    /// The columns of an input step.
    fn columns(&self, sizes: Sizes, step: usize) -> Range<usize> {
        let step = self.order(sizes.steps, step);
        step * sizes.inputs..(step + 1) * sizes.inputs
    }

    /// The columns of the output that hold the state after a step, if any do.
    fn slot(&self, sizes: Sizes, step: usize, place: Place) -> Option<Range<usize>> {
        let slot = match (self.options.sequences, place.turned) {
            (false, _) => (step + 1 == sizes.steps).then_some(0)?,
            (true, false) => step,
            (true, true) => self.order(sizes.steps, step),
        };
        let start = place.first + slot * place.stride;
        Some(start..start + sizes.units)
    }

    /// The forward pass, to some columns of `y`.
    pub(super) fn run<T: Real>(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        place: Place,
        cache: &mut Unrolled<T, P::Cache>,
        mode: Mode,
    ) where
        C: Cell<T>,
        P: Product<T>,
    {
        let Unrolled { memory, product } = cache;
        memory.begin(x.nrows(), self.options.stateful);
        let (sizes, rows, width) = (memory.sizes, memory.rows, memory.width());
        let Sizes { steps, inputs, units, .. } = sizes;
        for step in 0..steps {
            let at = memory.at(step);
            let mut to = part_mut(&mut memory.x, at.clone(), inputs);
            copy(x.slice(s![.., self.columns(sizes, step)]), to.view_mut());
            if self.options.masked {
                let zeros = |row: ArrayView1<'_, T>| row.iter().all(|&x| x == T::zero());
                memory.padding[at].iter_mut().zip(to.rows()).for_each(|(padding, row)| *padding = zeros(row));
            }
        }
        self.product.begin(params, memory, product);
        for step in 0..steps {
            self.product.forward(params, step, mode, memory, product);
            let at = memory.at(step);
            let z = &mut memory.z[at.start * width..at.end * width];
            let padding = &memory.padding[at];
            let mut states = memory.states.each_mut().map(|state| around(state, step, rows * units));
            for (rows, padded) in runs(padding) {
                let before = states.each_ref().map(|(before, _)| some(before, &rows, units));
                let after = states.each_mut().map(|(_, after)| some_mut(after, &rows, units));
                match padded {
                    true => after.into_iter().zip(before).for_each(|(to, from)| to.copy_from_slice(from)),
                    false => self.cell.forward(units, some_mut(z, &rows, width), before, after),
                }
            }
            let Some(columns) = self.slot(sizes, step, place) else { continue };
            let mut y = y.slice_mut(s![.., columns]);
            copy(part(states[0].1, 0..rows, units), y.view_mut());
            if self.options.sequences {
                let padded = runs(padding).filter(|(_, padded)| *padded);
                padded.for_each(|(rows, _)| y.slice_mut(s![rows, ..]).fill(T::zero()));
            }
        }
    }

    /// The backward pass, from some columns of `dy`.
    #[expect(clippy::too_many_arguments, reason = "they are those of a layer's backward pass")]
    pub(super) fn run_back<T: Real>(
        &self,
        params: &[T],
        grads: &mut [T],
        dy: ArrayView2<'_, T>,
        place: Place,
        dx: TargetView<'_, T>,
        cache: &mut Unrolled<T, P::Cache>,
        share: T,
    ) where
        C: Cell<T>,
        P: Product<T>,
    {
        let Unrolled { memory, product } = cache;
        let (sizes, rows, width) = (memory.sizes, memory.rows, memory.width());
        let Sizes { steps, inputs, units, .. } = sizes;
        memory.gradients.iter_mut().for_each(|gradient| gradient.fill(T::zero()));
        for step in (0..steps).rev() {
            let at = memory.at(step);
            let z = &mut memory.z[at.start * width..at.end * width];
            let padding = &memory.padding[at];
            let states = memory.states.each_mut().map(|state| around(state, step, rows * units));
            let slot = self.slot(sizes, step, place);
            for (rows, padded) in runs(padding) {
                let gradients = memory.gradients.each_mut().map(|gradient| some_mut(gradient, &rows, units));
                if let Some(columns) = slot.clone().filter(|_| !(padded && self.options.sequences)) {
                    let dy = dy.slice(s![rows.clone(), columns]);
                    add(dy, part_mut(gradients[0], 0..rows.len(), units));
                }
                let z = some_mut(z, &rows, width);
                if padded {
                    // The gradient of the state goes past it unchanged.
                    z.fill(T::zero());
                    continue;
                }
                let before = states.each_ref().map(|(before, _)| some(before, &rows, units));
                let after = states.each_ref().map(|(_, after)| some(after, &rows, units));
                self.cell.backward(units, z, before, after, gradients);
            }
            self.product.backward(params, grads, step, share, memory, product);
        }
        let wanted = !matches!(dx, TargetView::Nothing);
        self.product.end(params, grads, wanted, memory, product);
        let from = |step: usize| part(&memory.x, memory.at(step), inputs);
        match dx {
            TargetView::Nothing => {}
            TargetView::Overwrite(mut dx) => (0..steps).for_each(|step| {
                copy(from(step), dx.slice_mut(s![.., self.columns(sizes, step)]));
            }),
            TargetView::Add(mut dx) => (0..steps).for_each(|step| {
                add(from(step), dx.slice_mut(s![.., self.columns(sizes, step)]));
            }),
        }
    }
}

/// The state before a step, and after it; both empty if there is no such state.
fn around<T>(state: &mut [T], step: usize, block: usize) -> (&[T], &mut [T]) {
    if state.is_empty() {
        return (&[], &mut []);
    }
    let (before, after) = state.split_at_mut((step + 1) * block);
    (&before[step * block..], &mut after[..block])
}

/// These rows of a matrix; nothing of an empty one.
fn some<'a, T>(values: &'a [T], rows: &Range<usize>, columns: usize) -> &'a [T] {
    values.get(rows.start * columns..rows.end * columns).unwrap_or_default()
}

/// These rows of a matrix, to be written; nothing of an empty one.
fn some_mut<'a, T>(values: &'a mut [T], rows: &Range<usize>, columns: usize) -> &'a mut [T] {
    values.get_mut(rows.start * columns..rows.end * columns).unwrap_or_default()
}

/// The rows side by side that are alike, and whether they are padding.
fn runs(padding: &[bool]) -> impl Iterator<Item = (Range<usize>, bool)> {
    let mut start = 0;
    padding.chunk_by(|a, b| a == b).map(move |run| {
        let rows = start..start + run.len();
        start = rows.end;
        (rows, run[0])
    })
}

impl<T: Real, C: Cell<T>, P: Product<T>> Layer<T> for Recurrent<C, P> {
    type Cache = Unrolled<T, P::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (steps, step) = steps(input, plan)?;
        let before = plan.size();
        let (state, product) = self.product.plan(input, C::GATES, plan)?;
        let (inputs, units) = (step.size(), state.size());
        let sizes = Sizes {
            steps,
            inputs,
            units,
            gates: C::GATES,
            states: C::STATES,
            parameters: plan.size() - before,
        };
        let (output, values) = (Shape::new(&[&[steps], &*state].concat()), sizes.values());
        let (Some(output), Some(values)) = (output, values) else {
            return Err(plan.error(input, "sequences that can be counted", "take fewer steps or units"));
        };
        plan.memory(plan.check_size(values)?);
        if self.options.stateful {
            plan.stateful();
        }
        let output = if self.options.sequences { output } else { state };
        Ok((output, Unrolled { memory: Memory::new(sizes), product }))
    }

    fn forward(&self, Forward { mut params, x, y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let place = Place { first: 0, stride: cache.units(), turned: false };
        self.run(params.values(cache.parameters()), x, y, place, cache, mode);
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, dy, dx, cache, share, .. } = pass;
        let place = Place { first: 0, stride: cache.units(), turned: false };
        let (params, grads) = (params.values(cache.parameters()), grads.values(cache.parameters()));
        let dx = dx.map_or(TargetView::Nothing, TargetView::Overwrite);
        self.run_back(params, grads, dy, place, dx, cache, share);
    }
}
