//! The shards of a batch as a group that sums over the batch in the middle of its passes.
//!
//! Each shard writes its values to a place of its own, waits until all have, and adds up all of them, in the order of the
//! shards. So each has the same sums, whichever threads there are. Two places for each shard, used in turn, make one wait for
//! each sum enough: who writes the next but one values knows that all have read these.
//!
//! All shards of a batch have to be under way at once, each on a thread of its own. Where the trainer may use fewer threads than
//! there are shards, as many shards run as it may use threads, and while one waits for the others another one runs.
//!
//! Where several processes share the shards, the last shard of a process that has written its values sends all of this process to the others,
//! and writes theirs to the places of their shards.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use chainrule_core::batch_group::BatchGroup;

use super::members::{Kind, Members};
use super::pass::rows_of_shard;
use crate::group::GroupError;
use crate::numbers;

/// How many times a waiting shard looks for the others before it yields its core.
const SPINS: u32 = 10_000;

/// How many times one that waits for its turn yields its core before it sleeps.
const YIELDS: u32 = 1000;

/// To have a core back later than this, another program must have had it.
const LONG: Duration = Duration::from_millis(1);

/// For how many batches a shard that waits sleeps at once, after another program had the core.
const PATIENCE: u32 = 20;

/// What the shards of a trainer share.
#[derive(Debug)]
struct Exchange {
    /// For each shard, the two places for its values.
    places: Vec<[RwLock<Vec<f64>>; 2]>,
    /// The number of rows of the batch.
    rows: AtomicUsize,
    /// The number of shards that have rows.
    size: AtomicUsize,
    /// The number of those that are in this process.
    local_size: AtomicUsize,
    /// How many values have been written by shards of this process, in all rounds of the batch.
    written: AtomicUsize,
    /// The processes that share the shards, if there are several.
    members: Option<Arc<Members>>,
    /// In how many rounds the values of the other processes have been written.
    arrived: AtomicUsize,
    /// Why these are not available.
    error: Mutex<Option<GroupError>>,
    /// Whether a shard has ended its pass.
    ended: AtomicBool,
    /// Whether the sums are of no use any more, since a shard has failed or does not take part.
    broken: AtomicBool,
    turns: Turns,
}

/// Which of the shards may run, where there are fewer threads than shards.
#[derive(Debug)]
struct Turns {
    /// Whether each shard has a thread, so that all may run.
    all: bool,
    /// How many more may run.
    free: Mutex<usize>,
    changed: Condvar,
    /// For how many more batches those that wait do not yield but sleep.
    patience: AtomicU32,
}

impl Turns {
    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this is true and a shard may run.
    fn take(&self, ready: impl Fn() -> bool) {
        // To wake a thread that sleeps takes longer than most waits. But to a program that is busy, a core is given for milliseconds.
        let yields = if self.patience.load(Ordering::Relaxed) == 0 { YIELDS } else { 0 };
        for _ in 0..yields {
            let mut free = self.free();
            if *free > 0 && ready() {
                *free -= 1;
                return;
            }
            // Then no other shard waits for a core.
            let is_turn_free = *free > 0;
            drop(free);
            let begun = Instant::now();
            thread::yield_now();
            if is_turn_free && begun.elapsed() > LONG {
                self.patience.store(PATIENCE, Ordering::Relaxed);
                break;
            }
        }
        let blocked = |free: &mut usize| *free == 0 || !ready();
        let free = self.changed.wait_while(self.free(), blocked);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
    }

    /// Lets another shard run. What the caller has changed for others is seen by them.
    fn give(&self) {
        *self.free() += 1;
        self.changed.notify_all();
    }
}

/// The members of a group of shards.
#[derive(Debug)]
pub(crate) struct Exchanges {
    shared: Arc<Exchange>,
    members: Vec<Arc<Member>>,
}

impl Exchanges {
    /// For this number of shards, of which `threads` may run at once; those of this process alone where others share them.
    pub(crate) fn new(shards: usize, threads: usize, members: Option<Arc<Members>>) -> Self {
        let local = members.as_ref().map_or(shards, |members| members.own().len());
        let shared = Arc::new(Exchange {
            places: (0..shards).map(|_| Default::default()).collect(),
            rows: AtomicUsize::new(0),
            size: AtomicUsize::new(0),
            local_size: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            members,
            arrived: AtomicUsize::new(0),
            error: Mutex::default(),
            ended: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            turns: Turns {
                all: threads >= local,
                free: Mutex::new(threads),
                changed: Condvar::new(),
                patience: AtomicU32::new(0),
            },
        });
        let member =
            |index| Arc::new(Member { shared: Arc::clone(&shared), index, round: AtomicUsize::new(0) });
        let members = (0..shards).map(member).collect();
        Self { shared, members }
    }

    /// The number of shards of this process.
    pub(crate) fn len(&self) -> usize {
        self.shared.local().len()
    }

