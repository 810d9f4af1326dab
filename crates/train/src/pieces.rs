//! The sum of the shards' gradients and the optimizer's step, in one pass.
//!
//! The flat parameters are cut into pieces of one kind each, small enough that a piece with its gradient
//! and its state stays in a core's cache while the gradient is made and the optimizer runs over it. The
//! gradient of a weight that layers multiply with (`dW = Xᵀ dZ`) is not even computed before: the rows of dW
//! that make a piece are, one shard after the other, just before they are needed. So no thread waits for
//! another's sum, and the gradients of wide layers never go through memory.
//!
//! Of a table (see `Plan::table`) only the rows that some shard used are looked at. The shards have sorted lists of
//! them, and the table is cut anew for each step, into stretches with about as many of these rows.
//!
//! The pieces do not depend on the number of threads, which take them in contiguous groups.

use std::ops::Range;

use chainrule_layer::{Chain, Plan};
use chainrule_optim::Optimizer;
use chainrule_tensor::{Buffer, FlushDenormals, Kind, Real, gemm, gemm_pair};
use ndarray::{ArrayViewMut2, s};

use crate::ahead::{Ahead, Asking};
use crate::lead::Lead;
use crate::rows::{Ground, Rows, Stretch, add};
use crate::shard::{self, Shard};

/// How many parameters a piece has at most, unless its rows are long: with its gradient and two slots of state, 128 kB of
/// `f32`.
pub(crate) const LONGEST: usize = 8_192;

/// Into how many pieces what follows a leading weight is cut, so that threads find equal shares of it ...
const SHARES: usize = 16;

/// ... if a piece then has so many parameters.
const SHORTEST: usize = LONGEST / 8;

/// How many rows of a wide weight a piece has, since dZ is read once for all rows of a piece (with 4 rows of 2,048, a step of
/// a network of that width took a tenth longer) ...
const FEWEST_ROWS: usize = 16;

/// ... as long as these are no more parameters than this.
const LONGEST_OF_ROWS: usize = 8 * LONGEST;

/// How many terms of the longest list are in a stretch of a table.
const TERMS: usize = 64;

/// A range of the flat parameters, of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    start: usize,
    end: usize,
    kind: Kind,
    source: Source,
    /// The work of all pieces up to this one, in parameters to be updated.
    work: usize,
}

/// Where the gradient of a piece comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// From the shards' own.
    Shards,
    /// The piece is rows of the weight of a link whose gradient is `xᵀ dy`.
    Product { link: usize, first_row: usize, columns: usize },
    /// The piece is rows of the table of a link.
    Table { link: usize, first_row: usize, columns: usize },
}

/// Whether gradients that are products are computed piece by piece. Where there are few parameters, that gains nothing.
pub(crate) fn defers(plan: &Plan) -> bool {
    plan.size() > LONGEST
}

/// Whether the gradients of tables are lists: who looks at all gradients at once wants them whole.
pub(crate) fn sparse<T: Real>(optimizer: &dyn Optimizer<T>) -> bool {
    !optimizer.prepares()
}

/// How many rows of a weight of so many columns make a piece of `length` parameters at least.
fn rows(columns: usize, length: usize) -> usize {
    let few = (LONGEST_OF_ROWS / columns).clamp(1, FEWEST_ROWS);
    few.max(length / columns)
}

/// The same for a leading weight.
pub(crate) fn rows_of_lead(columns: usize) -> usize {
    rows(columns, LONGEST)
}

/// How many parameters make a piece of what is no leading weight: such pieces begin on a line of the cache where the
/// parameter does.
fn length(plan: &Plan, chain: &Chain<impl Real>) -> usize {
    let lead = chain.lead().map_or(0, |weight| weight.len());
    let parts = (plan.size() - lead) / (SHARES * SHORTEST);
    SHORTEST * parts.clamp(1, LONGEST / SHORTEST)
}

/// The parameters of a plan, cut.
pub(crate) struct Pieces {
    /// Each table in one piece.
    fixed: Vec<Piece>,
    /// Each table in stretches, for one step; unused where there is no table.
    stretched: Vec<Piece>,
    tables: bool,
}

impl Pieces {
    /// Cuts the parameters of a plan for an optimizer.
    ///
    /// Its state lies piece by piece, so pieces depend on nothing that can change in a training.
    pub(crate) fn new<T: Real>(plan: &Plan, chain: &Chain<T>, optimizer: &dyn Optimizer<T>) -> Self {
        let (sparse, kinds) = (sparse(optimizer), optimizer.tells_kinds());
        let tables = sparse && chain.tables().next().is_some();
        Self { fixed: cut(plan, chain, sparse, kinds), stretched: Vec::new(), tables }
    }

    /// How many parameters the longest piece has that is no table.
    pub(crate) fn longest(&self) -> usize {
        let values = |piece: &Piece| match piece.source {
            Source::Table { .. } => 0,
            Source::Shards | Source::Product { .. } => piece.end - piece.start,
        };
        self.fixed.iter().map(values).max().unwrap_or(0)
    }

