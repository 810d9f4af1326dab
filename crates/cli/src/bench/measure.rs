//! One work with one number of threads: what a step allocates, and round by round ours and the floor in turn.

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::mpsc;

use chainrule::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::floor::Floors;
use super::parts::Parts;
use super::works::{Samples, Work};
use crate::{ALLOCATOR, distance};

/// How long and how often to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// How long a round takes, about.
    pub(crate) seconds: f64,
}

/// One line of the table.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figure {
    pub(crate) work: String,
    pub(crate) threads: usize,
    pub(crate) shards: usize,
    /// Medians, in microseconds a step.
    pub(crate) ours_us: f64,
    pub(crate) floor_us: f64,
    pub(crate) ratio: f64,
    /// That of the fastest round of each, which other programs disturb least.
    pub(crate) best_ratio: f64,
    /// Half the distance between the quartiles, as a share of the median.
    pub(crate) spread: f64,
    pub(crate) floor_spread: f64,
    pub(crate) samples_per_second: f64,
    /// Of the floor's products, over our whole step.
    pub(crate) gflops: f64,
    /// That as a share of what BLAS reaches on as many threads.
    pub(crate) peak_share: f64,
    /// How many times as fast as on one thread, where that was measured too.
    pub(crate) speedup: Option<f64>,
    /// How often a step asks for memory.
    pub(crate) allocations: f64,
    /// The most memory in use for a training, without its data; and what the plan of the model foretells.
    pub(crate) peak_bytes: usize,
    pub(crate) foretold_bytes: usize,
    /// On one thread, each by itself: see `parts.rs`.
    pub(crate) parts: Parts,
    /// What the medians are of, round by round.
    pub(crate) ours_rounds_us: Vec<f64>,
    pub(crate) floor_rounds_us: Vec<f64>,
    /// For two threads, nanoseconds that a line of the cache took from the one core to the other in these rounds: see
    /// `distance.rs`.
    pub(crate) core_to_core_ns: Option<f64>,
    pub(crate) steps_a_round: usize,
    pub(crate) blas: String,
    /// Whether the floor is one: by a BLAS, and with a kernel that is as new as the CPU.
    pub(crate) floor_holds: bool,
    /// What the marks ask, and whether it is met.
    pub(crate) mark: String,
}

impl Figure {
    /// Whether it is of rounds in which the cores had no cache in common.
    pub(crate) fn cores_are_far(&self) -> bool {
        self.core_to_core_ns.is_some_and(distance::is_far)
    }
}

/// A work on so many threads, while it is measured.
pub(crate) struct Measurement<'a> {
    work: &'a Work,
    threads: usize,
    samples: &'a Samples,
    trainer: Trainer<f32, u8>,
    floors: Floors,
    /// Where among the samples the next round begins.
    start: usize,
    /// How many steps an epoch has, and how many epochs a round.
    steps: usize,
    epochs: u64,
    allocations: f64,
    peak_bytes: usize,
    rounds: Vec<Round>,
}

/// What a round has shown.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Microseconds a step.
    ours: f64,
    floor: f64,
    /// For two threads, the nanoseconds from core to core: the more of two looks, before and after.
    core_to_core: Option<f64>,
}

impl Round {
    /// Whether the cores had no cache in common.
    fn is_far(&self) -> bool {
        self.core_to_core.is_some_and(distance::is_far)
    }
}

impl<'a> Measurement<'a> {
    /// Counts allocations, warms up, and finds how many steps make a round of about so many seconds.
    pub(crate) fn new(
        work: &'a Work,
        threads: usize,
        shards: Option<usize>,
        samples: &'a Samples,
        seconds: f64,
    ) -> Result<Self, Box<dyn Error>> {
        let (allocations, peak_bytes) = memory(work, threads, shards, samples)?;
        let most = samples.count() / work.batch;
        let few = most.min(20);
        let mut new = Self {
            work,
            threads,
            samples,
            trainer: work.trainer(threads, shards)?,
            floors: Floors::new(&work.stages, work.batch, threads),
            start: 0,
            steps: few,
            epochs: 2,
            allocations,
            peak_bytes,
            rounds: Vec::new(),
        };
        new.train()?;
        let wanted = (seconds / new.train()?).max(2.0);
        new.floors.run(few);
        new.steps = (wanted as usize).clamp(1, most);
        new.epochs = (wanted / new.steps as f64).round().max(1.0) as u64;
        Ok(new)
    }

