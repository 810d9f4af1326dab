//! How the flat parameters are cut into buckets for the update.
//!
//! A bucket holds parameters of one kind, and few enough that they stay in a core's cache together with their gradient and
//! optimizer state while the gradient is summed and the optimizer runs over it. Buckets do not depend on the number of
//! threads, which take contiguous groups of them.
//!
//! Of a table (see `Plan::table`) only the rows that some shard used are read or written. The shards have sorted lists of
//! them, and for each step the table is cut anew, into buckets with about equally many of these rows.

#[cfg(test)]
mod tests;

use std::ops::Range;

use chainrule_core::{ParamEntry, ParamKind, Plan, SequentialCache, SparseGrad};
use chainrule_optim::{Layout, Parameter, Part, Step, Update, UpdateRule};
use chainrule_tensor::{Real, vector};

/// The maximum number of parameters of a bucket, unless its rows are long: with their gradient and two slots of state,
/// 128 kB of `f32`.
pub(crate) const MAX_LEN: usize = 8_192;

/// Into how many buckets the parameters after a split weight are cut, so that threads find equal shares of them ...
const SHARES: usize = 16;

/// ... if a bucket then has at least this many parameters.
const MIN_LEN: usize = MAX_LEN / 8;

/// The minimum number of rows of a wide weight in a bucket, since dZ is read once for all of them (with 4 rows of 2,048, a
/// step of a network of that width took a tenth longer) ...
const MIN_ROWS: usize = 16;

/// ... as long as these have no more parameters than this.
const MAX_LEN_OF_ROWS: usize = 8 * MAX_LEN;

/// How many terms of the longest list a bucket of a table has.
const TERMS: usize = 64;

/// In how many messages parameters travel, about, so that the members work at the same time on different ones ...
const MESSAGES: usize = 16;

/// ... as long as a message has so many of them: enough that it takes longer to send than to begin, and not more than a cache holds.
const MESSAGE_LEN: [usize; 2] = [1 << 14, 1 << 16];

/// A range of the flat parameters, of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: ParamKind,
    pub(crate) source: GradSource,
    /// The index of the parameter, if the optimizer uses it: then the bucket belongs to one.
    pub(crate) parameter: Option<usize>,
    /// Where the optimizer's state for it begins.
    pub(crate) state: usize,
    /// The cost of all buckets up to and including this one, in parameters to update.
    pub(crate) cost: usize,
}

/// Where the gradient of a bucket comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GradSource {
    /// The shards' own gradients.
    Shards,
    /// The bucket is rows of the weight of a stage, whose gradient is `xᵀ dy`.
    Product { stage: usize, first_row: usize, columns: usize },
    /// The bucket is rows of the table of a stage.
    Table { stage: usize, first_row: usize, columns: usize },
}

/// Whether gradients that are products are computed bucket by bucket. Where there are few parameters, that gains nothing.
pub(crate) fn defers(plan: &Plan) -> bool {
    plan.size() > MAX_LEN
}

/// Whether the gradients of tables are lists: an optimizer that needs all gradients at once needs them whole.
pub(crate) fn sparse<T: Real>(optimizer: &dyn UpdateRule<T>) -> bool {
    !optimizer.needs_all_gradients()
}

/// How many rows, of this many columns, make a bucket of at least `len` parameters.
fn rows(columns: usize, len: usize) -> usize {
    let few = (MAX_LEN_OF_ROWS / columns).clamp(1, MIN_ROWS);
    few.max(len / columns)
}

/// How many rows of the first layer's weight, which may be split, make a bucket.
pub(crate) fn rows_of_first(columns: usize) -> usize {
    rows(columns, MAX_LEN)
}

/// The number of parameters of a bucket after the first weight. It is a multiple of the cache line, so that buckets begin on
/// one where the parameter does.
fn bucket_len(plan: &Plan, cache: &SequentialCache<impl Real>) -> usize {
    if !defers(plan) {
        // So few are not shared among threads: a fork would take longer.
        return MAX_LEN;
    }
    let first = cache.lead().map_or(0, |weight| weight.len());
    let shares = (plan.size() - first) / (SHARES * MIN_LEN);
    MIN_LEN * shares.clamp(1, MAX_LEN / MIN_LEN)
}

