//! How the flat parameters are cut for the descent.
//!
//! A piece is of one kind, and small enough that it stays in a core's cache with its gradient and its state while the
//! gradient is made and the optimizer runs over it. The pieces do not depend on the number of threads, which take them in
//! contiguous groups.
//!
//! Of a table (see `Plan::table`) only the rows that some shard used are looked at. The shards have sorted lists of
//! them, and the table is cut anew for each step, into stretches with about as many of these rows.

use std::ops::Range;

use chainrule_core::{ParamKind, Plan, SequentialCache};
use chainrule_optim::Optimizer;
use chainrule_tensor::Real;

use crate::rows::Ground;
use crate::shard::Shard;

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
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: ParamKind,
    pub(crate) source: Source,
    /// The work of all pieces up to this one, in parameters to be updated.
    pub(crate) work: usize,
}

/// Where the gradient of a piece comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
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
    !optimizer.needs_all_gradients()
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
fn length(plan: &Plan, chain: &SequentialCache<impl Real>) -> usize {
    if !defers(plan) {
        // Nothing to share: a fork would take longer.
        return LONGEST;
    }
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
    pub(crate) fn new<T: Real>(
        plan: &Plan,
        chain: &SequentialCache<T>,
        optimizer: &dyn Optimizer<T>,
    ) -> Self {
        let (sparse, kinds) = (sparse(optimizer), optimizer.uses_kind());
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

    /// How many columns the widest table has.
    pub(crate) fn widest(&self) -> usize {
        let columns = |piece: &Piece| match piece.source {
            Source::Table { columns, .. } => columns,
            Source::Shards | Source::Product { .. } => 0,
        };
        self.fixed.iter().map(columns).max().unwrap_or(0)
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

/// Each piece is of one kind, or not a weight or bias of its own if the optimizer does not tell `kinds`.
fn cut<T: Real>(plan: &Plan, chain: &SequentialCache<T>, sparse: bool, kinds: bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut end_of_matrix, length) = (0, length(plan, chain));
    let alike = |a: ParamKind, b: ParamKind| a == b || (!kinds && a.is_trained() && b.is_trained());
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

impl Piece {
    /// Asks for its parameters before they are updated; not for a table, of which a step updates few.
    pub(crate) fn ask(&self, ground: &mut Ground<'_, impl Real>) {
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

    use chainrule_core::{Layer, Residual, Sequential};
    use chainrule_layers::Dense;

    #[test]
    fn pieces_cover_everything_once() {
        let mut plan = Plan::new();
        let init = Arc::new(chainrule_core::Constant(0.0)) as _;
        plan.weight("a", [LONGEST, 2], (1, 1), &init).unwrap();
        plan.weight("b", [100], (1, 1), &init).unwrap();
        plan.bias("c", [10], (1, 1), &init).unwrap();
        plan.buffer("d", [5], 0.0).unwrap();
        let pieces = cut(&plan, &SequentialCache::<f32>::default(), true, true);
        let lengths: Vec<_> = pieces.iter().map(|piece| (piece.end - piece.start, piece.kind)).collect();
        // 16 pieces and what is left, which begins on a line of the cache.
        let mut right = vec![(LONGEST / 8, ParamKind::Weight); 16];
        right.extend([(100, ParamKind::Weight), (10, ParamKind::Bias), (5, ParamKind::Buffer)]);
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
