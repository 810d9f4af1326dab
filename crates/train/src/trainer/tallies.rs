//! What the metrics have counted.
//!
//! Each shard counts its own rows, all through an epoch and in parallel with the others. Only when a value is wanted are the
//! tallies of the shards merged, in their order, so that the values do not depend on the threads.

use std::convert::Infallible;
use std::fmt;
use std::ops::Range;

use chainrule_metrics::{Counter, Measure, MetricValue};
use chainrule_tensor::Real;

use crate::engine::pool::each_pair;
use crate::engine::shard::Shard;

/// Below this number of outputs of all metrics, counting takes less time than handing part of it to another thread.
const WORTH_A_FORK: usize = 50_000;

/// The tallies of one shard, one for each metric.
pub(super) type OfShard<T, Y> = Vec<Box<dyn Counter<T, Y>>>;

/// The tallies of all shards.
pub(super) struct Tallies<T, Y> {
    names: Vec<String>,
    shards: Vec<OfShard<T, Y>>,
    /// Whether samples were counted since the counts of other processes were taken over.
    counted: bool,
}

impl<T, Y> Default for Tallies<T, Y> {
    fn default() -> Self {
        Self { names: Vec::new(), shards: Vec::new(), counted: false }
    }
}

impl<T: Real, Y: Send + Sync> Tallies<T, Y> {
    /// Forgets all samples, and does what [`resize`](Self::resize) does.
    pub(super) fn begin(
        &mut self,
        metrics: &[Box<dyn Measure<T, Y>>],
        names: &[(usize, String)],
        shards: usize,
    ) {
        self.resize(metrics, names, shards);
        self.shards.iter_mut().flatten().for_each(|tally| tally.reset());
    }

    /// Prepares for these metrics, of which some have other names, and this many shards; what others have counted is kept with the first one's.
    pub(super) fn resize(
        &mut self,
        metrics: &[Box<dyn Measure<T, Y>>],
        names: &[(usize, String)],
        shards: usize,
    ) {
        self.shards.resize_with(shards.max(self.shards.len()), Vec::new);
        // Metrics may have been added since the last call.
        for (index, metric) in metrics.iter().enumerate().skip(self.names.len()) {
            let given = names.iter().find(|(named, _)| *named == index).map(|(_, name)| name.clone());
            let name = given.unwrap_or_else(|| metric.name().to_owned());
            self.names.push(unlike(&self.names, name, || metric.description().to_string()));
        }
        for shard in &mut self.shards {
            shard.extend(metrics[shard.len()..].iter().map(|metric| metric.start()));
        }
        for surplus in self.shards.split_off(shards) {
            for (tally, surplus) in self.shards[0].iter_mut().zip(surplus) {
                tally.merge(&*surplus);
            }
        }
    }

    /// Adds the outputs of the last pass, on up to this many threads.
    pub(super) fn count(&mut self, shards: &mut [Shard<T, Y>], threads: usize) {
        if self.names.is_empty() {
            return;
        }
        self.counted = true;
        let outputs: usize = shards.iter().map(|shard| shard.outputs().len()).sum();
        let worth = outputs.saturating_mul(self.names.len()) >= WORTH_A_FORK;
        let threads = if worth { threads } else { 1 };
        let Ok(()) = each_pair(shards, &mut self.shards, threads, &|_, shard, tallies| {
            if !shard.is_empty() {
                tallies.iter_mut().for_each(|tally| tally.update(shard.outputs(), &shard.targets));
            }
            Ok::<(), Infallible>(())
        });
    }

    /// Adds what was counted elsewhere for these metrics, after what the first shard has counted.
    pub(super) fn merge(&mut self, counted: &[Box<dyn Counter<T, Y>>]) {
        let tallies = self.shards.iter_mut().take(1).flatten().zip(counted);
        tallies.for_each(|(tally, counted)| tally.merge(&**counted));
    }

    /// What was counted in each of these shards, for all metrics.
    pub(super) fn numbers_of(&self, shards: Range<usize>) -> Vec<Vec<f64>> {
        self.shards[shards].iter().flatten().map(|tally| tally.numbers()).collect()
    }