    /// Begins a batch of this number of rows.
    pub(crate) fn begin(&self, rows: usize) {
        let shared = &*self.shared;
        shared.rows.store(rows, Ordering::Relaxed);
        shared.size.store(rows.min(self.members.len()), Ordering::Relaxed);
        let local_size = shared.local().filter(|&shard| shared.has_rows(shard)).count();
        shared.local_size.store(local_size, Ordering::Relaxed);
        shared.written.store(0, Ordering::Relaxed);
        shared.arrived.store(0, Ordering::Relaxed);
        shared.ended.store(false, Ordering::Relaxed);
        shared.broken.store(false, Ordering::Relaxed);
        let patience = shared.turns.patience.load(Ordering::Relaxed);
        shared.turns.patience.store(patience.saturating_sub(1), Ordering::Relaxed);
        self.members.iter().for_each(|member| member.round.store(0, Ordering::Relaxed));
    }

    /// Lets a shard that has rows take part, when its turn comes.
    pub(crate) fn join(&self, shard: usize) -> Turn {
        let member = Arc::clone(&self.members[shard]);
        if !member.shared.turns.all {
            member.shared.turns.take(|| true);
        }
        Turn { member, passed: false }
    }

    /// Why the values of other processes are not available, if that is so.
    pub(crate) fn take_error(&self) -> Option<GroupError> {
        self.shared.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether some sums were of no use, since not all shards took part in them.
    pub(crate) fn is_broken(&self) -> bool {
        self.shared.broken.load(Ordering::Relaxed)
    }
}

/// The part that a shard takes in a batch, until this is dropped. If it is dropped before the pass has ended, as when it fails
/// or panics, the others do not wait for it.
pub(crate) struct Turn {
    member: Arc<Member>,
    passed: bool,
}

impl Turn {
    /// The member for [`batch_group::enter`](chainrule_core::batch_group::enter).
    pub(crate) fn member(&self) -> Arc<dyn BatchGroup> {
        Arc::clone(&self.member) as _
    }

    /// The pass has ended.
    pub(crate) fn end(mut self) {
        self.passed = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let shared = &*self.member.shared;
        shared.ended.store(true, Ordering::Release);
        if !self.passed {
            shared.broken.store(true, Ordering::Release);
        }
        if !shared.turns.all {
            shared.turns.give();
        }
    }
}

/// One shard.
#[derive(Debug)]
struct Member {
    shared: Arc<Exchange>,
    index: usize,
    /// The number of sums in this batch.
    round: AtomicUsize,
}

impl Exchange {
    fn has_rows(&self, shard: usize) -> bool {
        !rows_of_shard(self.rows.load(Ordering::Relaxed), shard, self.places.len()).is_empty()
    }

    /// The shards of this process.
    fn local(&self) -> Range<usize> {
        self.members.as_ref().map_or(0..self.places.len(), |members| members.own())
    }

    /// Whether all values of so many rounds have been written, or never will be.
    fn is_over(&self, rounds: usize) -> bool {
        let target = rounds * self.local_size.load(Ordering::Relaxed);
        let written = |order| self.written.load(order) >= target;
        if self.broken.load(Ordering::Acquire) {
            return true;
        }
        if written(Ordering::Acquire) {
            return self.members.is_none() || self.arrived.load(Ordering::Acquire) >= rounds;
        }
        // A shard that has ended its pass writes no more: it has written all that it ever will before it ended.
        let missed = self.ended.load(Ordering::Acquire) && !written(Ordering::Acquire);
        if missed {
            self.broken.store(true, Ordering::Release);
        }
        missed
    }