/// The parameters of a plan, cut into buckets.
pub(crate) struct Buckets {
    /// Those for the sum of the gradients, with each table whole.
    fixed: Vec<Bucket>,
    /// Those for the update, if they are not the same: a bucket for each parameter.
    whole: Option<Vec<Bucket>>,
    /// The buckets for the update, as optimizers see them.
    parts: Vec<Part>,
    /// All parameters.
    parameters: Vec<Parameter>,
    /// The number of slots of the optimizer's state.
    slots: usize,
    /// The number of values of the optimizer's state for each parameter as a whole.
    extra: Vec<usize>,
    /// The largest number of values that the update of a parameter computes in.
    scratch: usize,
    /// With each table cut for one step; unused where there is no table.
    of_step: Vec<Bucket>,
    tables: bool,
    /// Whether the gradients of tables are lists.
    sparse: bool,
    /// The ranges of the parameters whose gradient the shards have themselves, those of frozen parameters left out.
    of_shards: Vec<Range<usize>>,
    /// The same, where the shards have those of products too.
    with_products: Vec<Range<usize>>,
}

impl Buckets {
    /// Cuts the parameters of a plan for an optimizer. The gradients of tables are lists if this is `sparse`.
    ///
    /// The optimizer's state is stored bucket by bucket, so buckets depend on nothing that can change during a training.
    pub(crate) fn new<T: Real>(
        plan: &Plan,
        cache: &SequentialCache<T>,
        optimizer: &dyn UpdateRule<T>,
        sparse: bool,
    ) -> Self {
        let tables = sparse && cache.tables().next().is_some();
        let slots = optimizer.slots();
        let mut fixed = cut(plan, cache, sparse, Sharing::of(optimizer));
        fixed.iter_mut().for_each(|bucket| bucket.state = slots.saturating_mul(bucket.start));
        let entries = plan.entries().iter();
        let parameters: Vec<Parameter> = entries
            .map(|entry| {
                let is_product = cache.products().any(|(_, range)| range == entry.range);
                let product = is_product && entry.kind.is_trained();
                Parameter { name: entry.name.clone(), shape: entry.shape, kind: entry.kind, product }
            })
            .collect();
        let whole = optimizer.needs_whole_parameters();
        let of_parameters = |work: &dyn Fn(&Parameter) -> usize| {
            let work = |parameter| if whole { work(parameter) } else { 0 };
            parameters.iter().map(work).collect::<Vec<_>>()
        };
        let extra = of_parameters(&|parameter| optimizer.extra(parameter));
        let scratch = of_parameters(&|parameter| optimizer.scratch(parameter));
        let scratch = scratch.into_iter().max().unwrap_or(0);
        let whole = whole.then(|| whole_parameters(plan, slots, &extra));
        let updated = whole.as_ref().unwrap_or(&fixed).iter();
        let parts = updated.map(Bucket::part).collect();
        let of_shards = unfrozen(&fixed, |source| source == GradSource::Shards);
        let with_products = unfrozen(&fixed, |source| !matches!(source, GradSource::Table { .. }));
        let of_step = Vec::new();
        Self {
            fixed,
            whole,
            parts,
            parameters,
            slots,
            extra,
            scratch,
            of_step,
            tables,
            sparse,
            of_shards,
            with_products,
        }
    }

    /// The ranges of the parameters whose gradient the shards have themselves, those of frozen parameters left out; those of products
    /// included where these are not `deferred`.
    pub(crate) fn of_shards(&self, deferred: bool) -> &[Range<usize>] {
        if deferred { &self.of_shards } else { &self.with_products }
    }

    /// Whether the gradients of tables are lists.
    pub(crate) fn sparse(&self) -> bool {
        self.sparse
    }

    /// How many parameters travel together between the members of a group, about.
    pub(crate) fn run_len(&self) -> usize {
        let [least, most] = MESSAGE_LEN;
        (self.len() / MESSAGES).clamp(least, most)
    }

