//! The optimizer's step for a contiguous block of parameters.

use std::ops::Range;

use chainrule_core::ParamKind;
use chainrule_optim::{Step, Update, UpdateRule};
use chainrule_tensor::{Real, each, prefetch_mut};

use super::careful::{Watch, Watched};

/// The parameters from `offset` on, with the optimizer's state for them: what one thread may change.
pub(crate) struct ParamBlock<'a, T: Real> {
    /// The number of steps before this one.
    pub(crate) step: Step,
    pub(crate) optimizer: &'a dyn UpdateRule<T>,
    /// How many values of state each parameter has.
    pub(crate) slots: usize,
    /// Looks at what a careful step has computed.
    pub(crate) watch: Option<&'a Watch>,
    pub(crate) offset: usize,
    pub(crate) params: &'a mut [T],
    /// `slots * params.len()` values.
    pub(crate) state: &'a mut [T],
}

impl<'a, T: Real> ParamBlock<'a, T> {
    /// The first `at` parameters, and the rest.
    pub(crate) fn split_at(self, at: usize) -> (Self, Self) {
        let Self { step, optimizer, slots, watch, offset, params, state } = self;
        let (params_a, params_b) = params.split_at_mut(at);
        let (state_a, state_b) = state.split_at_mut(slots * at);
        let a = ParamBlock { step, optimizer, slots, watch, offset, params: params_a, state: state_a };
        let offset = offset + at;
        (a, ParamBlock { step, optimizer, slots, watch, offset, params: params_b, state: state_b })
    }

    /// Updates the parameters in `range`, given their gradients.
    pub(crate) fn update(&mut self, range: Range<usize>, kind: ParamKind, grads: &mut [T]) {
        let Self { step, optimizer, slots, watch, offset, .. } = *self;
        let first = range.start;
        let (start, end) = (range.start - offset, range.end - offset);
        let params = &mut self.params[start..end];
        let state = &mut self.state[slots * start..slots * end];
        optimizer.update(Update { step, kind, params, grads, state });
        if let Some(watch) = watch {
            let len = params.len();
            watch.look(Watched::Parameter, params, T::max_value(), |position| first + position);
            watch.look(Watched::State, state, T::max_value(), |position| first + position % len);
        }
    }

    /// Takes ownership of the parameters in `range`, which other cores have read, before they are updated.
    pub(crate) fn prefetch(&mut self, range: Range<usize>) {
        prefetch_mut(&mut self.params[range.start - self.offset..range.end - self.offset]);
    }

    /// Overwrites the parameters in `range`.
    pub(crate) fn replace(&mut self, range: Range<usize>, values: &[T]) {
        self.params[range.start - self.offset..range.end - self.offset].copy_from_slice(values);
    }
}

/// `sum += values`.
#[inline]
pub(crate) fn add<T: Real>(values: &[T], sum: &mut [T]) {
    each!(sum = |value: values| sum + value);
}
