//! The sum of the shards' gradients and the optimizer's step, in one pass over the [pieces](crate::pieces).
//!
//! The gradient of a weight that layers multiply with (`dW = Xᵀ dZ`) is not even computed before: the rows of dW
//! that make a piece are, one shard after the other, just before they are needed. So no thread waits for
//! another's sum, and the gradients of wide layers never go through memory.

use std::ops::Range;

use chainrule_core::ParamKind;
use chainrule_tensor::{Buffer, FlushDenormals, Real, gemm, gemm_pair};
use ndarray::{ArrayViewMut2, s};

use crate::ahead::{Ahead, Asking};
use crate::lead::Lead;
use crate::pieces::{Piece, Pieces, Source};
use crate::rows::{Ground, Rows, Stretch, add};
use crate::shard::{self, Shard};

/// What one thread works in.
pub(crate) struct Scratch<T> {
    /// The gradient of a piece.
    grads: Buffer<T>,
    rows: Rows<T>,
}

impl<T: Real> Scratch<T> {
    /// Room for any of the pieces.
    pub(crate) fn new(pieces: &Pieces, slots: usize, shards: usize) -> Self {
        Self { grads: Buffer::zeros(pieces.longest()), rows: Rows::new(pieces.widest(), slots, shards) }
    }
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

/// Some pieces, with what belongs to their parameters.
pub(crate) struct Region<'a, T: Real> {
    pub(crate) pieces: &'a [Piece],
    pub(crate) ground: Ground<'a, T>,
    /// The whole gradient, where somebody must see all of it at once; else empty.
    pub(crate) total: &'a mut [T],
}

impl<T: Real> Region<'_, T> {
    /// The pieces before this one, and the others.
    fn split(self, middle: usize) -> (Self, Self) {
        let Self { pieces, ground, total } = self;
        let (first, second) = pieces.split_at(middle);
        let at = second.first().map_or(ground.params.len(), |piece| piece.start - ground.offset);
        let (total_a, total_b) = total.split_at_mut(at.min(total.len()));
        let (ground_a, ground_b) = ground.split_at(at);
        (
            Self { pieces: first, ground: ground_a, total: total_a },
            Self { pieces: second, ground: ground_b, total: total_b },
        )
    }

    /// The pieces that end at or before this place in the flat parameters, and the others.
    fn split_before(self, end: usize) -> (Self, Self) {
        let middle = self.pieces.partition_point(|piece| piece.end <= end);
        self.split(middle)
    }

    /// Two parts of much the same work; where there is more than one piece, each has one.
    fn halve(self) -> (Self, Self) {
        let (Some(first), Some(last)) = (self.pieces.first(), self.pieces.last()) else {
            return self.split(0);
        };
        let half = first.work.midpoint(last.work);
        let middle = self.pieces.partition_point(|piece| piece.work <= half).max(1);
        self.split(middle)
    }
}

/// What a step does with all parameters.
pub(crate) struct Descent<'a, T: Real, Y> {
    pub(crate) part: Part,
    pub(crate) shards: &'a [Shard<T, Y>],
    /// The first product, where it is cut among threads.
    pub(crate) lead: Option<&'a Lead<T>>,
    /// The samples of the next step: all columns of all.
    pub(crate) ahead: Ahead<'a>,
}

