//! An evaluation: forward passes over parts of the samples, spread over all threads.
//!
//! The samples are cut into parts, and the parts into sections, by their number and the model alone: not by the shards of the training,
//! the threads or the processes. Each section is the work of one thread, which takes its parts one after the other; as many sections as
//! there are threads are computed at once, and what was found in them is added up in their order. So neither the loss nor a metric
//! depends on who computed what.

use std::ops::Range;

use chainrule_core::Mode;
use chainrule_data::{BatchError, Samples};
use chainrule_losses::{Scope, total};
use chainrule_metrics::Counter;
use chainrule_tensor::{Buffer, Real, blas, vector};

use super::error::TrainError;
use super::forward::Forward;
use super::history::Scores;
use super::overlap::{Comparison, TrainedSamples};
use super::shard_count::WORTH_A_FORK;
use super::tallies::{Counted, OfShard, Tallies, Values};
use super::{State, Trainer, address};
use crate::engine::buckets::Buckets;
use crate::engine::members::{Kind, Members};
use crate::engine::pass::{Batch, rows_of_shard};
use crate::engine::pool::{self, each_pair};
use crate::engine::shard::Shard;
use crate::model::encoding::{decode, encode};

/// The bytes of activations in all parts that are computed at once, if a batch of the training does not take more.
const BYTES: u64 = 1 << 30;

/// The minimum number of samples of a part, unless their activations are large: with fewer, products take longer for a sample.
const MIN_ROWS: usize = 128;

/// Few samples are cut into up to so many parts, so that there is work for each thread.
const PARTS: usize = 16;

/// The maximum number of sections. Metrics are merged after each of them, which for some takes as long as counting many samples.
const SECTIONS: usize = 64;

/// Below this number of floating-point operations an evaluation takes no threads but those that run already: to start others takes longer.
const WORTH_A_POOL: u64 = 50_000_000;

/// How the samples of an evaluation are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    samples: usize,
    /// The number of samples of a part.
    rows: usize,
    /// The number of samples of a section, a multiple of those of a part.
    section: usize,
    /// What the layers compute from a sample and keep.
    bytes: u64,
}

impl Cut {
    /// Parts of at most `most` samples, of so many bytes each.
    fn new(samples: usize, most: usize, bytes: u64) -> Self {
        let rows = samples.div_ceil(PARTS).max(MIN_ROWS).min(most).max(1);
        let section = samples.div_ceil(rows).div_ceil(SECTIONS).max(1) * rows;
        Self { samples, rows, section, bytes }
    }

    /// The number of sections.
    fn sections(self) -> usize {
        self.samples.div_ceil(self.section)
    }

    /// The parts of a section: the samples of each, with the number of the part.
    fn parts(self, section: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let Self { samples, rows, .. } = self;
        let end = samples.min((section + 1) * self.section);
        let starts = (section * self.section..end).step_by(rows);
        starts.map(move |start| (start / rows, start..end.min(start + rows)))
    }
}

/// What a thread found in a section.
struct Section<T, Y> {
    tallies: OfShard<T, Y>,
    /// The samples of a part.
    samples: Vec<u32>,
    /// The losses of all rows.
    losses: Vec<f64>,
    /// How much they count.
    weight: f64,
    /// Of the samples that are compared with those of the training.
    fingerprints: Vec<u64>,
}

impl<T: Real, Y> Section<T, Y> {
    fn new(tallies: OfShard<T, Y>) -> Self {
        Self { tallies, samples: Vec::new(), losses: Vec::new(), weight: 0.0, fingerprints: Vec::new() }
    }

    fn begin(&mut self) {
        let Self { tallies, losses, weight, fingerprints, .. } = self;
        tallies.iter_mut().for_each(|tally| tally.reset());
        losses.clear();
        fingerprints.clear();
        *weight = 0.0;
    }

    /// The sum of the losses, in the order of the rows, and how much they count.
    fn loss(&self) -> [f64; 2] {
        let sum = total(self.losses.iter().copied());
        // A loss beyond the range of the model's numbers is as infinite as its gradient.
        let is_in_range = T::of(sum / self.weight).is_finite() || self.weight == 0.0;
        [if is_in_range { sum } else { T::of(sum / self.weight).as_f64() }, self.weight]
    }
}

/// The sum of all sections.
struct Sum<T, Y> {
    tallies: Tallies<T, Y>,
    loss: f64,
    weight: f64,
}

