//! The optimizer's step for the rows of a table that a batch has used.

use chainrule_optim::Update;
use chainrule_tensor::{Buffer, Kind, Real};

use crate::pieces::{Descent, Piece, Region, add};

/// How many parameters are updated together, side by side: with their gradients and two slots of state they fit into a
/// core's first cache.
const TOGETHER: usize = 2_048;

/// Some rows of the table of a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch<'a> {
    /// Where they lie.
    pub(crate) piece: &'a Piece,
    pub(crate) link: usize,
    /// The index of the first of them.
    pub(crate) first_row: usize,
    pub(crate) columns: usize,
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
        descent: &Descent<'_, T, Y>,
        Stretch { piece, link, first_row, columns }: Stretch<'_>,
        region: &mut Region<'_, T>,
    ) {
        let &Piece { start, end, kind, .. } = piece;
        let shards = descent.shards.iter().filter(|shard| !shard.is_empty());
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
                self.update(descent, columns, kind, region);
            }
        }
        self.update(descent, columns, kind, region);
    }

    /// Updates the rows that were brought together, and forgets them.
    fn update<Y>(
        &mut self,
        &Descent { step, optimizer, slots, .. }: &Descent<'_, T, Y>,
        columns: usize,
        kind: Kind,
        region: &mut Region<'_, T>,
    ) {
        let Self { params, grads, state, starts, .. } = self;
        let offset = region.offset;
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
            row.copy_from_slice(&region.params[start..start + columns]);
        }
        for (here, there) in parts() {
            state[here..here + columns].copy_from_slice(&region.state[there..there + columns]);
        }
        optimizer.update(Update { step, kind, params, grads, state });
        for (row, start) in params.chunks_exact(columns).zip(rows()) {
            region.params[start..start + columns].copy_from_slice(row);
        }
        for (here, there) in parts() {
            region.state[there..there + columns].copy_from_slice(&state[here..here + columns]);
        }
        starts.clear();
    }
}