    /// Whether there are tables whose gradients are lists.
    pub(crate) fn has_lists(&self) -> bool {
        self.tables
    }

    /// The buckets for the sum of the gradients, with each table whole.
    pub(crate) fn fixed(&self) -> &[Bucket] {
        &self.fixed
    }

    /// The buckets for the update.
    pub(crate) fn updated(&self) -> &[Bucket] {
        self.whole.as_ref().unwrap_or(&self.fixed)
    }

    /// The buckets for the update if each is a whole parameter.
    pub(crate) fn whole(&self) -> Option<&[Bucket]> {
        self.whole.as_deref()
    }

    /// The parameters and where their state is, for the optimizer.
    pub(crate) fn layout(&self) -> Layout<'_> {
        Layout { parameters: &self.parameters, parts: &self.parts }
    }

    /// All parameters.
    pub(crate) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The number of values that the optimizer keeps for all parameters.
    pub(crate) fn state_len(&self) -> usize {
        let slots = self.fixed.last().map_or(0, |last| last.end).saturating_mul(self.slots);
        self.extra.iter().fold(slots, |sum, &extra| sum.saturating_add(extra))
    }

    /// The number of values that the update of any parameter computes in.
    pub(crate) fn scratch(&self) -> usize {
        self.scratch
    }

    /// The range of a bucket in the optimizer's state.
    fn state_of(&self, bucket: &Bucket) -> Range<usize> {
        let extra = match (&self.whole, bucket.parameter) {
            (Some(_), Some(parameter)) => self.extra[parameter],
            _ => 0,
        };
        bucket.state..bucket.state + self.slots * (bucket.end - bucket.start) + extra
    }

    /// The ranges of all buckets for the update that are no table, in the parameters and in the optimizer's state.
    pub(crate) fn without_tables(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let buckets = self.updated().iter();
        let buckets = buckets.filter(|bucket| !matches!(bucket.source, GradSource::Table { .. }));
        buckets.map(|bucket| (bucket.start..bucket.end, self.state_of(bucket)))
    }

    /// Writes the largest absolute value of each slot of the optimizer's state for contiguous `buckets`, such as all that are
    /// [updated](Self::updated).
    pub(crate) fn largest_by_slot<T: Real>(&self, buckets: &[Bucket], state: &[T], largest: &mut [f64]) {
        let params = self.len();
        let first = first_state(buckets);
        largest.fill(0.0);
        for StateRun { in_bucket, in_slot, len } in self.slot_runs(buckets) {
            let slot = &mut largest[in_slot / params];
            let values = &state[in_bucket - first..][..len];
            *slot = vector::larger_or_nan(*slot, vector::largest(values).as_f64());
        }
    }

    /// The number of parameters of the longest bucket that is no table.
    pub(crate) fn longest(&self) -> usize {
        let len = |bucket: &Bucket| match bucket.source {
            GradSource::Table { .. } => 0,
            GradSource::Shards | GradSource::Product { .. } => bucket.end - bucket.start,
        };
        self.fixed.iter().map(len).max().unwrap_or(0)
    }

    /// The number of columns of the widest table.
    pub(crate) fn widest_table(&self) -> usize {
        let columns = |bucket: &Bucket| match bucket.source {
            GradSource::Table { columns, .. } => columns,
            GradSource::Shards | GradSource::Product { .. } => 0,
        };
        self.fixed.iter().map(columns).max().unwrap_or(0)
    }

    /// Calls `work` for the parameters of contiguous `buckets` that are trained, with the state of these buckets and without gradients.
    pub(crate) fn for_each<T: Real>(
        &self,
        buckets: &[Bucket],
        (step, numbers): (Step, &[f64]),
        params: &mut [T],
        state: &mut [T],
        mut work: impl FnMut(Update<'_, T>),
    ) {
        let first = first_state(buckets);
        for bucket in buckets.iter().filter(|bucket| bucket.kind.is_trained()) {
            let parameter = bucket.parameter.map(|index| &self.parameters[index]);
            // Each row of a table has its slots together.
            let len = match bucket.source {
                GradSource::Table { columns, .. } => columns,
                GradSource::Shards | GradSource::Product { .. } => bucket.end - bucket.start,
            };
            let Range { start, end } = self.state_of(bucket);
            let of_bucket = &mut state[start - first..end - first];
            let (slots, extra) = of_bucket.split_at_mut(self.slots * (bucket.end - bucket.start));
            let params = params[bucket.start..bucket.end].chunks_mut(len.max(1));
            let mut slots = slots.chunks_mut((self.slots * len).max(1));
            for params in params {
                let slots = slots.next().unwrap_or_default();
                let pass = Update::new(step, bucket.kind, params, &mut [], slots);
                work(Update { parameter, extra: &mut *extra, numbers, ..pass });
            }
        }
    }

    /// The number of parameters.
    fn len(&self) -> usize {
        self.fixed.last().map_or(0, |last| last.end)
    }

    /// Copies the optimizer's state, stored bucket by bucket, to the order that files have: slot by slot, each in the order
    /// of the parameters, then the state of whole parameters. So the cut may change from one version to the next.
    pub(crate) fn state_by_slot<T: Real>(&self, state: &[T]) -> Vec<T> {
        let mut by_slot = vec![T::zero(); state.len()];
        for StateRun { in_bucket, in_slot, len } in self.state_runs() {
            by_slot[in_slot..in_slot + len].copy_from_slice(&state[in_bucket..in_bucket + len]);
        }
        by_slot
    }

    /// The reverse of [`state_by_slot`](Self::state_by_slot).
    pub(crate) fn state_by_bucket<T: Real>(&self, by_slot: &[T], state: &mut [T]) {
        for StateRun { in_bucket, in_slot, len } in self.state_runs() {
            state[in_bucket..in_bucket + len].copy_from_slice(&by_slot[in_slot..in_slot + len]);
        }
    }

    /// Copies the state of contiguous buckets, as bytes, to its places among the bytes of all, slot by slot.
    pub(crate) fn bytes_by_slot<T: Real>(
        &self,
        buckets: &[Bucket],
        of_buckets: &[u8],
        all: &mut [u8],
    ) -> Option<()> {
        let first = first_state(buckets);
        for StateRun { in_bucket, in_slot, len } in self.slot_runs(buckets) {
            let [start, to, len] = [in_bucket - first, in_slot, len].map(|values| values * size_of::<T>());
            all.get_mut(to..to + len)?.copy_from_slice(of_buckets.get(start..start + len)?);
        }
        Some(())
    }

    /// The runs of the slots of the state of some buckets that both orders keep together.
    fn slot_runs<'a>(&self, buckets: &'a [Bucket]) -> impl Iterator<Item = StateRun> + use<'a> {
        let params = self.len();
        let slots = self.slots;
        buckets.iter().flat_map(move |bucket| {
            // Each row of a table has its slots together.
            let max_len = match bucket.source {
                GradSource::Table { columns, .. } => columns,
                GradSource::Shards | GradSource::Product { .. } => bucket.end - bucket.start,
            };
            (bucket.start..bucket.end).step_by(max_len.max(1)).flat_map(move |start| {
                let len = max_len.min(bucket.end - start);
                (0..slots).map(move |slot| StateRun {
                    in_bucket: bucket.state + slots * (start - bucket.start) + slot * len,
                    in_slot: slot * params + start,
                    len,
                })
            })
        })
    }

    /// The runs of the state that both orders keep together.
    fn state_runs(&self) -> impl Iterator<Item = StateRun> {
        let mut in_slot = self.slots * self.len();
        let extra = self.whole().into_iter().flatten().map(move |bucket| {
            let slots = self.slots * (bucket.end - bucket.start);
            let Range { start, end } = self.state_of(bucket);
            let run = StateRun { in_bucket: start + slots, in_slot, len: end - start - slots };
            in_slot += run.len;
            run
        });
        self.slot_runs(self.updated()).chain(extra)
    }

    /// The buckets for the sum of the gradients in this step; where sum and update are one, those for both.
    pub(crate) fn of_step(&self) -> &[Bucket] {
        if self.tables { &self.of_step } else { &self.fixed }
    }

    /// Cuts the tables for a step, given the `lists` of a stage's table: one for each shard that is not empty.
    pub(crate) fn cut_tables<'a, T: Real, I>(&mut self, lists: impl Fn(usize) -> I)
    where
        I: Iterator<Item = &'a SparseGrad<T>> + Clone,
    {
        let Self { fixed, of_step, tables, slots, .. } = self;
        if !*tables {
            return;
        }
        of_step.clear();
        let mut cost = 0;
        for &bucket in &*fixed {
            match bucket.source {
                GradSource::Table { stage, columns, .. } => {
                    // So that a batch with more terms than those before allocates nothing.
                    let most = lists(stage).map(SparseGrad::capacity).max().unwrap_or(0);
                    of_step.reserve(fixed.len() + most.div_ceil(TERMS));
                    cost = bucket.cut_table(stage, columns, lists(stage), *slots, cost, of_step);
                }
                GradSource::Shards | GradSource::Product { .. } => {
                    cost += bucket.end - bucket.start;
                    of_step.push(Bucket { cost, ..bucket });
                }
            }
        }
    }
}