    fn wait(&self, rounds: usize) {
        if !self.turns.all {
            self.turns.give();
            return self.turns.take(|| self.is_over(rounds));
        }
        let mut looks = 0;
        while !self.is_over(rounds) {
            looks += 1;
            if looks < SPINS {
                std::hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }
}

impl Exchange {
    /// Sends the values of this process to all others that have rows, and writes theirs, of which each shard has `len`.
    fn exchange_with(&self, members: &Members, round: usize, len: usize) -> Result<(), GroupError> {
        let rows = self.rows.load(Ordering::Relaxed);
        let others: Vec<usize> = members.others().filter(|&rank| members.has_rows(rank, rows)).collect();
        members.send(&others, Kind::LayerSums, |message| {
            for shard in self.local().filter(|&shard| self.has_rows(shard)) {
                let own = self.places[shard][round % 2].read().unwrap_or_else(PoisonError::into_inner);
                numbers::append(&own, message);
            }
        })?;
        for rank in others {
            members.receive(rank, Kind::LayerSums, |message| {
                let mut rest = message;
                for shard in members.shards_of(rank).filter(|&shard| self.has_rows(shard)) {
                    let (values, others) = rest.split_at_checked(len * size_of::<f64>())?;
                    rest = others;
                    let place = &self.places[shard][round % 2];
                    let mut place = place.write().unwrap_or_else(PoisonError::into_inner);
                    place.resize(len, 0.0);
                    numbers::numbers(values, &mut place)?;
                }
                rest.is_empty().then_some(())
            })?;
        }
        Ok(())
    }
}

impl BatchGroup for Member {
    fn rank(&self) -> usize {
        (0..self.index).filter(|&shard| self.shared.has_rows(shard)).count()
    }

    fn size(&self) -> usize {
        self.shared.size.load(Ordering::Relaxed)
    }

    fn sum(&self, values: &mut [f64]) {
        let Self { shared, index, round } = self;
        let round = round.fetch_add(1, Ordering::Relaxed);
        let place = |shard: usize| &shared.places[shard][round % 2];
        {
            let mut own = place(*index).write().unwrap_or_else(PoisonError::into_inner);
            own.clear();
            own.extend_from_slice(values);
        }
        let written = shared.written.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(members) = &shared.members
            && written == (round + 1) * shared.local_size.load(Ordering::Relaxed)
            // After a failure the pass goes on to its end, but the others have given up.
            && !shared.broken.load(Ordering::Acquire)
        {
            match shared.exchange_with(members, round, values.len()) {
                Ok(()) => shared.arrived.store(round + 1, Ordering::Release),
                Err(error) => {
                    *shared.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    shared.broken.store(true, Ordering::Release);
                }
            }
        }
        shared.wait(round + 1);
        if shared.broken.load(Ordering::Acquire) {
            return;
        }
        let mut shards = (0..shared.places.len()).filter(|&shard| shared.has_rows(shard));
        let read = |shard| place(shard).read().unwrap_or_else(PoisonError::into_inner);
        let mut is_equal = true;
        let mut add = |shard, first: bool| {
            let of_shard = read(shard);
            is_equal &= of_shard.len() == values.len();
            for (sum, value) in values.iter_mut().zip(&*of_shard) {
                *sum = if first { *value } else { *sum + value };
            }
        };
        if let Some(first) = shards.next() {
            add(first, true);
        }
        shards.for_each(|shard| add(shard, false));
        if !is_equal {
            shared.broken.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums over `shards` shards of a batch of `rows`, `rounds` times, with this number of threads.
    fn sums(exchanges: &Exchanges, rows: usize, rounds: usize) -> Vec<Vec<f64>> {
        exchanges.begin(rows);
        thread::scope(|scope| {
            let run = |shard| {
                move || {
                    if rows_of_shard(rows, shard, exchanges.len()).is_empty() {
                        return Vec::new();
                    }
                    let turn = exchanges.join(shard);
                    let member = turn.member();
                    let mut results = vec![member.rank() as f64, member.size() as f64];
                    for round in 0..rounds {
                        let mut values = [(shard + 1) as f64, (round * shard) as f64];
                        member.sum(&mut values);
                        results.extend(values);
                    }
                    turn.end();
                    results
                }
            };
            let threads: Vec<_> = (0..exchanges.len()).map(|shard| scope.spawn(run(shard))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn all_shards_have_the_same_sums() {
        for (shards, threads) in [(1, 1), (2, 2), (2, 1), (5, 2), (4, 8)] {
            let exchanges = Exchanges::new(shards, threads, None);
            for rows in [shards + 3, 1, 2, 3] {
                let results = sums(&exchanges, rows, 50);
                let with_rows = |&shard: &usize| !rows_of_shard(rows, shard, shards).is_empty();
                let present: Vec<usize> = (0..shards).filter(with_rows).collect();
                let total: usize = present.iter().sum();
                for (rank, &shard) in present.iter().enumerate() {
                    assert_eq!(results[shard][..2], [rank as f64, present.len() as f64]);
                    for round in 0..50 {
                        let right = [(total + present.len()) as f64, (round * total) as f64];
                        assert_eq!(results[shard][2 * round + 2..][..2], right, "{shards} shards");
                    }
                }
                assert!(!exchanges.is_broken());
            }
        }
    }

    #[test]
    fn no_shard_waits_for_one_that_fails_or_ends() {
        for threads in [1, 3] {
            for passes in [false, true] {
                let exchanges = Exchanges::new(3, threads, None);
                exchanges.begin(9);
                thread::scope(|scope| {
                    for shard in 0..3 {
                        let exchanges = &exchanges;
                        scope.spawn(move || {
                            let turn = exchanges.join(shard);
                            if shard == 1 && !passes {
                                return;
                            }
                            if shard != 1 {
                                turn.member().sum(&mut [1.0]);
                            }
                            turn.end();
                        });
                    }
                });
                assert!(exchanges.is_broken());
                // And the next batch is as good as new.
                assert_eq!(sums(&exchanges, 9, 3)[2][2], 6.0);
            }
        }
    }
}
