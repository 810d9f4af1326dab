//! The optimizer's step for the rows of a table that a batch has used.

use chainrule_core::ParamKind;
use chainrule_optim::Update;
use chainrule_tensor::{Buffer, Real};

use super::careful::{RowCopies, Watched};
use super::range::largest_gradient;
use super::shard::Shard;
use super::update::{Common, ParamBlock, add};

/// How many parameters are updated in one call: with their gradients and two slots of state they fit into a core's
/// first-level cache.
const TOGETHER: usize = 2_048;

/// Some rows of the table of a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowRange {
    pub(crate) stage: usize,
    /// The index of the first row in the table.
    pub(crate) first_row: usize,
    /// Where the first row begins in the flat parameters.
    pub(crate) start: usize,
    /// Where the last row ends in the flat parameters.
    pub(crate) end: usize,
    pub(crate) columns: usize,
    pub(crate) kind: ParamKind,
    /// The index of the table among the parameters, if the optimizer uses it.
    pub(crate) parameter: Option<usize>,
}

/// The memory in which one thread updates rows that are far apart. They are copied together, since calling an optimizer
/// takes longer than updating one row.
pub(crate) struct SparseUpdate<T> {
    params: Buffer<T>,
    grads: Buffer<T>,
    state: Buffer<T>,
    /// One shard's gradient of a row.
    shard_grad: Buffer<T>,
    /// Where the rows begin in the flat parameters.
    starts: Vec<usize>,
    /// For each shard, the next term of its list.
    positions: Vec<usize>,
    /// What a careful step has overwritten.
    pub(crate) copies: RowCopies<T>,
}

impl<T: Real> SparseUpdate<T> {
    /// Memory for tables of up to this many columns.
    pub(crate) fn new(columns: usize, slots: usize, shards: usize) -> Self {
        let size = if columns == 0 { 0 } else { columns.max(TOGETHER) };
        Self {
            params: Buffer::zeros(size),
            grads: Buffer::zeros(size),
            state: Buffer::zeros(slots * size),
            shard_grad: Buffer::zeros(columns),
            starts: Vec::with_capacity(size),
            positions: Vec::with_capacity(shards),
            copies: RowCopies::default(),
        }
    }

    /// For each row of a range that some shard used: sums its gradient over the shards, in their order, and takes the
    /// optimizer's step.
    pub(crate) fn run<Y>(&mut self, range: &RowRange, shards: &[Shard<T, Y>], block: &mut ParamBlock<'_, T>) {
        let &RowRange { stage, first_row, start, end, columns, .. } = range;
        let shards = shards.iter().filter(|shard| !shard.is_empty());
        self.positions.clear();
        self.positions.extend(shards.clone().map(|shard| shard.sparse_grad(stage).position(first_row)));
        self.starts.clear();
        loop {
            let lists = shards.clone().zip(&self.positions);
            let next = lists.filter_map(|(shard, &position)| shard.sparse_grad(stage).id(position)).min();
            let Some(id) = next else { break };
            let row = start + (id - first_row) * columns;
            if row >= end {
                break;
            }
            let sum = &mut self.grads[self.starts.len() * columns..][..columns];
            let shard_grad = &mut self.shard_grad[..columns];
            sum.fill(T::zero());
            for (index, (shard, position)) in shards.clone().zip(&mut self.positions).enumerate() {
                let list = shard.sparse_grad(stage);
                if list.id(*position) != Some(id) {
                    continue;
                }
                let (_, dy) = shard.operands(stage);
                // In the order in which gradients of whole tables are summed, so with the same bits.
                if index == 0 {
                    *position = list.add(*position, dy, sum);
                } else {
                    shard_grad.fill(T::zero());
                    *position = list.add(*position, dy, shard_grad);
                    add(shard_grad, sum);
                }
            }
            self.starts.push(row);
            if (self.starts.len() + 1) * columns > self.grads.len() {
                self.update(range, block);
            }
        }
        self.update(range, block);
    }

    /// Updates the rows that were collected, and forgets them.
    fn update(&mut self, range: &RowRange, block: &mut ParamBlock<'_, T>) {
        let &RowRange { columns, kind, parameter, .. } = range;
        let Self { params, grads, state, starts, copies, .. } = self;
        let &Common { step, optimizer, slots, parameters, numbers, watch } = block.common;
        let offset = block.offset;
        let size = starts.len() * columns;
        let params = &mut params[..size];
        let grads = &mut grads[..size];
        let state = &mut state[..slots * size];
        // Where one slot of a row's state is: here slot after slot, and in the table row after row.
        let slots_of_rows = || {
            let slots_of_row = |(index, start): (usize, &usize)| {
                let here = index * columns;
                let there = slots * (start - offset);
                (0..slots).map(move |slot| (slot * size + here, there + slot * columns))
            };
            starts.iter().enumerate().flat_map(slots_of_row)
        };
        let rows = || starts.iter().map(|start| start - offset);
        for (row, start) in params.chunks_exact_mut(columns).zip(rows()) {
            row.copy_from_slice(&block.params[start..start + columns]);
        }
        for (here, there) in slots_of_rows() {
            state[here..here + columns].copy_from_slice(&block.state[there..there + columns]);
        }
        let index = |position: usize| starts[position % size / columns] + position % columns;
        if let Some(watch) = watch {
            for &start in &*starts {
                let row = start - offset;
                let of_params = &block.params[row..row + columns];
                copies.add(start, of_params, &block.state[slots * row..slots * (row + columns)]);
            }
            watch.look(Watched::Gradient, grads, largest_gradient(), index);
        }
        let parameter = parameter.map(|index| &parameters[index]);
        let pass = Update::new(step, kind, params, grads, state);
        optimizer.update(Update { parameter, numbers, ..pass });
        if let Some(watch) = watch {
            watch.look(Watched::Parameter, params, T::max_value(), index);
            watch.look(Watched::State, state, T::max_value(), index);
        }
        for (row, start) in params.chunks_exact(columns).zip(rows()) {
            block.params[start..start + columns].copy_from_slice(row);
        }
        for (here, there) in slots_of_rows() {
            block.state[there..there + columns].copy_from_slice(&state[here..here + columns]);
        }
        starts.clear();
    }
}
