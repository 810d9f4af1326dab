//! The measurement of one workload on one number of threads: what a step allocates and, round by round, the time of our
//! step and of the baseline in turn.

use std::error::Error;
use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc;

use chainrule::prelude::*;
use chainrule_cli::core_latency;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::baseline::{Baseline, Product};
use super::breakdown::Breakdown;
use super::samples::SampleSet;
use super::workloads::{Choices, Workload};
use crate::ALLOCATOR;

/// How often and how long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// The approximate length of a round.
    pub(crate) seconds: f64,
}

/// One line of the table.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figure {
    pub(crate) workload: String,
    pub(crate) threads: usize,
    pub(crate) shards: usize,
    /// Medians, in microseconds a step.
    pub(crate) ours_us: f64,
    pub(crate) baseline_us: f64,
    pub(crate) ratio: f64,
    /// The ratio of the fastest rounds of each, which other programs disturb least.
    pub(crate) best_ratio: f64,
    /// Half the interquartile range, as a share of the median.
    pub(crate) spread: f64,
    pub(crate) baseline_spread: f64,
    pub(crate) samples_per_second: f64,
    /// The share of the columns of a batch that are not zeros; 1 where the network does not begin with a dense layer.
    pub(crate) used_columns: f64,
    /// The operations of the baseline's products, less those with columns of zeros, over the time of our whole step.
    pub(crate) gflops: f64,
    /// `gflops` as a share of the sgemm peak on the same number of threads.
    pub(crate) peak_share: f64,
    /// The same of the fastest round.
    pub(crate) best_share: f64,
    /// How many times as fast as on one thread, if that was measured too.
    pub(crate) speedup: Option<f64>,
    /// Allocations per step.
    pub(crate) allocations: f64,
    /// The peak memory of a training without its data, and the estimate from the plan of the model.
    pub(crate) peak_bytes: usize,
    pub(crate) estimated_bytes: usize,
    /// Where the time goes on one thread: see `breakdown.rs`.
    pub(crate) breakdown: Breakdown,
    /// The times that the medians are taken of, round by round.
    pub(crate) ours_rounds_us: Vec<f64>,
    pub(crate) baseline_rounds_us: Vec<f64>,
    /// For two threads, the latency between their cores in these rounds.
    pub(crate) core_latency_ns: Option<f64>,
    pub(crate) steps_per_round: usize,
    /// The products of the baseline, on several threads those of the first.
    pub(crate) products: Vec<Product>,
    pub(crate) blas: String,
    /// The instructions of our loops and kernels.
    pub(crate) instructions: &'static str,
    /// Whether the baseline is valid: products of a BLAS whose kernel is as new as the CPU.
    pub(crate) baseline_valid: bool,
    /// The target, and whether it is met.
    pub(crate) target: String,
}

impl Figure {
    /// Whether the cores shared no cache in the rounds of this figure.
    pub(crate) fn cores_are_far(&self) -> bool {
        self.core_latency_ns.is_some_and(core_latency::is_far)
    }
}

/// A workload on a number of threads, while it is measured.
pub(crate) struct Measurement<'a> {
    workload: &'a Workload,
    threads: usize,
    samples: &'a SampleSet,
    trainer: Trainer<f32, u8>,
    baseline: Baseline,
    /// The position among the samples where the next round begins.
    start: usize,
    /// Steps per epoch.
    steps: usize,
    /// Epochs per round.
    epochs: u64,
    allocations: f64,
    peak_bytes: usize,
    used_columns: f64,
    rounds: Vec<Round>,
}

/// The times of one round.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Microseconds per step.
    ours: f64,
    baseline: f64,
    /// For two threads, the latency between their cores in nanoseconds: the higher of that before and after the round.
    core_latency: Option<f64>,
}

impl Round {
    /// Whether the cores shared no cache.
    fn is_far(&self) -> bool {
        self.core_latency.is_some_and(core_latency::is_far)
    }
}

impl<'a> Measurement<'a> {
    /// Counts allocations, warms up, and finds the number of steps that take a round of about this many seconds.
    pub(crate) fn new(
        workload: &'a Workload,
        threads: usize,
        choices: Choices,
        samples: &'a SampleSet,
        seconds: f64,
    ) -> Result<Self, Box<dyn Error>> {
        let (allocations, peak_bytes) = memory(workload, threads, choices, samples)?;
        let most = samples.count() / workload.batch;
        let few = most.min(20);
        let mut new = Self {
            workload,
            threads,
            samples,
            trainer: workload.trainer(threads, choices)?,
            baseline: Baseline::new(&workload.operations, workload.batch, threads),
            start: 0,
            steps: few,
            epochs: 2,
            allocations,
            peak_bytes,
            used_columns: if workload.left_out(0.0) > 0.0 {
                samples.used_columns(workload.batch)
            } else {
                1.0
            },
            rounds: Vec::new(),
        };
        new.train()?;
        let wanted = (seconds / new.train()?).max(2.0);
        new.baseline.run(few);
        new.steps = (wanted as usize).clamp(1, most);
        new.epochs = (wanted / new.steps as f64).round().max(1.0) as u64;
        Ok(new)
    }