impl<T: Real, Y: Sync> Descent<'_, T, Y> {
    /// Works on up to `threads` threads, each in one of `scratch`. A thread that has multiplied with some rows of the
    /// lead's weight gets the same again.
    pub(crate) fn run(&self, all: Region<'_, T>, scratch: &mut [Scratch<T>], threads: usize) {
        let (lead, rest) = all.split_before(self.lead.map_or(0, |lead| lead.weight.end));
        self.share(lead, 0..self.shards.len(), rest, scratch, threads);
    }

    /// The shards, and the parts of the lead, of a thread are those that it has had in the forward pass.
    fn share(
        &self,
        lead: Region<'_, T>,
        shards: Range<usize>,
        mut rest: Region<'_, T>,
        scratch: &mut [Scratch<T>],
        threads: usize,
    ) {
        if threads < 2 || lead.pieces.len() + rest.pieces.len() < 2 {
            let _flush = FlushDenormals::new();
            let shared = shards.len() < self.shards.len() && self.part != Part::Sum;
            if let (true, Some(first)) = (shared, rest.pieces.first()) {
                first.ask(&mut rest.ground);
            }
            let mut asking = self.ahead_of(shards).spread(2 * (lead.pieces.len() + rest.pieces.len()));
            self.descend(lead, false, &mut scratch[0], &mut asking);
            return self.descend(rest, shared, &mut scratch[0], &mut asking);
        }
        let middle = shards.start + shards.len().div_ceil(2);
        let (lead_a, lead_b) = lead.split_before(self.lead.map_or(0, |lead| lead.end(middle)));
        let (rest_a, rest_b) = rest.halve();
        let (scratch_a, scratch_b) = scratch.split_at_mut(threads.div_ceil(2));
        crate::threads::join(
            || self.share(lead_a, shards.start..middle, rest_a, scratch_a, threads.div_ceil(2)),
            || self.share(lead_b, middle..shards.end, rest_b, scratch_b, threads / 2),
        );
    }

    /// What the thread with these shards will read in the next step.
    fn ahead_of(&self, shards: Range<usize>) -> Ahead<'_> {
        match self.lead {
            Some(lead) => Ahead { columns: lead.columns(shards), ..self.ahead },
            None => {
                let rows = |position| shard::rows(self.ahead.samples.len(), position, self.shards.len());
                Ahead {
                    samples: &self.ahead.samples[rows(shards.start).start..rows(shards.end).start],
                    ..self.ahead
                }
            }
        }
    }

    /// One thread's work. Parameters that are `shared` are read by other threads in the passes, so each piece is asked for
    /// while the one before is computed.
    fn descend(
        &self,
        region: Region<'_, T>,
        shared: bool,
        scratch: &mut Scratch<T>,
        asking: &mut Asking<'_>,
    ) {
        let Region { pieces, mut ground, total } = region;
        let Scratch { grads: scratch, rows } = scratch;
        for (index, &piece) in pieces.iter().enumerate() {
            let Piece { start, end, kind, source, .. } = piece;
            if let (true, Some(next)) = (shared, pieces.get(index + 1)) {
                next.ask(&mut ground);
            }
            asking.go_on();
            if let Source::Table { link, first_row, columns } = source {
                let stretch = Stretch { link, first_row, start, end, columns, kind };
                rows.descend(&stretch, self.shards, &mut ground);
                asking.go_on();
                continue;
            }
            let grads = match self.part {
                Part::Both => &mut scratch[..end - start],
                Part::Sum | Part::Update => &mut total[start - ground.offset..end - ground.offset],
            };
            if self.part != Part::Update {
                self.sum(&piece, grads);
                if kind == ParamKind::Buffer {
                    // The shares of the next value, from all shards: no gradient, for an optimizer to clip.
                    ground.replace(start..end, grads);
                    grads.fill(T::zero());
                }
            }
            asking.go_on();
            if self.part != Part::Sum && kind.is_trained() {
                ground.update(start..end, kind, grads);
            }
        }
    }

    /// The sum over the shards, in their order, of the gradient of this piece; overwrites `sum`.
    fn sum(&self, piece: &Piece, sum: &mut [T]) {
        let mut shards = self.shards.iter().filter(|shard| !shard.is_empty());
        let (link, first_row, columns) = match piece.source {
            Source::Product { link, first_row, columns } => (link, first_row, columns),
            Source::Table { .. } => unreachable!("the gradient of a table is summed row by row"),
            Source::Shards => {
                let first = shards.next().expect("a batch has at least one sample");
                sum.copy_from_slice(&first.grads[piece.start..piece.end]);
                return shards.for_each(|shard| add(&shard.grads[piece.start..piece.end], sum));
            }
        };
        let inputs = first_row..first_row + sum.len() / columns;
        let mut dw =
            ArrayViewMut2::from_shape((inputs.len(), columns), sum).expect("whole rows of the weight");
        let mut row = 0;
        let mut parts = shards.map(|shard| {
            let (x, dy) = shard.operands(link);
            let rows = row..row + dy.nrows();
            row = rows.end;
            let x = match self.lead {
                Some(lead) if link == 0 => lead.x(rows, inputs.clone()),
                _ => x.slice_move(s![.., inputs.clone()]),
            };
            (x.reversed_axes(), dy)
        });
        // dW = Σ Xᵀ dZ, two shards at a time.
        let mut beta = T::zero();
        while let Some(part) = parts.next() {
            match parts.next() {
                Some(next) => gemm_pair([part, next], beta, dw.view_mut()),
                None => gemm(T::one(), part.0, part.1, beta, dw.view_mut()),
            }
            beta = T::one();
        }
    }
}