/// The parameters of contiguous buckets.
pub(crate) fn range_of(buckets: &[Bucket]) -> Range<usize> {
    match buckets {
        [] => 0..0,
        [only] => only.start..only.end,
        [first, .., last] => first.start..last.end,
    }
}

/// Runs of buckets that travel together, of `len` parameters or a single bucket; none contains a table.
pub(crate) fn runs(buckets: &[Bucket], len: usize) -> impl Iterator<Item = &[Bucket]> {
    let is_table = |bucket: &Bucket| matches!(bucket.source, GradSource::Table { .. });
    buckets.split(move |bucket| is_table(bucket)).flat_map(move |mut rest| {
        std::iter::from_fn(move || {
            let start = rest.first()?.start;
            let within = rest.iter().take_while(|bucket| bucket.end - start <= len).count();
            let (run, others) = rest.split_at(within.max(1));
            rest = others;
            Some(run)
        })
    })
}

/// Where the state of contiguous buckets begins in that of all.
fn first_state(buckets: &[Bucket]) -> usize {
    buckets.first().map_or(0, |bucket| bucket.state)
}

/// Values of the optimizer's state that are stored next to each other both by bucket and by slot.
struct StateRun {
    /// Where they begin in the state by bucket.
    in_bucket: usize,
    /// Where they begin in the state by slot.
    in_slot: usize,
    len: usize,
}

