//! The optimizer's step for a contiguous block of parameters.

use std::ops::Range;

use chainrule_core::ParamKind;
use chainrule_optim::{Parameter, Step, Update, UpdateRule};
use chainrule_tensor::{Real, each, prefetch_mut};

use super::buckets::Bucket;
use super::careful::{Watch, Watched};

/// What all updates of a step have in common.
pub(crate) struct Common<'a, T: Real> {
    pub(crate) step: Step,
    pub(crate) optimizer: &'a dyn UpdateRule<T>,
    /// How many values of state each parameter has.
    pub(crate) slots: usize,
    /// All parameters, as optimizers see them.
    pub(crate) parameters: &'a [Parameter],
    /// The optimizer's state of the whole training.
    pub(crate) numbers: &'a [f64],
    /// Looks at what a careful step has computed.
    pub(crate) watch: Option<&'a Watch>,
}

/// The parameters from `offset` on, with the optimizer's state for them: what one thread may change.
pub(crate) struct ParamBlock<'a, T: Real> {
    pub(crate) common: &'a Common<'a, T>,
    pub(crate) offset: usize,
    pub(crate) params: &'a mut [T],
    /// Where the state begins in that of all parameters.
    pub(crate) state_offset: usize,
    pub(crate) state: &'a mut [T],
}

impl<'a, T: Real> ParamBlock<'a, T> {
    /// The first `at` parameters, with the state before `state_at`, and the rest. Where there is no state, or only gradients are
    /// summed and there are no parameters, they stay empty.
    pub(crate) fn split_at(self, at: usize, state_at: usize) -> (Self, Self) {
        let Self { common, offset, params, state_offset, state } = self;
        let (params_a, params_b) = params.split_at_mut(at.min(params.len()));
        let state_at = state_at.min(state.len());
        let (state_a, state_b) = state.split_at_mut(state_at);
        let a = ParamBlock { common, offset, params: params_a, state_offset, state: state_a };
        let offset = offset + at;
        let state_offset = state_offset + state_at;
        (a, ParamBlock { common, offset, params: params_b, state_offset, state: state_b })
    }

    /// Updates the parameters of a bucket, given their gradients.
    pub(crate) fn update(&mut self, bucket: &Bucket, grads: &mut [T], scratch: &mut [T]) {
        let &Common { step, optimizer, slots, parameters, numbers, watch } = self.common;
        let &Bucket { start: first, end, kind, parameter, state, .. } = bucket;
        let parameter = parameter.map(|index| &parameters[index]);
        let params = &mut self.params[first - self.offset..end - self.offset];
        let len = params.len();
        let state = &mut self.state[state - self.state_offset..];
        let (state, rest) = state.split_at_mut(slots * len);
        let extra = match parameter {
            Some(parameter) if optimizer.needs_whole_parameters() => optimizer.extra(parameter),
            _ => 0,
        };
        let extra = &mut rest[..extra];
        let pass = Update::new(step, kind, params, grads, state);
        optimizer.update(Update { parameter, extra: &mut *extra, numbers, scratch, ..pass });
        if let Some(watch) = watch {
            watch.look(Watched::Parameter, params, T::max_value(), |position| first + position);
            watch.look(Watched::State, state, T::max_value(), |position| first + position % len);
            watch.look(Watched::State, extra, T::max_value(), |_| first);
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

/// Gives running statistics their next values, which came as their gradients: these are then zeros, since an optimizer could take
/// them for gradients. Both begin with the parameter `offset`.
pub(crate) fn take_statistics<T: Real>(buckets: &[Bucket], offset: usize, total: &mut [T], params: &mut [T]) {
    for &Bucket { start, end, .. } in buckets.iter().filter(|bucket| bucket.kind == ParamKind::Buffer) {
        let range = start - offset..end - offset;
        params[range.clone()].copy_from_slice(&total[range.clone()]);
        total[range].fill(T::zero());
    }
}

/// `sum += values`.
#[inline]
pub(crate) fn add<T: Real>(values: &[T], sum: &mut [T]) {
    each!(sum = |value: values| sum + value);
}