    fn steps_per_round(&self) -> usize {
        self.steps * self.epochs as usize
    }

    /// Trains for a round and returns the seconds per step.
    fn train(&mut self) -> Result<f64, Box<dyn Error>> {
        let len = self.steps * self.workload.batch;
        self.start = (self.start + len) % self.samples.count();
        let window = self.samples.window(self.start..self.start + len);
        let history = self.trainer.fit(&window, self.epochs)?;
        let seconds: f64 = history.epochs.iter().map(|epoch| epoch.seconds).sum();
        Ok(seconds / self.steps_per_round() as f64)
    }

    /// Times a round of our step, and one of the baseline.
    fn round(&mut self) -> Result<(), Box<dyn Error>> {
        let two = self.threads == 2;
        let look = || two.then(core_latency::nanoseconds).flatten();
        let before = look();
        let ours = 1e6 * self.train()?;
        let core_latency = before.zip(look()).map(|(before, after)| before.max(after));
        let steps = self.steps_per_round();
        let baseline = 1e6 * self.baseline.run(steps) / steps as f64;
        self.rounds.push(Round { ours, baseline, core_latency });
        Ok(())
    }

    /// The figures of all rounds; for two threads, the rounds in which the cores shared a cache and those in which they did
    /// not make a figure each.
    pub(crate) fn figures(&self) -> impl Iterator<Item = Figure> {
        let (far, near): (Vec<Round>, Vec<Round>) = self.rounds.iter().partition(|round| round.is_far());
        [near, far].into_iter().filter(|rounds| !rounds.is_empty()).map(|rounds| self.figure(&rounds))
    }

    /// The figure of these rounds.
    fn figure(&self, rounds: &[Round]) -> Figure {
        let Self { workload, threads, allocations, peak_bytes, used_columns, .. } = *self;
        let all = |value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
        let ours_rounds_us = all(|round| round.ours);
        let baseline_rounds_us = all(|round| round.baseline);
        let mut ours = ours_rounds_us.clone();
        let mut baseline = baseline_rounds_us.clone();
        let mut core_latency: Vec<f64> = rounds.iter().filter_map(|round| round.core_latency).collect();
        let ours_us = quantile(&mut ours, 0.5);
        let baseline_us = quantile(&mut baseline, 0.5);
        Figure {
            workload: workload.name.clone(),
            threads,
            shards: self.trainer.shard_count(),
            ours_us,
            baseline_us,
            ratio: ours_us / baseline_us,
            best_ratio: quantile(&mut ours, 0.0) / quantile(&mut baseline, 0.0),
            spread: spread(&mut ours),
            baseline_spread: spread(&mut baseline),
            samples_per_second: 1e6 * workload.batch as f64 / ours_us,
            used_columns,
            gflops: (self.baseline.flops() - workload.left_out(used_columns)) / ours_us / 1e3,
            allocations,
            peak_bytes,
            estimated_bytes: estimate(&self.trainer, workload.batch),
            ours_rounds_us,
            baseline_rounds_us,
            core_latency_ns: (!core_latency.is_empty()).then(|| quantile(&mut core_latency, 0.5)),
            steps_per_round: self.steps_per_round(),
            products: self.baseline.products(),
            ..Figure::default()
        }
    }
}