    fn steps_a_round(&self) -> usize {
        self.steps * self.epochs as usize
    }

    /// Seconds that a step takes, over a round.
    fn train(&mut self) -> Result<f64, Box<dyn Error>> {
        let len = self.steps * self.work.batch;
        self.start = (self.start + len) % self.samples.count();
        let window = self.samples.window(self.start..self.start + len);
        let history = self.trainer.fit(&window, self.epochs)?;
        let seconds: f64 = history.epochs.iter().map(|epoch| epoch.seconds).sum();
        Ok(seconds / self.steps_a_round() as f64)
    }

    /// A round of ours, and one of the floor.
    fn round(&mut self) -> Result<(), Box<dyn Error>> {
        let two = self.threads == 2;
        let look = || two.then(distance::nanoseconds);
        let before = look();
        let ours = 1e6 * self.train()?;
        let core_to_core = before.zip(look()).map(|(before, after)| before.max(after));
        let steps = self.steps_a_round();
        let floor = 1e6 * self.floors.run(steps) / steps as f64;
        self.rounds.push(Round { ours, floor, core_to_core });
        Ok(())
    }

    /// What the rounds have shown; for two threads, the rounds with a common cache and those without one apart, if there
    /// are both.
    pub(crate) fn figures(&self) -> impl Iterator<Item = Figure> {
        let (far, near): (Vec<Round>, Vec<Round>) = self.rounds.iter().partition(|round| round.is_far());
        [near, far].into_iter().filter(|rounds| !rounds.is_empty()).map(|rounds| self.figure(&rounds))
    }

    /// What these rounds have shown.
    fn figure(&self, rounds: &[Round]) -> Figure {
        let Self { work, threads, allocations, peak_bytes, .. } = *self;
        let all = |value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
        let (ours_rounds_us, floor_rounds_us) = (all(|round| round.ours), all(|round| round.floor));
        let (mut ours, mut floor) = (ours_rounds_us.clone(), floor_rounds_us.clone());
        let mut core_to_core: Vec<f64> = rounds.iter().filter_map(|round| round.core_to_core).collect();
        let (ours_us, floor_us) = (quantile(&mut ours, 0.5), quantile(&mut floor, 0.5));
        Figure {
            work: work.name.clone(),
            threads,
            shards: self.trainer.shard_count(),
            ours_us,
            floor_us,
            ratio: ours_us / floor_us,
            best_ratio: quantile(&mut ours, 0.0) / quantile(&mut floor, 0.0),
            spread: spread(&mut ours),
            floor_spread: spread(&mut floor),
            samples_per_second: 1e6 * work.batch as f64 / ours_us,
            gflops: self.floors.flops() / ours_us / 1e3,
            allocations,
            peak_bytes,
            foretold_bytes: foretold(&self.trainer, work.batch),
            ours_rounds_us,
            floor_rounds_us,
            core_to_core_ns: (!core_to_core.is_empty()).then(|| quantile(&mut core_to_core, 0.5)),
            steps_a_round: self.steps_a_round(),
            ..Figure::default()
        }
    }
}

