//! The reduction of the shards' gradients and the optimizer's step, in one pass.
//!
//! The flat parameters are cut into pieces of one kind each, small enough that a piece with its gradients
//! and its state stays in a core's cache while the gradients are summed and the optimizer runs over it. The
//! pieces do not depend on the number of threads, which take them in contiguous groups.

use chainrule_layer::Plan;
use chainrule_optim::{Optimizer, Update};
use chainrule_tensor::{FlushDenormals, Kind, Real, vector};

use crate::shard::Shard;

/// How many parameters a piece has at most: with gradients of two shards and two slots of state, 320 kB of `f32`.
const LONGEST: usize = 16_384;

/// A range of the flat parameters, of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    start: usize,
    end: usize,
    kind: Kind,
}

/// Cuts the parameters of a plan.
pub(crate) fn cut(plan: &Plan) -> Vec<Piece> {
    let mut runs: Vec<Piece> = Vec::new();
    for entry in plan.entries() {
        match runs.last_mut() {
            Some(last) if last.kind == entry.kind => last.end = entry.range.end,
            _ => runs.push(Piece { start: entry.range.start, end: entry.range.end, kind: entry.kind }),
        }
    }
    let split = |run: Piece| {
        (run.start..run.end).step_by(LONGEST).map(move |start| Piece {
            start,
            end: run.end.min(start + LONGEST),
            kind: run.kind,
        })
    };
    runs.into_iter().flat_map(split).collect()
}

/// What one step updates, from the parameter `offset` on.
pub(crate) struct Descent<'a, T: Real, Y> {
    pub(crate) step: u64,
    pub(crate) optimizer: &'a dyn Optimizer<T>,
    pub(crate) slots: usize,
    pub(crate) pieces: &'a [Piece],
    pub(crate) offset: usize,
    pub(crate) params: &'a mut [T],
    pub(crate) state: &'a mut [T],
    /// The gradients of the first shard, which become the sum.
    pub(crate) grads: &'a mut [T],
    /// The other shards; their gradients are added in order.
    pub(crate) others: &'a [Shard<T, Y>],
}

impl<T: Real, Y: Sync> Descent<'_, T, Y> {
    /// Sums the gradients and takes the step, on up to `threads` threads.
    pub(crate) fn run(self, threads: usize) {
        if threads < 2 || self.pieces.len() < 2 {
            return self.run_here();
        }
        let Self { step, optimizer, slots, pieces, offset, params, state, grads, others } = self;
        // The piece that holds the middle parameter begins the second half.
        let half = offset + params.len() / 2;
        let middle = pieces.partition_point(|piece| piece.end <= half).clamp(1, pieces.len() - 1);
        let (first, second) = pieces.split_at(middle);
        let at = second[0].start - offset;
        let (params_a, params_b) = params.split_at_mut(at);
        let (state_a, state_b) = state.split_at_mut(slots * at);
        let (grads_a, grads_b) = grads.split_at_mut(at);
        let a = Descent {
            pieces: first,
            offset,
            params: params_a,
            state: state_a,
            grads: grads_a,
            step,
            optimizer,
            slots,
            others,
        };
        let b = Descent {
            pieces: second,
            offset: offset + at,
            params: params_b,
            state: state_b,
            grads: grads_b,
            step,
            optimizer,
            slots,
            others,
        };
        rayon::join(|| a.run(threads / 2), || b.run(threads - threads / 2));
    }

    fn run_here(self) {
        let _flush = FlushDenormals::new();
        let Self { step, optimizer, slots, pieces, offset, params, state, grads, others } = self;
        for &Piece { start, end, kind } in pieces {
            let here = start - offset..end - offset;
            let (params, grads) = (&mut params[here.clone()], &mut grads[here.clone()]);
            for other in others {
                add(&other.grads[start..end], grads);
            }
            match kind {
                // The shares of the next value, from all shards.
                Kind::Buffer => params.copy_from_slice(grads),
                Kind::Weight | Kind::Bias => {
                    let state = &mut state[slots * here.start..slots * here.end];
                    optimizer.update(Update { step, kind, params, grads, state });
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn pieces_cover_everything_once() {
        let mut plan = Plan::new();
        let init = Arc::new(chainrule_layer::Constant(0.0)) as _;
        plan.weight("a", [LONGEST, 2], (1, 1), &init);
        plan.weight("b", [100], (1, 1), &init);
        plan.bias("c", [10], (1, 1), &init);
        plan.buffer("d", [5], 0.0);
        let pieces = cut(&plan);
        let lengths: Vec<_> = pieces.iter().map(|piece| (piece.end - piece.start, piece.kind)).collect();
        let right = [
            (LONGEST, Kind::Weight),
            (LONGEST, Kind::Weight),
            (100, Kind::Weight),
            (10, Kind::Bias),
            (5, Kind::Buffer),
        ];
        assert_eq!(lengths, right);
        assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
}
