//! The sum of the shards' gradients and the optimizer's step, in one pass.
//!
//! The flat parameters are cut into pieces of one kind each, small enough that a piece with its gradient
//! and its state stays in a core's cache while the gradient is made and the optimizer runs over it. The
//! gradient of a weight that layers multiply with (`dW = Xᵀ dZ`) is not even computed before: the rows of dW
//! that make a piece are, one shard after the other, just before they are needed. So no thread waits for
//! another's sum, and the gradients of wide layers never go through memory.
//!
//! The pieces do not depend on the number of threads, which take them in contiguous groups.

use std::ops::Range;

use chainrule_layer::{Chain, Plan};
use chainrule_optim::{Optimizer, Update};
use chainrule_tensor::{Buffer, FlushDenormals, Kind, Real, gemm, vector};
use ndarray::{ArrayViewMut2, s};

use crate::lead::Lead;
use crate::shard::Shard;

/// How many parameters a piece has at most: with its gradient and two slots of state, 128 kB of `f32`.
const LONGEST: usize = 8_192;

/// A range of the flat parameters, of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    start: usize,
    end: usize,
    kind: Kind,
    product: Option<Product>,
}

/// The piece is rows of the weight of a link whose gradient is `xᵀ dy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Product {
    link: usize,
    first_row: usize,
    columns: usize,
}

/// Whether gradients that are products are computed piece by piece. Where all parameters make one piece, that gains
/// nothing.
pub(crate) fn defers(plan: &Plan) -> bool {
    plan.size() > LONGEST
}

/// How many rows of a weight of so many columns make a piece.
pub(crate) fn rows(columns: usize) -> usize {
    (LONGEST / columns).max(1)
}

/// Cuts the parameters of a plan. Each piece is of one kind, or not a buffer if the optimizer does not tell `kinds`.
///
/// The optimizer's state lies piece by piece, so pieces may depend on nothing that can change in a training.
pub(crate) fn cut<T: Real>(plan: &Plan, chain: &Chain<T>, kinds: bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut end_of_product = 0;
    let alike = |a: Kind, b: Kind| a == b || (!kinds && a != Kind::Buffer && b != Kind::Buffer);
    for entry in plan.entries() {
        let Range { mut start, end } = entry.range;
        let kind = entry.kind;
        let product = chain.products().find(|(_, range)| defers(plan) && *range == entry.range);
        if let Some((link, _)) = product {
            let columns = entry.shape[1];
            pieces.extend((0..entry.shape[0]).step_by(rows(columns)).map(|first_row| Piece {
                start: start + first_row * columns,
                end: end.min(start + (first_row + rows(columns)) * columns),
                kind,
                product: Some(Product { link, first_row, columns }),
            }));
            end_of_product = end;
            continue;
        }
        while start < end {
            match pieces.last_mut() {
                Some(last)
                    if start > end_of_product
                        && alike(last.kind, kind)
                        && last.end - last.start < LONGEST =>
                {
                    last.end = end.min(last.start + LONGEST);
                    start = last.end;
                }
                _ => {
                    let piece = Piece { start, end: end.min(start + LONGEST), kind, product: None };
                    start = piece.end;
                    pieces.push(piece);
                }
            }
        }
    }
    pieces
}

/// The greatest number of parameters in a piece.
pub(crate) fn longest(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.end - piece.start).max().unwrap_or(0)
}

/// Which part of the descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Sums the gradients into `total`.
    Sum,
    /// Takes the step from `total`.
    Update,
    /// Both, piece by piece, without `total`.
    Both,
}

/// What a step does with all parameters.
pub(crate) struct Descent<'a, T: Real, Y> {
    pub(crate) part: Part,
    pub(crate) step: u64,
    pub(crate) optimizer: &'a dyn Optimizer<T>,
    pub(crate) slots: usize,
    pub(crate) shards: &'a [Shard<T, Y>],
    /// The first product, where it is cut among threads.
    pub(crate) lead: Option<&'a Lead<T>>,
}

/// The parameters from `offset` on, with what belongs to them.
pub(crate) struct Region<'a, T> {
    pub(crate) pieces: &'a [Piece],
    pub(crate) offset: usize,
    pub(crate) params: &'a mut [T],
    pub(crate) state: &'a mut [T],
    /// The whole gradient, where somebody must see all of it at once; else empty.
    pub(crate) total: &'a mut [T],
}

impl<'a, T: Real> Region<'a, T> {
    /// The pieces that end at or before this place in the flat parameters, and the others.
    fn split(self, slots: usize, end: usize) -> (Self, Self) {
        let Self { pieces, offset, params, state, total } = self;
        let (first, second) = pieces.split_at(pieces.partition_point(|piece| piece.end <= end));
        let at = second.first().map_or(params.len(), |piece| piece.start - offset);
        let (params_a, params_b) = params.split_at_mut(at);
        let (state_a, state_b) = state.split_at_mut(slots * at);
        let (total_a, total_b) = total.split_at_mut(at.min(total.len()));
        (
            Self { pieces: first, offset, params: params_a, state: state_a, total: total_a },
            Self { pieces: second, offset: offset + at, params: params_b, state: state_b, total: total_b },
        )
    }

    /// Two parts of much the same size.
    fn halve(self, slots: usize) -> (Self, Self) {
        let half = self.offset + self.params.len() / 2;
        // The piece that holds the middle parameter begins the second half, unless it is the first.
        let first = self.pieces.first().map_or(half, |piece| piece.end);
        self.split(slots, half.max(first))
    }
}