    /// Replaces what was counted in these shards by what [`numbers_of`](Self::numbers_of) returned in another process; `None` if that is
    /// of other metrics.
    pub(super) fn replace(&mut self, shards: Range<usize>, numbers: &[Vec<f64>]) -> Option<()> {
        if numbers.len() != shards.len() * self.names.len() {
            return None;
        }
        let mut tallies = self.shards[shards].iter_mut().flatten().zip(numbers);
        tallies.try_for_each(|(tally, numbers)| tally.restore(numbers))
    }

    /// The counts of other processes were taken over.
    pub(super) fn are_shared(&mut self) {
        self.counted = false;
    }

    /// Whether samples were counted since the counts of other processes were taken over.
    pub(super) fn counted_alone(&self) -> bool {
        self.counted
    }

    /// The name of each metric.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// What was counted, by the name of the metric: for all metrics of the first shard, then for those of the next.
    pub(super) fn numbers(&self) -> Vec<(String, Vec<f64>)> {
        let of_shard = |shard: &OfShard<T, Y>| {
            self.names.iter().cloned().zip(shard.iter().map(|tally| tally.numbers())).collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(of_shard).collect()
    }

    /// Goes on from what [`numbers`](Self::numbers) returned, also for another number of shards.
    pub(super) fn restore(&mut self, metrics: &[Box<dyn Measure<T, Y>>], numbers: &[(String, Vec<f64>)]) {
        if self.names.is_empty() {
            return;
        }
        for (shard, numbers) in numbers.chunks(self.names.len()).enumerate() {
            for (index, (name, numbers)) in numbers.iter().enumerate() {
                // A metric that was not there counts the samples from here on.
                let mut tally = metrics[index].start();
                if *name == self.names[index] && tally.restore(numbers).is_some() {
                    let of_shard = if shard < self.shards.len() { shard } else { 0 };
                    self.shards[of_shard][index].merge(&*tally);
                }
            }
        }
    }
}

/// The name of a metric; where another one has it, the whole description, and where that is not enough, with a number.
fn unlike(names: &[String], name: String, description: impl FnOnce() -> String) -> String {
    let is_new = |name: &String| !names.contains(name);
    if is_new(&name) {
        return name;
    }
    let description = description();
    if is_new(&description) {
        return description;
    }
    let numbered = (2..).map(|number| format!("{description} {number}"));
    numbered.into_iter().find(is_new).unwrap_or(description)
}

/// The metrics over the samples so far. Their values are computed when they are asked for, which takes a while for curves.
#[derive(Clone, Copy)]
pub struct RunningMetrics<'a> {
    source: &'a dyn Values,
}

impl<'a> RunningMetrics<'a> {
    /// The name and the value of each metric, in the order in which they were added to the trainer.
    pub fn values(&self) -> Vec<(String, MetricValue)> {
        self.source.values()
    }

    /// The value of the metric with this name.
    pub fn value(&self, name: &str) -> Option<MetricValue> {
        self.source.value(name)
    }

    pub(super) fn new(source: &'a dyn Values) -> Self {
        Self { source }
    }
}

impl fmt::Debug for RunningMetrics<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values().fmt(f)
    }
}

/// Where values of metrics come from, whatever the types of outputs and targets.
pub(super) trait Values {
    /// The name and the value of each metric.
    fn values(&self) -> Vec<(String, MetricValue)>;

    /// The value of the metric with this name.
    fn value(&self, name: &str) -> Option<MetricValue>;
}

/// Metrics, and what was counted for them.
pub(super) struct Counted<'a, T, Y> {
    pub(super) metrics: &'a [Box<dyn Measure<T, Y>>],
    pub(super) tallies: &'a Tallies<T, Y>,
}

impl<T: Real, Y> Counted<'_, T, Y> {
    fn value_of(&self, index: usize) -> MetricValue {
        match &self.tallies.shards[..] {
            [only] => only[index].value(),
            shards => {
                let mut all = self.metrics[index].start();
                shards.iter().for_each(|shard| all.merge(&*shard[index]));
                all.value()
            }
        }
    }
}

impl<T: Real, Y> Values for Counted<'_, T, Y> {
    fn values(&self) -> Vec<(String, MetricValue)> {
        let value = |(index, name): (usize, &String)| (name.clone(), self.value_of(index));
        self.tallies.names.iter().enumerate().map(value).collect()
    }

    fn value(&self, name: &str) -> Option<MetricValue> {
        let index = self.tallies.names.iter().position(|known| known == name)?;
        Some(self.value_of(index))
    }
}
