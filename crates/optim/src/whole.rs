//! All parameters at once: what an optimizer is given before the first bucket is updated.

use std::fmt;
use std::ops::Range;

use chainrule_tensor::Shape;

use crate::{Optimizer, ParamKind, Real, Step, Update};

/// A parameter, as optimizers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The path of its layer followed by its own name, such as `"2.residual.0.weight"`.
    pub name: String,
    /// Its shape; its values are stored in row-major order. The columns of a matrix `[inputs, units]` belong to one unit each.
    pub shape: Shape,
    /// Whether it is a weight or a bias.
    pub kind: ParamKind,
    /// Whether it is a trained matrix W `[inputs, units]` of which a trainer knows the [factors](Update::factors): that of a layer
    /// `z = x W + b` that is in the sequence of a model, and not inside another layer.
    pub product: bool,
}

impl Parameter {
    /// The number of values of its [factors](Update::factors); 0 if there are none.
    pub fn factors(&self) -> usize {
        let square = |size: &usize| size.saturating_mul(*size);
        let squares = self.shape.iter().map(square).fold(0, usize::saturating_add);
        if self.product { squares } else { 0 }
    }
}

/// The parameters that are updated together, and where their state is.
#[derive(Clone, Debug)]
pub struct Part {
    /// Their range in the flat parameters.
    pub range: Range<usize>,
    /// Their kind.
    pub kind: ParamKind,
    /// The index of the parameter that they belong to, if it is one.
    pub parameter: Option<usize>,
    /// Where their state begins: the slots, one after the other, then the [`extra`](Optimizer::extra) values.
    pub state: usize,
}

/// Where the parameters and the state of an optimizer are in flat vectors.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// All parameters.
    pub parameters: &'a [Parameter],
    /// The parts in which they are updated, in order.
    pub parts: &'a [Part],
}

/// All trained parameters in one step, before the first bucket is updated.
pub struct Whole<'a, T> {
    /// The step.
    pub step: Step,
    /// The mean loss of the batch, before the step; NaN if it is not known.
    pub loss: f64,
    /// The flat parameters.
    pub params: &'a mut [T],
    /// Their gradients. Those of parameters that are not trained are zeros.
    pub grads: &'a mut [T],
    /// The state of the whole training: [`Optimizer::numbers`] values.
    pub numbers: &'a mut [f64],
    /// Memory to compute in, for an optimizer that needs factors: as many values as [`Optimizer::factor_scratch`] says for any
    /// parameter.
    pub scratch: &'a mut [f64],
    factors: &'a mut [T],
    state: &'a mut [T],
    layout: Layout<'a>,
    view: View<'a>,
    evaluate: Option<&'a mut Evaluate<'a, T>>,
}

/// Writes the gradients at these parameters, and returns the loss.
pub type Evaluate<'a, T> = dyn FnMut(&mut [T], &mut [T]) -> f64 + 'a;

/// Which state, and which parameters, belong to a stage.
#[derive(Clone, Copy)]
struct View<'a> {
    /// The number of slots before those of the stage.
    slots_before: usize,
    /// The number of slots of the stage.
    slots: usize,
    /// The number of slots of all stages.
    all_slots: usize,
    /// The number of values of state for a whole parameter that belong to the stages before.
    extra_before: &'a dyn Fn(&Parameter) -> usize,
    /// The number of those that belong to the stage.
    extra: &'a dyn Fn(&Parameter) -> usize,
    /// Whether a parameter belongs to the stage; `None` if all do.
    belongs: Option<&'a dyn Fn(&Parameter) -> bool>,
}

impl<'a, T: Real> Whole<'a, T> {
    /// For stages that need the gradients and nothing else.
    pub fn new(step: Step, grads: &'a mut [T]) -> Self {
        Self {
            step,
            loss: f64::NAN,
            params: &mut [],
            grads,
            numbers: &mut [],
            scratch: &mut [],
            factors: &mut [],
            state: &mut [],
            layout: Layout { parameters: &[], parts: &[] },
            view: View {
                slots_before: 0,
                slots: 0,
                all_slots: 0,
                extra_before: &|_| 0,
                extra: &|_| 0,
                belongs: None,
            },
            evaluate: None,
        }
    }

    /// With the parameters and the state of an optimizer with `slots` slots and so much `extra` state.
    pub fn with_state(
        self,
        layout: Layout<'a>,
        params: &'a mut [T],
        state: &'a mut [T],
        slots: usize,
        extra: &'a dyn Fn(&Parameter) -> usize,
    ) -> Self {
        let view = View { slots, all_slots: slots, extra, ..self.view };
        Self { params, state, layout, view, ..self }
    }

    /// With the state of the whole training.
    pub fn with_numbers(self, numbers: &'a mut [f64]) -> Self {
        Self { numbers, ..self }
    }

    /// With the [factors](Update::factors) of all parameters that have some, in their order, and memory to compute in.
    pub fn with_factors(self, factors: &'a mut [T], scratch: &'a mut [f64]) -> Self {
        Self { factors, scratch, ..self }
    }

    /// With the loss at the parameters, and a function that computes it and the gradients at others.
    pub fn with_loss(self, loss: f64, evaluate: &'a mut Evaluate<'a, T>) -> Self {
        Self { loss, evaluate: Some(evaluate), ..self }
    }

    /// Evaluates the same batch at the parameters as they are now: writes its gradients and its mean loss, which it returns.
    ///
    /// Where the loss cannot be evaluated again, that is NaN, and so are the gradients. An optimizer that does so says it by
    /// [`Optimizer::evaluates_again`].
    pub fn evaluate(&mut self) -> f64 {
        self.loss = match &mut self.evaluate {
            Some(evaluate) => evaluate(self.params, self.grads),
            None => {
                self.grads.fill(T::nan());
                f64::NAN
            }
        };
        self.loss
    }

