//! The optimizer's step for the rows of a table that a batch has used.

use std::ops::Range;

use chainrule_core::ParamKind;
use chainrule_optim::{Optimizer, Update};
use chainrule_tensor::{Buffer, Real, prefetch_mut, vector};

use crate::shard::Shard;

/// How many parameters are updated together, side by side: with their gradients and two slots of state they fit into a
/// core's first cache.
const TOGETHER: usize = 2_048;

/// The parameters from `offset` on, and what the optimizer remembers of them.
pub(crate) struct Ground<'a, T: Real> {
    pub(crate) step: u64,
    pub(crate) optimizer: &'a dyn Optimizer<T>,
    pub(crate) slots: usize,
    pub(crate) offset: usize,
    pub(crate) params: &'a mut [T],
    pub(crate) state: &'a mut [T],
}

impl<'a, T: Real> Ground<'a, T> {
    /// The first `at` parameters, and the rest.
    pub(crate) fn split_at(self, at: usize) -> (Self, Self) {
        let Self { step, optimizer, slots, offset, params, state } = self;
        let (params_a, params_b) = params.split_at_mut(at);
        let (state_a, state_b) = state.split_at_mut(slots * at);
        let a = Ground { step, optimizer, slots, offset, params: params_a, state: state_a };
        (a, Ground { step, optimizer, slots, offset: offset + at, params: params_b, state: state_b })
    }

    /// One step for the parameters in `range`, given their gradients.
    pub(crate) fn update(&mut self, range: Range<usize>, kind: ParamKind, grads: &mut [T]) {
        let Self { step, optimizer, slots, offset, .. } = *self;
        let (start, end) = (range.start - offset, range.end - offset);
        let (params, state) = (&mut self.params[start..end], &mut self.state[slots * start..slots * end]);
        optimizer.update(Update { step, kind, params, grads, state });
    }

    /// Asks for the parameters in `range` before they are updated: other threads have read them.
    pub(crate) fn ask(&mut self, range: Range<usize>) {
        prefetch_mut(&mut self.params[range.start - self.offset..range.end - self.offset]);
    }

    /// Other values for the parameters in `range`.
    pub(crate) fn replace(&mut self, range: Range<usize>, values: &[T]) {
        self.params[range.start - self.offset..range.end - self.offset].copy_from_slice(values);
    }
}

/// Some rows of the table of a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) link: usize,
    /// The index of the first row, and where it begins in the parameters.
    pub(crate) first_row: usize,
    pub(crate) start: usize,
    /// Where the last row ends.
    pub(crate) end: usize,
    pub(crate) columns: usize,
    pub(crate) kind: ParamKind,
}

/// The memory in which one thread updates rows that lie far apart: they are brought together, since the step of an
/// optimizer takes longer to begin than to go over a row.
pub(crate) struct Rows<T> {
    params: Buffer<T>,
    grads: Buffer<T>,
    state: Buffer<T>,
    /// One shard's gradient of a row.
    part: Buffer<T>,
    /// Where the rows begin in the parameters.
    starts: Vec<usize>,
    /// How far the list of each shard is read.
    places: Vec<usize>,
}

impl<T: Real> Rows<T> {
    /// For tables of up to so many columns.
    pub(crate) fn new(columns: usize, slots: usize, shards: usize) -> Self {
        let size = if columns == 0 { 0 } else { columns.max(TOGETHER) };
        Self {
            params: Buffer::zeros(size),
            grads: Buffer::zeros(size),
            state: Buffer::zeros(slots * size),
            part: Buffer::zeros(columns),
            starts: Vec::with_capacity(size),
            places: Vec::with_capacity(shards),
        }
    }

    /// Sums the gradient of each row of a stretch that some shard used, over the shards in their order, and takes the
    /// optimizer's step for it.
    pub(crate) fn descend<Y>(
        &mut self,
        stretch: &Stretch,
        shards: &[Shard<T, Y>],
        ground: &mut Ground<'_, T>,
    ) {
        let &Stretch { link, first_row, start, end, columns, kind } = stretch;
        let shards = shards.iter().filter(|shard| !shard.is_empty());
        self.places.clear();
        self.places.extend(shards.clone().map(|shard| shard.sparse_grad(link).place(first_row)));
        self.starts.clear();
        loop {
            let lists = shards.clone().zip(&self.places);
            let next = lists.filter_map(|(shard, &place)| shard.sparse_grad(link).id(place)).min();
            let row = next.map_or(end, |id| start + (id - first_row) * columns);
            let Some(id) = next.filter(|_| row < end) else { break };
            let (sum, part) =
                (&mut self.grads[self.starts.len() * columns..][..columns], &mut self.part[..columns]);
            sum.fill(T::zero());
            for (index, (shard, place)) in shards.clone().zip(&mut self.places).enumerate() {
                let list = shard.sparse_grad(link);
                if list.id(*place) != Some(id) {
                    continue;
                }
                let (_, dy) = shard.operands(link);
                // Summed as gradients of whole tables are, with the same bits.
                if index == 0 {
                    *place = list.add(*place, dy, sum);
                } else {
                    part.fill(T::zero());
                    *place = list.add(*place, dy, part);
                    add(part, sum);
                }
            }
            self.starts.push(row);
            if (self.starts.len() + 1) * columns > self.grads.len() {
                self.update(columns, kind, ground);
            }
        }
        self.update(columns, kind, ground);
    }

    /// Updates the rows that were brought together, and forgets them.
    fn update(&mut self, columns: usize, kind: ParamKind, ground: &mut Ground<'_, T>) {
        let Self { params, grads, state, starts, .. } = self;
        let Ground { step, optimizer, slots, offset, .. } = *ground;
        let size = starts.len() * columns;
        let (params, grads) = (&mut params[..size], &mut grads[..size]);
        let state = &mut state[..slots * size];
        // Where a part of a row's state lies here, slot behind slot, and in the table, row behind row.
        let parts = || {
            let parts = |(index, start): (usize, &usize)| {
                let (here, there) = (index * columns, slots * (start - offset));
                (0..slots).map(move |slot| (slot * size + here, there + slot * columns))
            };
            starts.iter().enumerate().flat_map(parts)
        };
        let rows = || starts.iter().map(|start| start - offset);
        for (row, start) in params.chunks_exact_mut(columns).zip(rows()) {
            row.copy_from_slice(&ground.params[start..start + columns]);
        }
        for (here, there) in parts() {
            state[here..here + columns].copy_from_slice(&ground.state[there..there + columns]);
        }
        optimizer.update(Update { step, kind, params, grads, state });
        for (row, start) in params.chunks_exact(columns).zip(rows()) {
            ground.params[start..start + columns].copy_from_slice(row);
        }
        for (here, there) in parts() {
            ground.state[there..there + columns].copy_from_slice(&state[here..here + columns]);
        }
        starts.clear();
    }
}

/// `sum += values`.
pub(crate) fn add<T: Real>(values: &[T], sum: &mut [T]) {
    vector::update(
        sum,
        values,
        [],
        #[inline(always)]
        |sum, value, []| (sum + value, []),
    );
}
