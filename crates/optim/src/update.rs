//! What an optimizer is given for one bucket of the parameters.

use crate::{ParamKind, Parameter, Step};

/// One step for one bucket of the parameters. All slices are in the same order.
#[derive(Debug)]
pub struct Update<'a, T> {
    /// The step.
    pub step: Step,
    /// The kind of these parameters: [`ParamKind::Weight`] is decayed, [`ParamKind::Bias`] is not. A
    /// [`ParamKind::Buffer`] is not trained, so it is never updated.
    pub kind: ParamKind,
    /// The parameter that all of these values belong to, for an optimizer that
    /// [`uses_parameter`](crate::Optimizer::uses_parameter).
    pub parameter: Option<&'a Parameter>,
    /// The parameters, to be changed.
    pub params: &'a mut [T],
    /// Their gradients. A stage may change them for the stages after it.
    pub grads: &'a mut [T],
    /// The optimizer's state: [`Optimizer::slots`](crate::Optimizer::slots) times `params.len()` values, one slot after the
    /// other.
    pub state: &'a mut [T],
    /// The state of the parameter as a whole: [`Optimizer::extra`](crate::Optimizer::extra) values.
    pub extra: &'a mut [T],
    /// The state of the whole training: [`Optimizer::numbers`](crate::Optimizer::numbers) values.
    pub numbers: &'a [f64],
    /// In [`UpdateRule::transform_all`](crate::UpdateRule::transform_all), the factors of a
    /// [product](crate::Parameter::product) `z = x W`, for an optimizer that [needs](crate::Optimizer::needs_factors) them: the second
    /// moments of the m rows of a batch, `1/m Σ x xᵀ` `[inputs, inputs]`, then `m Σ dz dzᵀ` `[units, units]`. As dz has a factor 1/m,
    /// that of a mean, both are means; for a loss that is a sum, the second one is `Σ dz dzᵀ`. Otherwise empty.
    ///
    /// The optimizer may compute in this memory when it has read them.
    pub factors: &'a mut [T],
    /// Memory to compute in: at least [`Optimizer::scratch`](crate::Optimizer::scratch) values, which another update has
    /// written to.
    pub scratch: &'a mut [T],
}

impl<'a, T> Update<'a, T> {
    /// An update of parameters without name, for an optimizer that needs no more state than its slots.
    #[inline]
    pub fn new(
        step: Step,
        kind: ParamKind,
        params: &'a mut [T],
        grads: &'a mut [T],
        state: &'a mut [T],
    ) -> Self {
        Self {
            step,
            kind,
            parameter: None,
            params,
            grads,
            state,
            extra: &mut [],
            numbers: &[],
            factors: &mut [],
            scratch: &mut [],
        }
    }

    /// The parameters, the gradients, and the slots of the state, each as a slice.
    ///
    /// Slots for which the state is too short are empty, and [`each!`](chainrule_tensor::each!) panics on them.
    #[inline]
    pub fn split<const N: usize>(self) -> (&'a mut [T], &'a [T], [&'a mut [T]; N]) {
        let mut slots = self.state.chunks_exact_mut(self.params.len().max(1));
        (self.params, self.grads, std::array::from_fn(|_| slots.next().unwrap_or_default()))
    }

    /// The same update, borrowed for a shorter time.
    #[inline]
    pub fn reborrow(&mut self) -> Update<'_, T> {
        Update {
            step: self.step,
            kind: self.kind,
            parameter: self.parameter,
            params: self.params,
            grads: self.grads,
            state: self.state,
            extra: self.extra,
            numbers: self.numbers,
            factors: self.factors,
            scratch: self.scratch,
        }
    }
}

/// Upper bounds of absolute values: of all parameters, of all their gradients, and of each slot of the state.
#[derive(Debug)]
pub struct Bounds<'a> {
    /// The step.
    pub step: Step,
    /// That of the parameters.
    pub params: &'a mut f64,
    /// That of the gradients. A stage changes it for the stages after it.
    pub grads: &'a mut f64,
    /// Those of the slots of the state, [`Optimizer::slots`](crate::Optimizer::slots) of them.
    pub state: &'a mut [f64],
}