    /// Calls `work` for each part of the trained parameters that belong to this stage, in order. There is no
    /// [`scratch`](Update::scratch) memory.
    pub fn for_each(&mut self, mut work: impl FnMut(Update<'_, T>)) {
        let Self { step, params, grads, numbers, factors, state, layout, view, .. } = self;
        let mut factors = &mut **factors;
        for part in layout.parts.iter().filter(|part| part.kind.is_trained()) {
            let parameter = part.parameter.map(|index| &layout.parameters[index]);
            let own = parameter.map_or(0, Parameter::factors).min(factors.len());
            let (own_factors, rest) = std::mem::take(&mut factors).split_at_mut(own);
            factors = rest;
            if let (Some(belongs), Some(parameter)) = (view.belongs, parameter)
                && !belongs(parameter)
            {
                continue;
            }
            let len = part.range.len();
            let slots = part.state + view.slots_before * len;
            let before = parameter.map_or(0, view.extra_before);
            let extra = part.state + view.all_slots * len + before;
            let extra_len = parameter.map_or(0, view.extra);
            let (of_slots, of_extra) = state.split_at_mut(part.state + view.all_slots * len);
            let skipped = part.state + view.all_slots * len;
            work(Update {
                step: *step,
                kind: part.kind,
                parameter,
                params: &mut params[part.range.clone()],
                grads: &mut grads[part.range.clone()],
                state: &mut of_slots[slots..slots + view.slots * len],
                extra: &mut of_extra[extra - skipped..extra - skipped + extra_len],
                numbers,
                factors: own_factors,
                scratch: &mut [],
            });
        }
    }

    /// Calls `work` for the gradients that belong to this stage: once for all of them if it is no part of a group.
    pub fn for_each_gradient(&mut self, mut work: impl FnMut(&mut [T])) {
        match self.view.belongs {
            None => work(self.grads),
            Some(_) => self.for_each(|Update { grads, .. }| work(grads)),
        }
    }

    /// What a stage is given, after others with so many slots, numbers and extra values of state.
    pub fn stage(&mut self, optimizer: &dyn Optimizer, before: Before<'_>, work: impl FnOnce(Whole<'_, T>)) {
        let Self { step, loss, params, grads, numbers, scratch, factors, state, layout, view, evaluate } =
            self;
        let extra_before = |parameter: &Parameter| (view.extra_before)(parameter) + (before.extra)(parameter);
        let extra = |parameter: &Parameter| optimizer.extra(parameter);
        let numbers = &mut numbers[before.numbers..before.numbers + optimizer.numbers()];
        // Where there is no state, as in a call without parameters, no stage has any.
        let slots = if layout.parts.is_empty() { 0 } else { optimizer.slots() };
        let mut whole = Whole {
            step: *step,
            loss: *loss,
            params,
            grads,
            numbers,
            scratch,
            factors,
            state,
            layout: *layout,
            view: View {
                slots_before: view.slots_before + before.slots,
                slots,
                extra_before: &extra_before,
                extra: &extra,
                ..*view
            },
            evaluate: None,
        };
        let Some(evaluate) = evaluate.as_deref_mut() else { return work(whole) };
        // The stages after this one see the loss that belongs to its gradients.
        let mut evaluate = |params: &mut [T], grads: &mut [T]| {
            *loss = evaluate(params, grads);
            *loss
        };
        whole.evaluate = Some(&mut evaluate);
        work(whole);
    }

    /// What those parameters have for which `belongs` is true. The others are not touched, but their gradients may be, by an
    /// [`evaluate`](Self::evaluate).
    pub fn group(&mut self, belongs: &dyn Fn(&Parameter) -> bool, work: impl FnOnce(Whole<'_, T>)) {
        let outer = self.view.belongs;
        let both = |parameter: &Parameter| outer.is_none_or(|outer| outer(parameter)) && belongs(parameter);
        let mut whole = Whole {
            step: self.step,
            loss: self.loss,
            params: &mut *self.params,
            grads: &mut *self.grads,
            numbers: &mut *self.numbers,
            scratch: &mut *self.scratch,
            factors: &mut *self.factors,
            state: &mut *self.state,
            layout: self.layout,
            view: View { belongs: Some(&both), ..self.view },
            evaluate: None,
        };
        if let Some(evaluate) = self.evaluate.as_deref_mut() {
            let mut evaluate = |params: &mut [T], grads: &mut [T]| evaluate(params, grads);
            whole.evaluate = Some(&mut evaluate);
            return work(whole);
        }
        work(whole);
    }
}

/// What the stages before another one have of the state.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// Their [`slots`](Optimizer::slots).
    pub slots: usize,
    /// Their [`numbers`](Optimizer::numbers).
    pub numbers: usize,
    /// Their [`extra`](Optimizer::extra) values.
    pub extra: &'a dyn Fn(&Parameter) -> usize,
}

impl Before<'_> {
    /// There is no stage before.
    pub const NOTHING: Before<'static> = Before { slots: 0, numbers: 0, extra: &|_| 0 };
}

impl fmt::Debug for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slots, numbers, .. } = self;
        f.debug_struct("Before").field("slots", slots).field("numbers", numbers).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Whole<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, loss, grads, layout, .. } = self;
        f.debug_struct("Whole")
            .field("step", step)
            .field("loss", loss)
            .field("gradients", &grads.len())
            .field("parts", &layout.parts.len())
            .finish_non_exhaustive()
    }
}