/// Which parameters may be in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// All that are trained.
    Trained,
    /// Those of one kind.
    Kind,
    /// None.
    Nothing,
}

impl Sharing {
    /// What an optimizer allows.
    fn of<T: Real>(optimizer: &dyn UpdateRule<T>) -> Self {
        if optimizer.uses_parameter() {
            Self::Nothing
        } else if optimizer.uses_kind() {
            Self::Kind
        } else {
            Self::Trained
        }
    }
}

/// The ranges of the buckets from some sources, without those of frozen parameters.
fn unfrozen(buckets: &[Bucket], is_of: impl Fn(GradSource) -> bool) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for &Bucket { start, end, .. } in
        buckets.iter().filter(|bucket| is_of(bucket.source) && bucket.kind != ParamKind::Frozen)
    {
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

/// The buckets of a plan.
fn cut<T: Real>(plan: &Plan, cache: &SequentialCache<T>, sparse: bool, sharing: Sharing) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut end_of_matrix = 0;
    let len = bucket_len(plan, cache);
    let alike = |a: ParamKind, b: ParamKind| match sharing {
        Sharing::Nothing => false,
        Sharing::Kind => a == b,
        Sharing::Trained => a == b || (a.is_trained() && b.is_trained()),
    };
    for (index, entry) in plan.entries().iter().enumerate() {
        let Range { mut start, end } = entry.range;
        let kind = entry.kind;
        let parameter = (sharing == Sharing::Nothing).then_some(index);
        let bucket = |range: Range<usize>, source| {
            let Range { start, end } = range;
            Bucket { start, end, kind, source, parameter, state: 0, cost: end }
        };
        let is_entry = |(_, range): &(usize, Range<usize>)| *range == entry.range;
        // What is a product and a table is a table where gradients of tables are lists.
        let table = if sparse { cache.tables().find(is_entry) } else { None };
        let product = if defers(plan) && table.is_none() { cache.products().find(is_entry) } else { None };
        if let Some((stage, _)) = product {
            let columns = entry.shape[1];
            let rows = if stage == 0 { rows_of_first(columns) } else { rows(columns, len) };
            buckets.extend((0..entry.shape[0]).step_by(rows).map(|first_row| {
                let end = end.min(start + (first_row + rows) * columns);
                let source = GradSource::Product { stage, first_row, columns };
                bucket(start + first_row * columns..end, source)
            }));
            end_of_matrix = end;
            continue;
        }
        if let Some((stage, _)) = table {
            let source = GradSource::Table { stage, first_row: 0, columns: entry.shape[1] };
            buckets.push(bucket(start..end, source));
            end_of_matrix = end;
            continue;
        }
        while start < end {
            match buckets.last_mut() {
                Some(last)
                    if start > end_of_matrix && alike(last.kind, kind) && last.end - last.start < len =>
                {
                    last.end = end.min(last.start + len);
                    last.cost = last.end;
                    start = last.end;
                }
                _ => {
                    let end = end.min(start + len);
                    buckets.push(bucket(start..end, GradSource::Shards));
                    start = end;
                }
            }
        }
    }
    buckets
}