    /// The optimizer's state, which lies piece by piece, as files have it: slot by slot, each in the order of the
    /// parameters. So how they are cut may change from one version to the next.
    pub(crate) fn state_by_slot<T: Real>(&self, state: &[T], slots: usize) -> Vec<T> {
        let mut by_slot = vec![T::zero(); state.len()];
        for (here, there, len) in self.parts_of_state(state.len(), slots) {
            by_slot[there..there + len].copy_from_slice(&state[here..here + len]);
        }
        by_slot
    }

    /// The reverse of [`state_by_slot`](Self::state_by_slot).
    pub(crate) fn state_by_piece<T: Real>(&self, by_slot: &[T], state: &mut [T], slots: usize) {
        for (here, there, len) in self.parts_of_state(state.len(), slots) {
            state[here..here + len].copy_from_slice(&by_slot[there..there + len]);
        }
    }

    /// Where parts of a state of `size` values begin piece by piece and slot by slot, and how long they are.
    fn parts_of_state(&self, size: usize, slots: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let count = size / slots.max(1);
        self.fixed.iter().flat_map(move |piece| {
            // Each row of a table has its slots together.
            let most = match piece.source {
                Source::Table { columns, .. } => columns,
                Source::Shards | Source::Product { .. } => piece.end - piece.start,
            };
            (piece.start..piece.end).step_by(most).flat_map(move |start| {
                let len = most.min(piece.end - start);
                (0..slots).map(move |slot| (slots * start + slot * len, slot * count + start, len))
            })
        })
    }

    /// Room for any piece.
    pub(crate) fn scratch<T: Real>(&self, slots: usize, shards: usize) -> Scratch<T> {
        let columns = |piece: &Piece| match piece.source {
            Source::Table { columns, .. } => columns,
            Source::Shards | Source::Product { .. } => 0,
        };
        let columns = self.fixed.iter().map(columns).max().unwrap_or(0);
        Scratch { grads: Buffer::zeros(self.longest()), rows: Rows::new(columns, slots, shards) }
    }

    /// The pieces for the step that the shards have run.
    pub(crate) fn of_step<T: Real, Y>(&mut self, shards: &[Shard<T, Y>]) -> &[Piece] {
        let Self { fixed, stretched, tables } = self;
        if !*tables {
            return fixed;
        }
        stretched.clear();
        let mut work = 0;
        for &piece in &*fixed {
            match piece.source {
                Source::Table { .. } => work = piece.stretch(shards, work, stretched),
                Source::Shards | Source::Product { .. } => {
                    work += piece.end - piece.start;
                    stretched.push(Piece { work, ..piece });
                }
            }
        }
        stretched
    }
}

/// What one thread works in.
pub(crate) struct Scratch<T> {
    /// The gradient of a piece.
    grads: Buffer<T>,
    rows: Rows<T>,
}