impl<T: Real, Y: Send + Sync> Sum<T, Y> {
    fn add(&mut self, [loss, weight]: [f64; 2], tallies: &[Box<dyn Counter<T, Y>>]) {
        self.loss += loss;
        self.weight += weight;
        self.tallies.merge(tallies);
    }
}

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Whether an evaluation takes batches as a training does: where each row of a batch continues that of the batch before, or is compared
    /// with the others.
    pub(super) fn evaluates_batches(&self) -> bool {
        self.model.plan().is_stateful() || self.loss.scope() == Scope::Batch
    }

    /// The number of samples that an evaluation has in memory at once.
    pub(super) fn evaluation_rows(&self, data: &dyn Samples<T, Target = Y>) -> usize {
        let rows = match self.evaluates_batches() {
            true => self.batch_size,
            false => {
                let cut = self.cut(data);
                cut.rows.saturating_mul(self.evaluation_threads(cut))
            }
        };
        rows.min(data.len())
    }

    /// An error if there are no samples to evaluate, or too many to count.
    pub(super) fn check_samples(&self, data: &dyn Samples<T, Target = Y>) -> Result<(), TrainError> {
        if self.evaluates_batches() && self.batch_size == 0 {
            return Err(BatchError::Zero.into());
        }
        match u32::try_from(data.len()) {
            Ok(0) => Err(BatchError::NoSamples.into()),
            Ok(_) => Ok(()),
            Err(_) => Err(BatchError::TooMany(data.len()).into()),
        }
    }

    fn cut(&self, data: &dyn Samples<T, Target = Y>) -> Cut {
        let values = self.model.values_per_sample();
        let unread = if self.reads_sparse(data) { self.model.input.size() as u64 } else { 0 };
        let bytes = values.saturating_sub(unread).saturating_mul(size_of::<T>() as u64);
        Cut::new(data.len(), self.model.rows_of_part(bytes), bytes)
    }

    /// How many sections are computed at once.
    fn evaluation_threads(&self, cut: Cut) -> usize {
        if self.evaluation_flops(cut) < WORTH_A_FORK {
            return 1;
        }
        let bytes = BYTES.max(self.activation_bytes(self.rows_of_pass()));
        let fitting = bytes / cut.bytes.saturating_mul(cut.rows as u64).max(1);
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.threads.min(fitting).min(cut.sections()).max(1)
    }

    fn evaluation_flops(&self, cut: Cut) -> u64 {
        self.model.plan().total_flops().saturating_mul(cut.samples as u64)
    }

    /// Evaluates the model in the pool of a training, or in one of its own if more threads have work than that has.
    pub(super) fn validate(&mut self, data: &dyn Samples<T, Target = Y>) -> Result<Scores, TrainError> {
        if self.evaluates_batches() {
            return self.scores_of_batches(data);
        }
        let cut = self.cut(data);
        let (threads, running) = (self.evaluation_threads(cut), self.state.threads);
        if threads > running && self.evaluation_flops(cut) >= WORTH_A_POOL {
            return self.scores_in_pool(data, cut, threads);
        }
        self.scores_of_sections(data, cut, threads.min(running))
    }

    /// Evaluates the model where no training is under way.
    pub(super) fn scores(&mut self, data: &dyn Samples<T, Target = Y>) -> Result<Scores, TrainError> {
        if self.evaluates_batches() {
            let rows = self.evaluation_rows(data);
            return self.in_pool(rows, |this| this.scores_of_batches(data));
        }
        let _one_thread = blas::OneThread::new();
        let cut = self.cut(data);
        let is_short = self.evaluation_flops(cut) < WORTH_A_POOL;
        self.scores_in_pool(data, cut, if is_short { 1 } else { self.evaluation_threads(cut) })
    }

    fn scores_in_pool(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        cut: Cut,
        threads: usize,
    ) -> Result<Scores, TrainError> {
        blas::reserve(threads).map_err(|blas::NoScratch { bytes }| TrainError::Memory {
            what: "the products of BLAS",
            bytes,
        })?;
        let portable = self.portable;
        pool::run(threads, threads, portable, || self.scores_of_sections(data, cut, threads))?
    }

    fn scores_of_sections(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        cut: Cut,
        threads: usize,
    ) -> Result<Scores, TrainError> {
        let mut tallies = Tallies::default();
        tallies.begin(&self.metrics, &self.metric_names, 1);
        let mut sum = Sum { tallies, loss: 0.0, weight: 0.0 };
        // Other processes have the other sections.
        let mut comparison = match self.state.members {
            None => self.state.trained.compare(data.len(), address(data)),
            Some(_) => None,
        };
        let start = || self.metrics.iter().map(|metric| metric.start()).collect();
        let mut found: Vec<Section<T, Y>> = (0..threads).map(|_| Section::new(start())).collect();
        let Self { model, state: State { shards, more_shards, members, .. }, .. } = self;
        // In a group those of the other members stay empty.
        let mut all = if members.is_none() { std::mem::take(shards) } else { Vec::new() };
        let of_training = all.len();
        all.append(more_shards);
        all.resize_with(threads.max(all.len()), || {
            Shard::new(model.cache(), Buffer::default(), model.input().size(), model.output().size())
        });
        let evaluation = self.evaluation(data, cut);
        let result = evaluation.run(&mut all[..threads], &mut found, &mut sum, &mut comparison);
        self.state.more_shards = all.split_off(of_training);
        if of_training > 0 {
            self.state.shards = all;
        }
        result?;
        self.warn_of_seen_samples(comparison, data.len());
        let metrics = Counted { metrics: &self.metrics, tallies: &sum.tallies }.values();
        Ok(Scores { loss: sum.loss / sum.weight, metrics })
    }

    fn evaluation<'a>(
        &'a self,
        data: &'a (dyn Samples<T, Target = Y> + 'a),
        cut: Cut,
    ) -> Evaluation<'a, T, Y> {
        let State { buckets, trained, members, .. } = &self.state;
        let forward = Forward {
            layers: &self.model.layers,
            loss: &*self.loss,
            metrics: &self.metrics,
            columns: self.model.output.size(),
            deferred: self.defers(),
            sparse: buckets.sparse(),
            sparse_samples: self.reads_sparse(data),
            finite: vector::largest(&self.model.parameters).is_finite(),
            data,
            batch: Batch { index: 0, samples: &[], next: &[] },
            mode: Mode::Eval,
            threads: 1,
            members: None,
        };
        let params = &self.model.parameters;
        Evaluation { cut, forward, params, buckets, trained, members: members.as_deref() }
    }
}