/// A bucket for each parameter, for optimizers that need them whole. They are updated only: their sums are computed in others.
fn whole_parameters(plan: &Plan, slots: usize, extra: &[usize]) -> Vec<Bucket> {
    let mut state = 0;
    let bucket = |(index, (entry, extra)): (usize, (&ParamEntry, &usize))| {
        let Range { start, end } = entry.range;
        let first = state;
        // More than there is memory for is refused when it is allocated.
        state = slots.saturating_mul(end - start).saturating_add(*extra).saturating_add(state);
        let source = GradSource::Shards;
        Bucket { start, end, kind: entry.kind, source, parameter: Some(index), state: first, cost: end }
    };
    plan.entries().iter().zip(extra).enumerate().map(bucket).collect()
}

impl Bucket {
    /// As optimizers see it.
    fn part(&self) -> Part {
        let &Self { start, end, kind, parameter, state, .. } = self;
        Part { range: start..end, kind, parameter, state }
    }

    /// Cuts a table of a stage into buckets with about equally many rows that the shards used, and appends these to
    /// `buckets`; `cost` is that of all buckets before it, and of all so far when it returns.
    fn cut_table<'a, T: Real>(
        self,
        stage: usize,
        columns: usize,
        lists: impl Iterator<Item = &'a SparseGrad<T>> + Clone,
        slots: usize,
        mut cost: usize,
        buckets: &mut Vec<Bucket>,
    ) -> usize {
        // The rows of a batch are shuffled, so the longest list represents the others.
        let Some(longest) = lists.clone().max_by_key(|list| list.len()) else { return cost };
        let count = lists.count();
        let mut first_row = 0;
        for term in (0..longest.len()).step_by(TERMS) {
            let next_row = longest.id(term + TERMS).unwrap_or((self.end - self.start) / columns);
            if next_row == first_row {
                continue;
            }
            // A row somewhere in memory takes as long as two contiguous ones.
            cost += 2 * columns * TERMS * count;
            let start = self.start + first_row * columns;
            let end = self.start + next_row * columns;
            let source = GradSource::Table { stage, first_row, columns };
            let state = self.state + (start - self.start) * slots;
            buckets.push(Bucket { start, end, source, state, cost, ..self });
            first_row = next_row;
        }
        cost
    }
}