/// Each piece is of one kind, or not a weight or bias of its own if the optimizer does not tell `kinds`.
fn cut<T: Real>(plan: &Plan, chain: &Chain<T>, sparse: bool, kinds: bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut end_of_matrix, length) = (0, length(plan, chain));
    let alike = |a: Kind, b: Kind| a == b || (!kinds && a.is_trained() && b.is_trained());
    for entry in plan.entries() {
        let Range { mut start, end } = entry.range;
        let kind = entry.kind;
        let is = |(_, range): &(usize, Range<usize>)| *range == entry.range;
        if let Some((link, _)) = chain.products().find(is).filter(|_| defers(plan)) {
            let columns = entry.shape[1];
            let rows = if link == 0 { rows_of_lead(columns) } else { rows(columns, length) };
            pieces.extend((0..entry.shape[0]).step_by(rows).map(|first_row| {
                let end = end.min(start + (first_row + rows) * columns);
                let source = Source::Product { link, first_row, columns };
                Piece { start: start + first_row * columns, end, kind, source, work: end }
            }));
            end_of_matrix = end;
            continue;
        }
        if let Some((link, _)) = chain.tables().find(is).filter(|_| sparse) {
            let source = Source::Table { link, first_row: 0, columns: entry.shape[1] };
            pieces.push(Piece { start, end, kind, source, work: end });
            end_of_matrix = end;
            continue;
        }
        while start < end {
            match pieces.last_mut() {
                Some(last)
                    if start > end_of_matrix && alike(last.kind, kind) && last.end - last.start < length =>
                {
                    last.end = end.min(last.start + length);
                    last.work = last.end;
                    start = last.end;
                }
                _ => {
                    let end = end.min(start + length);
                    pieces.push(Piece { start, end, kind, source: Source::Shards, work: end });
                    start = end;
                }
            }
        }
    }
    pieces
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
            let shared = shards.len() < self.shards.len();
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
                if kind == Kind::Buffer {
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

impl Piece {
    /// Asks for its parameters before they are updated; not for a table, of which a step updates few.
    fn ask(&self, ground: &mut Ground<'_, impl Real>) {
        if !matches!(self.source, Source::Table { .. }) {
            ground.ask(self.start..self.end);
        }
    }

    /// Cuts a table into stretches with about as many rows that the shards used, and adds these to `pieces` after a
    /// total of so much `work`; returns the new total.
    fn stretch<T: Real, Y>(self, shards: &[Shard<T, Y>], mut work: usize, pieces: &mut Vec<Piece>) -> usize {
        let Source::Table { link, columns, .. } = self.source else { return work };
        let lists = shards.iter().filter(|shard| !shard.is_empty()).map(|shard| shard.sparse_grad(link));
        // The rows of a batch are shuffled, so the longest list stands for the others.
        let Some(longest) = lists.clone().max_by_key(|list| list.len()) else { return work };
        let mut first_row = 0;
        for place in (0..longest.len()).step_by(TERMS) {
            let after = longest.id(place + TERMS).unwrap_or((self.end - self.start) / columns);
            if after == first_row {
                continue;
            }
            // A row that is somewhere in memory takes as long as two in a row.
            work += 2 * columns * TERMS * lists.clone().count();
            let (start, end) = (self.start + first_row * columns, self.start + after * columns);
            let source = Source::Table { link, first_row, columns };
            pieces.push(Piece { start, end, source, work, ..self });
            first_row = after;
        }
        work
    }
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
        plan.weight("a", [LONGEST, 2], (1, 1), &init).unwrap();
        plan.weight("b", [100], (1, 1), &init).unwrap();
        plan.bias("c", [10], (1, 1), &init).unwrap();
        plan.buffer("d", [5], 0.0).unwrap();
        let pieces = cut(&plan, &Chain::<f32>::default(), true, true);
        let lengths: Vec<_> = pieces.iter().map(|piece| (piece.end - piece.start, piece.kind)).collect();
        // 16 pieces and what is left, which begins on a line of the cache.
        let mut right = vec![(LONGEST / 8, Kind::Weight); 16];
        right.extend([(100, Kind::Weight), (10, Kind::Bias), (5, Kind::Buffer)]);
        assert_eq!(lengths, right);
        assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn files_have_the_state_in_the_order_of_the_parameters() {
        use chainrule_layers::{Embedding, Flatten};

        let layers = Sequential::new().then(Embedding::new(300, 8).sparse()).then(Flatten);
        let layers = layers.then(Dense::new(300)).then(Dense::new(70));
        let mut plan = Plan::new();
        let (_, chain) = layers.plan([5].into(), &mut plan).unwrap();
        for optimizer in [&chainrule_optim::adam(0.1) as &dyn Optimizer<f32>, &chainrule_optim::sgd(0.1)] {
            let (slots, pieces) = (optimizer.slots(), Pieces::new(&plan, &chain, optimizer));
            let size = slots * plan.size();
            let by_slot: Vec<f32> = (0..size).map(|place| place as f32).collect();
            let mut state = vec![f32::NAN; size];
            pieces.state_by_piece(&by_slot, &mut state, slots);
            assert_eq!(pieces.state_by_slot(&state, slots), by_slot);
            if slots == 2 {
                assert!(pieces.tables);
                // The second row of the table, then the first piece behind the table.
                assert_eq!(state[16..18], [8.0, 9.0]);
                assert_eq!(state[24..26], [(plan.size() + 8) as f32, (plan.size() + 9) as f32]);
                let Piece { start, end, .. } = pieces.fixed[1];
                assert_eq!(state[2 * start], start as f32);
                assert_eq!(state[start + end], (plan.size() + start) as f32);
            }
        }
    }

    #[test]
    fn products_are_cut_into_whole_rows() {
        let inner = Residual(Sequential::new().then(Dense::new(300)));
        let layers = Sequential::new().then(Dense::new(300)).then(inner).then(Dense::new(2 * LONGEST));
        let mut plan = Plan::new();
        let (_, chain) = layers.plan([100].into(), &mut plan).unwrap();
        let pieces = cut(&plan, &chain, true, true);
        assert_eq!((pieces[0].start, pieces[pieces.len() - 1].end), (0, plan.size()));
        assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
        for piece in &pieces {
            match piece.source {
                Source::Product { link: 0, first_row, columns: 300 } => {
                    assert_eq!(piece.start, 300 * first_row);
                    assert_eq!((piece.end - piece.start) % 300, 0);
                }
                Source::Product { link, columns, .. } => {
                    assert_eq!((link, columns), (2, 2 * LONGEST));
                    assert_eq!(piece.end - piece.start, LONGEST_OF_ROWS);
                }
                // What is inside another layer has gradients of its own.
                Source::Shards => assert!(piece.end - piece.start <= LONGEST),
                Source::Table { .. } => panic!("there is no table"),
            }
        }
    }
}
