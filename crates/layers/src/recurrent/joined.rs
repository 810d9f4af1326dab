//! Recurrent layers around any layer.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::s;

use super::memory::{Memory, Sizes, add, copy, part, part_mut};
use super::{Gates, LstmCell, Product, Recurrent, repeated};

/// Long short-term memory whose products are another layer, such as a convolution that keeps height and width (Shi
/// et al. 2015, "Convolutional LSTM network", without the connections from *c* to the gates, as in Keras):
///
/// > *i, f, g, o* = *σ, σ*, tanh, *σ* of *layer*([*xₜ*; *hₜ₋₁*])
///
/// and the rest as in [`Lstm`](super::Lstm). For samples `[steps, channels, height, width]` the layer is given
/// `[channels + hidden, height, width]`, the channels of the state behind those of the input, and returns
/// `[4 * hidden, height, width]`, the gates in the order *i, f, g, o*. The output is `[hidden, height, width]`, or
/// `[steps, hidden, height, width]` with [`sequences`](Recurrent::sequences). Samples may have any axes behind the
/// channels, or none: around a dense layer this is an `Lstm`.
///
/// ```
/// use chainrule_core::gradcheck;
/// use chainrule_layers::{ConvLstm, Dense};
/// let layer = ConvLstm::new(3, Dense::new(4 * 3)); // a convolution with 4 * 3 filters, for images
/// gradcheck::gradients(&layer, [5, 2])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
pub type ConvLstm<L> = Recurrent<LstmCell, Joined<L>>;

impl<L> ConvLstm<L> {
    /// With so many hidden channels, around a layer that returns four times as many.
    pub fn new(hidden: usize, layer: L) -> Self {
        Self::new_with(LstmCell, Joined::new(hidden, layer))
    }
}

/// `Z = layer([X; H])`: input and state are joined along their first axis. The layer has the same weights in each step.
#[derive(Clone, Debug)]
pub struct Joined<L> {
    hidden: usize,
    layer: L,
}

impl<L> Joined<L> {
    /// With so many hidden channels, around a layer that returns the gates.
    pub fn new(hidden: usize, layer: L) -> Self {
        Self { hidden, layer }
    }
}

/// What a [`Joined`] remembers.
#[derive(Clone, Debug, Default)]
pub struct JoinedCache<T: Real, C> {
    /// The layer's cache as it was planned, and one for each step.
    fresh: C,
    steps: Vec<C>,
    /// What the layer was given in each step, `[steps, rows, inputs + units]`, and the gradient of one.
    joined: Buffer<T>,
    gradient: Buffer<T>,
    /// What the layer has returned in each step, `[steps, rows, gates * units]`, since it may want to see it again.
    outputs: Buffer<T>,
}

impl<T: Real, L: Layer<T>> Product<T> for Joined<L> {
    type Cache = JoinedCache<T, L::Cache>;

    fn plan(&self, input: Shape, gates: Gates, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (hidden, count) = (self.hidden, gates.count);
        let &[steps, channels, ref rest @ ..] = &*input else {
            let help = "Reshape to [steps, channels, ...]";
            return Err(plan.error(input, "sequences, [steps, channels, ...]", help));
        };
        if hidden == 0 || input.size() == 0 {
            let expected = format!("[steps, channels, ...] for {hidden} hidden channels");
            return Err(plan.error(input, &expected, "no axis and no number of channels can be 0"));
        }
        if !gates.all_shared() {
            let help = "take a cell whose gates need only the sum of what comes from input and state";
            return Err(plan.error(input, "another cell", help));
        }
        let with = |channels: Option<usize>| Shape::new(&[&[channels?], rest].concat());
        let shapes =
            (with(channels.checked_add(hidden)), with(Some(hidden)), with(hidden.checked_mul(count)));
        let (Some(joined), Some(state), Some(wanted)) = shapes else {
            return Err(plan.error(input, "states that can be counted", "take fewer hidden channels"));
        };
        let (found, fresh, _) =
            repeated(plan, input, steps, |plan| plan.inner("layer", &self.layer, joined))?;
        if found != wanted {
            let expected = format!("an inner layer that makes {wanted} of {joined}");
            return Err(plan.error(input, &expected, &format!("it makes {found}")));
        }
        let Some(values) = joined.size().checked_mul(steps) else {
            return Err(plan.error(input, "sequences that can be counted", "take fewer steps"));
        };
        plan.memory(values);
        Ok((state, JoinedCache { fresh, ..JoinedCache::default() }))
    }

    fn begin(&self, _: &[T], memory: &mut Memory<T>, cache: &mut Self::Cache) {
        let Sizes { steps, inputs, units, .. } = memory.sizes;
        let JoinedCache { fresh, steps: caches, joined, gradient, outputs } = cache;
        caches.resize_with(steps, || fresh.clone());
        joined.reserve(steps * memory.rows * (inputs + units));
        gradient.reserve(memory.rows * (inputs + units));
        outputs.reserve(steps * memory.rows * memory.width());
    }

    fn forward(
        &self,
        params: &[T],
        step: usize,
        mode: Mode,
        memory: &mut Memory<T>,
        cache: &mut Self::Cache,
    ) {
        let (Sizes { inputs, units, .. }, at, width) = (memory.sizes, memory.at(step), memory.width());
        let mut joined = part_mut(&mut cache.joined, at.clone(), inputs + units);
        copy(part(&memory.x, at.clone(), inputs), joined.slice_mut(s![.., ..inputs]));
        copy(part(&memory.states[0], at.clone(), units), joined.slice_mut(s![.., inputs..]));
        let mut y = part_mut(&mut cache.outputs, at.clone(), width);
        self.layer.forward(Forward {
            params: Params::new(params),
            x: joined.view(),
            y: y.view_mut(),
            cache: &mut cache.steps[step],
            mode: mode.inner(step),
        });
        copy(y.view(), part_mut(&mut memory.z, at, width));
    }

    fn backward(
        &self,
        params: &[T],
        grads: &mut [T],
        step: usize,
        share: T,
        memory: &mut Memory<T>,
        cache: &mut Self::Cache,
    ) {
        let (Sizes { steps, inputs, units, .. }, at, width) = (memory.sizes, memory.at(step), memory.width());
        let mut dx = cache.gradient.matrix_mut(memory.rows, inputs + units);
        self.layer.backward(Backward {
            params: Params::new(params),
            grads: Grads::new(grads),
            x: part(&cache.joined, at.clone(), inputs + units),
            y: part(&cache.outputs, at.clone(), width),
            dy: part(&memory.z, at.clone(), width),
            dx: Some(dx.view_mut()),
            cache: &mut cache.steps[step],
            // The next value of a running statistic is the mean over the steps.
            share: share / T::of(steps as f64),
        });
        copy(dx.slice(s![.., ..inputs]), part_mut(&mut memory.x, at, inputs));
        if step > 0 {
            add(dx.slice(s![.., inputs..]), memory.gradients[0].matrix_mut(memory.rows, units));
        }
    }

    fn end(&self, _: &[T], _: &mut [T], _: bool, _: &mut Memory<T>, _: &mut Self::Cache) {}
}
