//! The gates of a recurrent layer as any layer of input and state.

use chainrule_core::{Backward, Description, Forward, Grads, Layer, Mode, Params, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::s;

use super::cell::GateLayout;
use super::recurrent_projection::RecurrentProjection;
use super::steps::plan_each_step;
use super::unrolled::{Unrolled, UnrolledSizes, copy, matrix_rows, matrix_rows_mut};

/// `Z = layer([X; H])`: input and state are concatenated along their first axis. The layer has the same weights in each step.
#[derive(Clone, Debug)]
pub struct ConcatProjection<L> {
    hidden: usize,
    layer: L,
}

impl<L> ConcatProjection<L> {
    /// With this many hidden channels, around a layer that returns the gates.
    pub fn new(hidden: usize, layer: L) -> Self {
        Self { hidden, layer }
    }
}

/// What a [`ConcatProjection`] keeps between the passes.
#[derive(Clone, Debug, Default)]
pub struct ConcatProjectionCache<T: Real, C> {
    /// The layer's cache as it was planned, and a copy of it for each step.
    planned: C,
    steps: Vec<C>,
    /// The layer's input in each step, `[steps, rows, inputs + units]`, and the gradient of one.
    concatenated: Buffer<T>,
    gradient: Buffer<T>,
    /// The layer's output in each step, `[steps, rows, gates * units]`, which its backward pass is given.
    outputs: Buffer<T>,
}

impl<T: Real, L: Layer<T>> RecurrentProjection<T> for ConcatProjection<L> {
    type Cache = ConcatProjectionCache<T, L::Cache>;

    fn describe(&self, cell: Description) -> Description {
        let named = Description { name: format!("conv_{}", cell.name), ..cell };
        named.with("hidden", self.hidden).with("layer", self.layer.description())
    }

    fn plan(
        &self,
        input: Shape,
        gates: GateLayout,
        plan: &mut Plan,
    ) -> Result<(Shape, Self::Cache), ShapeError> {
        let hidden = self.hidden;
        let &[steps, channels, ref rest @ ..] = &*input else {
            let help = "use Reshape to make them [steps, channels, ...]";
            return Err(plan.error(input, "sequences, [steps, channels, ...]", help));
        };
        plan.at_least_one(hidden, "a number of hidden channels", input)?;
        if input.size() == 0 {
            let expected = "[steps, channels, ...] with at least one value";
            return Err(plan.error(input, expected, "no axis can be 0"));
        }
        if !gates.is_all_summed() {
            let help = "choose a cell whose gates need only the sum of what comes from input and state";
            return Err(plan.error(input, "another cell", help));
        }
        let with = |channels: Option<usize>| Shape::new(&[&[channels?], rest].concat());
        let concatenated = with(channels.checked_add(hidden));
        let state = with(Some(hidden));
        let expected = with(hidden.checked_mul(gates.count));
        let (Some(concatenated), Some(state), Some(expected)) = (concatenated, state, expected) else {
            return Err(plan.error(input, "states that fit in memory", "use fewer hidden channels"));
        };
        let (found, planned, _) =
            plan_each_step(plan, input, steps, |plan| plan.inner("layer", &self.layer, concatenated))?;
        if found != expected {
            let expected = format!("an inner layer that returns {expected} for {concatenated}");
            return Err(plan.error(input, &expected, &format!("it returns {found}")));
        }
        let Some(values) = concatenated.size().checked_mul(steps) else {
            return Err(plan.error(input, "sequences that fit in memory", "use fewer steps"));
        };
        plan.memory(values);
        Ok((state, ConcatProjectionCache { planned, ..ConcatProjectionCache::default() }))
    }

    fn forward_sequence(&self, _: &[T], unrolled: &mut Unrolled<T>, cache: &mut Self::Cache) {
        let UnrolledSizes { steps, inputs, units, .. } = unrolled.sizes;
        let ConcatProjectionCache { planned, steps: caches, concatenated, gradient, outputs } = cache;
        caches.resize_with(steps, || planned.clone());
        concatenated.reserve(steps * unrolled.rows * (inputs + units));
        gradient.reserve(unrolled.rows * (inputs + units));
        outputs.reserve(steps * unrolled.rows * unrolled.width());
    }

    fn forward_step(
        &self,
        params: &[T],
        step: usize,
        mode: Mode,
        unrolled: &mut Unrolled<T>,
        cache: &mut Self::Cache,
    ) {
        let UnrolledSizes { inputs, units, .. } = unrolled.sizes;
        let rows = unrolled.rows_of(step);
        let width = unrolled.width();
        let mut x = matrix_rows_mut(&mut cache.concatenated, rows.clone(), inputs + units);
        copy(matrix_rows(&unrolled.x, rows.clone(), inputs), x.slice_mut(s![.., ..inputs]));
        copy(matrix_rows(&unrolled.states[0], rows.clone(), units), x.slice_mut(s![.., inputs..]));
        let mut y = matrix_rows_mut(&mut cache.outputs, rows.clone(), width);
        self.layer.forward(Forward {
            params: Params::new(params),
            x: x.view(),
            y: y.view_mut(),
            cache: &mut cache.steps[step],
            mode: mode.inner(step),
        });
        copy(y.view(), matrix_rows_mut(&mut unrolled.z, rows, width));
    }

    fn backward_step(
        &self,
        params: &[T],
        grads: &mut [T],
        step: usize,
        share: T,
        unrolled: &mut Unrolled<T>,
        cache: &mut Self::Cache,
    ) {
        let UnrolledSizes { steps, inputs, units, .. } = unrolled.sizes;
        let rows = unrolled.rows_of(step);
        let width = unrolled.width();
        let mut dx = cache.gradient.matrix_mut(unrolled.rows, inputs + units);
        self.layer.backward(Backward {
            params: Params::new(params),
            grads: Grads::new(grads),
            x: matrix_rows(&cache.concatenated, rows.clone(), inputs + units),
            y: matrix_rows(&cache.outputs, rows.clone(), width),
            dy: matrix_rows(&unrolled.z, rows.clone(), width),
            dx: Some(dx.view_mut()),
            cache: &mut cache.steps[step],
            // The next value of a running statistic is the mean over the steps.
            share: share / T::of(steps as f64),
        });
        copy(dx.slice(s![.., ..inputs]), matrix_rows_mut(&mut unrolled.x, rows, inputs));
        if step > 0 {
            let dh = unrolled.gradients[0].matrix_mut(unrolled.rows, units);
            vector::accumulate(dx.slice(s![.., inputs..]), dh);
        }
    }

    fn backward_sequence(&self, _: &[T], _: &mut [T], _: bool, _: &mut Unrolled<T>, _: &mut Self::Cache) {}
}