/// What all threads read.
struct Evaluation<'a, T: Real, Y> {
    cut: Cut,
    /// Of any part.
    forward: Forward<'a, T, Y>,
    params: &'a [T],
    buckets: &'a Buckets,
    trained: &'a TrainedSamples,
    members: Option<&'a Members>,
}

impl<T: Real, Y: Clone + Send + Sync> Evaluation<'_, T, Y> {
    /// Computes the sections of this process, as many at once as there are shards, and adds up those of all.
    fn run(
        &self,
        shards: &mut [Shard<T, Y>],
        found: &mut [Section<T, Y>],
        sum: &mut Sum<T, Y>,
        comparison: &mut Option<Comparison>,
    ) -> Result<(), TrainError> {
        let sections = self.cut.sections();
        let of_member = |rank, members: &Members| rows_of_shard(sections, rank, members.size());
        let own = self.members.map_or(0..sections, |members| of_member(members.rank(), members));
        let threads = shards.len();
        // What the other processes are told: of each section the loss, and what the metrics have counted.
        let mut told: Vec<Vec<f64>> = Vec::new();
        for first in own.clone().step_by(threads) {
            let count = threads.min(own.end - first);
            let wanted = comparison.as_ref();
            each_pair(&mut shards[..count], &mut found[..count], threads, &|index, shard, section| {
                self.compute(first + index, wanted, shard, section)
            })?;
            for section in &found[..count] {
                match self.members {
                    None => sum.add(section.loss(), &section.tallies),
                    Some(_) => {
                        told.push(section.loss().to_vec());
                        told.extend(section.tallies.iter().map(|tally| tally.numbers()));
                    }
                }
                if let Some(comparison) = comparison {
                    section.fingerprints.iter().for_each(|&one| comparison.add(one, self.trained));
                }
            }
        }
        let (Some(members), Some(Section { tallies, .. })) = (self.members, found.first_mut()) else {
            return Ok(());
        };
        members.all_gather(Kind::Counts, &encode(&told), &mut |rank, bytes| {
            let told: Vec<Vec<f64>> = decode(bytes).ok()?;
            let lists = 1 + tallies.len();
            if told.len() != of_member(rank, members).len() * lists {
                return None;
            }
            for of_section in told.chunks_exact(lists) {
                let (loss, counts) = of_section.split_first()?;
                let mut counts = tallies.iter_mut().zip(counts);
                counts.try_for_each(|(tally, numbers)| tally.restore(numbers))?;
                sum.add(loss[..].try_into().ok()?, tallies);
            }
            Some(())
        })?;
        Ok(())
    }

    /// The forward passes of a section, part by part.
    fn compute(
        &self,
        index: usize,
        comparison: Option<&Comparison>,
        shard: &mut Shard<T, Y>,
        section: &mut Section<T, Y>,
    ) -> Result<(), TrainError> {
        section.begin();
        let Section { tallies, samples, losses, weight, fingerprints } = section;
        for (index, rows) in self.cut.parts(index) {
            samples.clear();
            // There are no more samples than a `u32` can count.
            samples.extend(rows.map(|row| row as u32));
            let forward = Forward { batch: Batch { index, samples, next: &[] }, ..self.forward };
            *weight += forward.evaluate(self.params, self.buckets, shard)?;
            losses.extend_from_slice(shard.losses());
            tallies.iter_mut().for_each(|tally| tally.update(shard.outputs(), &shard.targets));
            if let Some(comparison) = comparison {
                comparison.fingerprints(shard, samples, fingerprints);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_in_one_part_of_one_section() {
        for samples in [1, 127, 128, 129, 2048, 2049, 5000, 20_000, 1_000_003] {
            for most in [1, 7, 16, 256] {
                let cut = Cut::new(samples, most, 1);
                assert!(cut.sections() <= SECTIONS && cut.rows <= most, "{cut:?}");
                let mut next = [0; 2];
                for (part, rows) in (0..cut.sections()).flat_map(|section| cut.parts(section)) {
                    assert_eq!([part, rows.start], next, "{cut:?}");
                    assert!(!rows.is_empty() && rows.len() <= cut.rows, "{cut:?}");
                    next = [part + 1, rows.end];
                }
                assert_eq!(next[1], samples, "{cut:?}");
            }
        }
    }
}
