//! The optimizer's step for the rows of a table that a batch has used.

use chainrule_core::ParamKind;
use chainrule_optim::Update;
use chainrule_tensor::{Buffer, Real};

use super::careful::{RowCopies, Watched};
use super::range::largest_gradient;
use super::shard::Shard;
use super::update::{Common, ParamBlock, add};
use crate::numbers;

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

    /// The sums of the gradients of the rows of a table that some of these shards used, added to `before`. If sums are `continued`,
    /// other shards came before these.
    pub(crate) fn sum<Y>(
        &mut self,
        range: &RowRange,
        shards: &[Shard<T, Y>],
        continued: bool,
        before: &TableRows<T>,
    ) -> TableRows<T> {
        let &RowRange { stage, first_row, columns, .. } = range;
        let shards = shards.iter().filter(|shard| !shard.is_empty());
        self.positions.clear();
        self.positions.extend(shards.clone().map(|shard| shard.sparse_grad(stage).position(first_row)));
        let mut sums = TableRows::new(stage);
        let mut rows_before = before.rows(columns).peekable();
        loop {
            let lists = shards.clone().zip(&self.positions);
            let next = lists.filter_map(|(shard, &position)| shard.sparse_grad(stage).id(position)).min();
            let id = match (next, rows_before.peek()) {
                (Some(own), Some(&(before, _))) => own.min(before),
                (Some(own), None) => own,
                (None, Some(&(before, _))) => before,
                (None, None) => return sums,
            };
            let sum = sums.push(id, columns);
            if let Some((_, values)) = rows_before.next_if(|&(before, _)| before == id) {
                sum.copy_from_slice(values);
            }
            add_shards(
                shards.clone(),
                &mut self.positions,
                &mut self.shard_grad,
                [stage, id],
                continued,
                sum,
            );
        }
    }

    /// The gradient of rows of the first weight, where the shards have lists of it: their sum, in the order of the shards. One that is
    /// `continued` is added to `sum`.
    pub(crate) fn sum_dense<Y>(
        &mut self,
        [first_row, columns]: [usize; 2],
        shards: &[Shard<T, Y>],
        continued: bool,
        sum: &mut [T],
    ) {
        let stage = 0;
        if !continued {
            sum.fill(T::zero());
        }
        self.shard_grad.reserve(columns);
        let shards = shards.iter().filter(|shard| !shard.is_empty());
        self.positions.clear();
        self.positions.extend(shards.clone().map(|shard| shard.sparse_grad(stage).position(first_row)));
        let rows = first_row..first_row + sum.len() / columns;
        loop {
            let lists = shards.clone().zip(&self.positions);
            let next = lists.filter_map(|(shard, &position)| shard.sparse_grad(stage).id(position)).min();
            let Some(id) = next.filter(|id| rows.contains(id)) else { return };
            let sum = &mut sum[(id - first_row) * columns..][..columns];
            let Self { positions, shard_grad, .. } = self;
            add_shards(shards.clone(), positions, shard_grad, [stage, id], continued, sum);
        }
    }

    /// For each row of a range whose gradient was summed before: takes the optimizer's step.
    pub(crate) fn update_summed(
        &mut self,
        range: &RowRange,
        sums: &TableRows<T>,
        block: &mut ParamBlock<'_, T>,
    ) {
        let &RowRange { first_row, start, end, columns, .. } = range;
        self.starts.clear();
        for (id, sum) in sums.rows(columns) {
            let Some(row) = id.checked_sub(first_row).map(|id| start + id * columns) else { continue };
            if row >= end {
                break;
            }
            self.grads[self.starts.len() * columns..][..columns].copy_from_slice(sum);
            self.starts.push(row);
            if (self.starts.len() + 1) * columns > self.grads.len() {
                self.update(range, block);
            }
        }
        self.update(range, block);
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
            sum.fill(T::zero());
            add_shards(shards.clone(), &mut self.positions, &mut self.shard_grad, [stage, id], false, sum);
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

/// Adds the gradients of a row of a stage's table to `sum`, of one shard after the other, and moves on the positions in their lists.
///
/// That is the order in which gradients of whole tables are summed, so the bits are the same. The first of all shards, unless the sum is
/// `continued`, adds its terms to the sum itself.
fn add_shards<'a, T: Real, Y: 'a>(
    shards: impl Iterator<Item = &'a Shard<T, Y>>,
    positions: &mut [usize],
    shard_grad: &mut [T],
    [stage, id]: [usize; 2],
    continued: bool,
    sum: &mut [T],
) {
    let shard_grad = &mut shard_grad[..sum.len()];
    for (index, (shard, position)) in shards.zip(positions).enumerate() {
        let list = shard.sparse_grad(stage);
        if list.id(*position) != Some(id) {
            continue;
        }
        let (_, dy) = shard.operands(stage);
        if index == 0 && !continued {
            *position = list.add(*position, dy, sum);
        } else {
            shard_grad.fill(T::zero());
            *position = list.add(*position, dy, shard_grad);
            add(shard_grad, sum);
        }
    }
}

/// The sums of the gradients of some rows of the table of a stage, by their ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TableRows<T> {
    pub(crate) stage: usize,
    /// Sorted.
    ids: Vec<u64>,
    sums: Vec<T>,
}

impl<T: Real> TableRows<T> {
    /// No rows.
    pub(crate) fn new(stage: usize) -> Self {
        Self { stage, ids: Vec::new(), sums: Vec::new() }
    }

    /// Each row with its id.
    fn rows(&self, columns: usize) -> impl Iterator<Item = (usize, &[T])> {
        self.ids.iter().map(|&id| id as usize).zip(self.sums.chunks_exact(columns.max(1)))
    }

    /// Adds a row of zeros with an id larger than all others.
    fn push(&mut self, id: usize, columns: usize) -> &mut [T] {
        let start = self.sums.len();
        self.ids.push(id as u64);
        self.sums.resize(start + columns, T::zero());
        &mut self.sums[start..]
    }

    /// Appends its bytes: the number of rows, their ids, and their sums.
    pub(crate) fn append_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&(self.ids.len() as u64).to_le_bytes());
        self.ids.iter().for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()));
        numbers::append(&self.sums, bytes);
    }

    /// What [`append_to`](Self::append_to) has made bytes of; `None` if these are no sums of rows of so many columns.
    pub(crate) fn from_bytes(stage: usize, columns: usize, bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<8>()?;
        let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
        let (ids, sums) = rest.split_at_checked(count.checked_mul(8)?)?;
        let (ids, _) = ids.as_chunks::<8>();
        let ids: Vec<u64> = ids.iter().map(|id| u64::from_le_bytes(*id)).collect();
        if sums.len() != count.checked_mul(columns)?.checked_mul(size_of::<T>())? {
            return None;
        }
        let mut values = vec![T::zero(); count * columns];
        numbers::numbers(sums, &mut values)?;
        Some(Self { stage, ids, sums: values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_tables_are_bytes() {
        let mut rows = TableRows::<f32>::new(3);
        rows.push(2, 2).copy_from_slice(&[1.0, -0.0]);
        rows.push(900, 2).copy_from_slice(&[f32::MIN_POSITIVE, 7.0]);
        let mut bytes = Vec::new();
        rows.append_to(&mut bytes);
        assert_eq!(TableRows::from_bytes(3, 2, &bytes), Some(rows));
        for wrong in [&bytes[..7], &bytes[..bytes.len() - 1], &[255; 8], &[1, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(TableRows::<f32>::from_bytes(3, 2, wrong), None);
        }
        assert_eq!(TableRows::<f32>::from_bytes(3, 3, &bytes), None);
    }
}