impl<T: Real, Y: Sync> Descent<'_, T, Y> {
    /// Works on up to `threads` threads, each with a buffer of `scratch` as long as the longest piece. A thread that
    /// has multiplied with some rows of the lead's weight gets the same again.
    pub(crate) fn run(&self, all: Region<'_, T>, scratch: &mut [Buffer<T>], threads: usize) {
        let (weight, parts) = self.lead.map_or((0, 0), |lead| (lead.weight.end, lead.count()));
        let (lead, rest) = all.split(self.slots, weight);
        self.share(lead, 0..parts, rest, scratch, threads);
    }

    fn share(
        &self,
        lead: Region<'_, T>,
        parts: Range<usize>,
        rest: Region<'_, T>,
        scratch: &mut [Buffer<T>],
        threads: usize,
    ) {
        if threads < 2 || lead.pieces.len() + rest.pieces.len() < 2 {
            let _flush = FlushDenormals::new();
            self.descend(lead, &mut scratch[0]);
            return self.descend(rest, &mut scratch[0]);
        }
        let middle = parts.start + parts.len().div_ceil(2);
        let (lead_a, lead_b) = lead.split(self.slots, self.lead.map_or(0, |lead| lead.end(middle)));
        let (rest_a, rest_b) = rest.halve(self.slots);
        let (scratch_a, scratch_b) = scratch.split_at_mut(threads.div_ceil(2));
        crate::threads::join(
            || self.share(lead_a, parts.start..middle, rest_a, scratch_a, threads.div_ceil(2)),
            || self.share(lead_b, middle..parts.end, rest_b, scratch_b, threads / 2),
        );
    }

    fn descend(&self, region: Region<'_, T>, scratch: &mut [T]) {
        let Self { part, step, optimizer, slots, .. } = *self;
        let Region { pieces, offset, params, state, total } = region;
        for piece in pieces {
            let here = piece.start - offset..piece.end - offset;
            let grads = match part {
                Part::Both => &mut scratch[..here.len()],
                Part::Sum | Part::Update => &mut total[here.clone()],
            };
            if part != Part::Update {
                self.sum(piece, grads);
            }
            if part == Part::Sum {
                continue;
            }
            let params = &mut params[here.clone()];
            match piece.kind {
                // The shares of the next value, from all shards.
                Kind::Buffer => params.copy_from_slice(grads),
                kind @ (Kind::Weight | Kind::Bias) => {
                    let state = &mut state[slots * here.start..slots * here.end];
                    optimizer.update(Update { step, kind, params, grads, state });
                }
            }
        }
    }

    /// The sum over the shards, in their order, of the gradient of this piece; overwrites `sum`.
    fn sum(&self, piece: &Piece, sum: &mut [T]) {
        let mut shards = self.shards.iter().filter(|shard| !shard.is_empty());
        let Some(Product { link, first_row, columns }) = piece.product else {
            let first = shards.next().expect("a batch has at least one sample");
            sum.copy_from_slice(&first.grads[piece.start..piece.end]);
            return shards.for_each(|shard| add(&shard.grads[piece.start..piece.end], sum));
        };
        let inputs = first_row..first_row + sum.len() / columns;
        let mut dw =
            ArrayViewMut2::from_shape((inputs.len(), columns), sum).expect("whole rows of the weight");
        let (mut beta, mut row) = (T::zero(), 0);
        for shard in shards {
            let (x, dy) = shard.operands(link);
            let rows = row..row + dy.nrows();
            row = rows.end;
            let x = match self.lead {
                Some(lead) if link == 0 => lead.x(rows, inputs.clone()),
                _ => x.slice_move(s![.., inputs.clone()]),
            };
            gemm(T::one(), x.t(), dy, beta, dw.view_mut()); // dW = Σ Xᵀ dZ
            beta = T::one();
        }
    }
}

/// `sum += values`.
fn add<T: Real>(values: &[T], sum: &mut [T]) {
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

    use chainrule_layer::{Layer, Residual, Sequential};
    use chainrule_layers::Dense;

    #[test]
    fn pieces_cover_everything_once() {
        let mut plan = Plan::new();
        let init = Arc::new(chainrule_layer::Constant(0.0)) as _;
        plan.weight("a", [LONGEST, 2], (1, 1), &init);
        plan.weight("b", [100], (1, 1), &init);
        plan.bias("c", [10], (1, 1), &init);
        plan.buffer("d", [5], 0.0);
        let pieces = cut(&plan, &Chain::<f32>::default(), true);
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

    #[test]
    fn products_are_cut_into_whole_rows() {
        let inner = Residual(Sequential::new().then(Dense::new(300)));
        let layers = Sequential::new().then(Dense::new(300)).then(inner).then(Dense::new(2 * LONGEST));
        let mut plan = Plan::new();
        let (_, chain) = layers.plan([100].into(), &mut plan).unwrap();
        let pieces = cut(&plan, &chain, true);
        assert_eq!((pieces[0].start, pieces[pieces.len() - 1].end), (0, plan.size()));
        assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
        for piece in &pieces {
            match piece.product {
                Some(Product { link: 0, first_row, columns: 300 }) => {
                    assert_eq!(piece.start, 300 * first_row);
                    assert_eq!((piece.end - piece.start) % 300, 0);
                }
                Some(product) => {
                    assert_eq!((product.link, product.columns), (2, 2 * LONGEST));
                    assert_eq!(piece.end - piece.start, 2 * LONGEST);
                }
                // What is inside another layer has gradients of its own.
                None => assert!(piece.end - piece.start <= LONGEST),
            }
        }
    }
}