/// Runs rounds of all measurements in turn, so that a machine that is slower for a while is slower for all of them. Calls
/// `between` before each turn.
pub(crate) fn rounds(
    measurements: &mut [Measurement<'_>],
    rounds: usize,
    mut between: impl FnMut() -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    // It is drawn on a terminal only.
    let bar = ProgressBar::new((rounds * measurements.len()) as u64);
    let template = "{bar:24} {msg}  {eta} left";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()));
    for round in 1..=rounds {
        between()?;
        for measurement in &mut *measurements {
            let workload = &measurement.workload.name;
            let threads = measurement.threads;
            bar.set_message(format!("round {round} of {rounds}: {workload}, threads: {threads}"));
            measurement.round()?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The allocations per step, and the peak memory of a training in bytes.
fn memory(
    workload: &Workload,
    threads: usize,
    choices: Choices,
    samples: &SampleSet,
) -> Result<(f64, usize), Box<dyn Error>> {
    const STEPS: usize = 32;
    let window = samples.window(0..STEPS * workload.batch);
    let before = ALLOCATOR.restart_peak();
    // The queue has a slot for every step, so sending does not allocate.
    let (sender, receiver) = mpsc::sync_channel(2 * STEPS);
    let mut trainer = workload.trainer(threads, choices)?.callback(move |event: &Event<'_>| {
        if let Event::Step { .. } = event {
            let _ = sender.try_send(ALLOCATOR.allocations());
        }
        ControlFlow::Continue(())
    });
    trainer.fit(&window, 2)?;
    let peak = ALLOCATOR.peak() - before;
    // The first epoch fills caches; the steps of the second are all alike.
    let counts: Vec<u64> = receiver.try_iter().skip(STEPS).collect();
    match (counts.first(), counts.last()) {
        (Some(first), Some(last)) if counts.len() == STEPS => {
            Ok(((last - first) as f64 / (STEPS - 1) as f64, peak))
        }
        _ => Err("the trainer did not report every step".into()),
    }
}

/// The memory of a training in bytes, estimated from the plan of the model: the parameters with the optimizer's two slots,
/// a gradient for each shard, and for each sample of a batch its values and what the layers cache of it.
fn estimate(trainer: &Trainer<f32, u8>, batch: usize) -> usize {
    let plan = trainer.model().plan();
    let parameters = plan.size() * (1 + 2 + trainer.shard_count());
    let sample = trainer.model().input().size() + plan.total_memory() as usize;
    size_of::<f32>() * (parameters + batch * sample)
}

/// The quantile of the values at this share.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Half the interquartile range, as a share of the median.
fn spread(values: &mut [f64]) -> f64 {
    (quantile(values, 0.75) - quantile(values, 0.25)) / 2.0 / quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::super::samples::Source;
    use super::*;

    #[test]
    fn quantiles() {
        let mut values = [4.0, 1.0, 3.0, 2.0, 5.0];
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 0.0), 1.0);
        assert_eq!(spread(&mut values), 1.0 / 3.0);
        assert!(quantile(&mut [], 0.5).is_nan());
    }

    #[test]
    fn a_figure_of_a_small_workload() {
        let workload = Workload::dense("small", &[4, 8, 3], 16);
        let samples = workload.samples(&Source::default()).unwrap();
        let mut measurement = Measurement::new(&workload, 1, Choices::default(), &samples, 0.001).unwrap();
        let mut turns = 0;
        let between = || {
            turns += 1;
            Ok(())
        };
        rounds(std::slice::from_mut(&mut measurement), 3, between).unwrap();
        let figures: Vec<Figure> = measurement.figures().collect();
        let [figure] = &figures[..] else { panic!("one thread has one figure: {figures:?}") };
        assert_eq!((turns, figure.ours_rounds_us.len(), figure.baseline_rounds_us.len()), (3, 3, 3));
        assert!(figure.ours_us > 0.0 && figure.baseline_us > 0.0 && figure.ratio > 0.0, "{figure:?}");
        // Other tests allocate at the same time: tests/steps.rs counts in a process of its own.
        assert!(figure.allocations.is_finite() && figure.peak_bytes > 0, "{figure:?}");
        assert_eq!((figure.shards, figure.core_latency_ns), (1, None));
        let parameters = 4 * 8 + 8 + 8 * 3 + 3;
        // Two slots and one gradient; the sample, two dense layers' outputs and that of the ReLU between them, and the
        // gradients of the hidden ones.
        assert_eq!(figure.estimated_bytes, 4 * (4 * parameters + 16 * (4 + 4 + 8 + 8 + 3 + 8 + 8)));
    }

    #[test]
    fn rounds_with_and_without_a_shared_cache_are_kept_apart() {
        let workload = Workload::dense("small", &[4, 8, 3], 16);
        let samples = workload.samples(&Source::default()).unwrap();
        let mut measurement = Measurement::new(&workload, 2, Choices::default(), &samples, 0.001).unwrap();
        let round = |ours, nanoseconds| Round { ours, baseline: 1.0, core_latency: Some(nanoseconds) };
        measurement.rounds = vec![round(2.0, 25.0), round(9.0, 200.0), round(3.0, 30.0), round(4.0, 26.0)];
        let figures: Vec<Figure> = measurement.figures().collect();
        let shown: Vec<_> = figures.iter().map(|figure| (figure.ours_us, figure.core_latency_ns)).collect();
        assert_eq!(shown, [(3.0, Some(26.0)), (9.0, Some(200.0))]);
        assert!(figures[1].cores_are_far() && !figures[0].cores_are_far());
        rounds(std::slice::from_mut(&mut measurement), 1, || Ok(())).unwrap();
        assert!(measurement.rounds[4].core_latency.unwrap() > 0.0);
    }
}