/// Rounds of all, one of each in turn, so that a machine that is slower for a while is so for all of them alike. Before
/// each turn it calls `between`.
pub(crate) fn rounds(
    measurements: &mut [Measurement<'_>],
    rounds: usize,
    mut between: impl FnMut(),
) -> Result<(), Box<dyn Error>> {
    // Draws itself on a terminal only.
    let bar = ProgressBar::new((rounds * measurements.len()) as u64);
    let template = "{bar:24} {msg}  {eta} left";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()));
    for round in 1..=rounds {
        between();
        for measurement in &mut *measurements {
            let (work, threads) = (&measurement.work.name, measurement.threads);
            bar.set_message(format!("round {round} of {rounds}: {work}, threads: {threads}"));
            measurement.round()?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// How often a step asks for memory, and the most bytes that a training has in use.
fn memory(
    work: &Work,
    threads: usize,
    shards: Option<usize>,
    samples: &Samples,
) -> Result<(f64, usize), Box<dyn Error>> {
    const STEPS: usize = 32;
    let window = samples.window(0..STEPS * work.batch);
    let before = ALLOCATOR.restart_peak();
    // A place in the queue for every step: sending allocates nothing.
    let (sender, receiver) = mpsc::sync_channel(2 * STEPS);
    let mut trainer = work.trainer(threads, shards)?.callback(move |event: &Event<'_>| {
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
        _ => Err("the trainer did not tell of every step".into()),
    }
}

/// The bytes that the plan of the model foretells for a training: parameters with the optimizer's two slots, a
/// gradient for each shard, and for each sample of a batch its values and everything that the layers keep of it.
fn foretold(trainer: &Trainer<f32, u8>, batch: usize) -> usize {
    let plan = trainer.model().plan();
    let parameters = plan.size() * (1 + 2 + trainer.shard_count());
    let sample = trainer.model().input().size() + plan.total_memory() as usize;
    size_of::<f32>() * (parameters + batch * sample)
}

/// The value below which this share of the values lies.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Half the distance between the quartiles, as a share of the median.
fn spread(values: &mut [f64]) -> f64 {
    (quantile(values, 0.75) - quantile(values, 0.25)) / 2.0 / quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
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
    fn a_figure_of_a_small_work() {
        let work = Work::dense("small", &[4, 8, 3], 16);
        let samples = work.samples().unwrap();
        let mut measurement = Measurement::new(&work, 1, None, &samples, 0.001).unwrap();
        let mut turns = 0;
        rounds(std::slice::from_mut(&mut measurement), 3, || turns += 1).unwrap();
        let figures: Vec<Figure> = measurement.figures().collect();
        let [figure] = &figures[..] else { panic!("on one thread no cores are apart: {figures:?}") };
        assert_eq!((turns, figure.ours_rounds_us.len(), figure.floor_rounds_us.len()), (3, 3, 3));
        assert!(figure.ours_us > 0.0 && figure.floor_us > 0.0 && figure.ratio > 0.0, "{figure:?}");
        // Other tests run beside this one and allocate: tests/program.rs counts in a process of its own.
        assert!(figure.allocations.is_finite() && figure.peak_bytes > 0, "{figure:?}");
        assert_eq!((figure.shards, figure.core_to_core_ns), (1, None));
        let parameters = 4 * 8 + 8 + 8 * 3 + 3;
        // Two slots and one gradient; the sample, two dense layers' outputs and that of the ReLU between them, and the
        // gradients of the hidden ones.
        assert_eq!(figure.foretold_bytes, 4 * (4 * parameters + 16 * (4 + 4 + 8 + 8 + 3 + 8 + 8)));
    }

    #[test]
    fn rounds_with_a_common_cache_are_told_apart() {
        let work = Work::dense("small", &[4, 8, 3], 16);
        let samples = work.samples().unwrap();
        let mut measurement = Measurement::new(&work, 2, None, &samples, 0.001).unwrap();
        let round = |ours, nanoseconds| Round { ours, floor: 1.0, core_to_core: Some(nanoseconds) };
        measurement.rounds = vec![round(2.0, 25.0), round(9.0, 200.0), round(3.0, 30.0), round(4.0, 26.0)];
        let figures: Vec<Figure> = measurement.figures().collect();
        let shown: Vec<_> = figures.iter().map(|figure| (figure.ours_us, figure.core_to_core_ns)).collect();
        assert_eq!(shown, [(3.0, Some(26.0)), (9.0, Some(200.0))]);
        assert!(figures[1].cores_are_far() && !figures[0].cores_are_far());
        rounds(std::slice::from_mut(&mut measurement), 1, || ()).unwrap();
        assert!(measurement.rounds[4].core_to_core.unwrap() > 0.0);
    }
}
