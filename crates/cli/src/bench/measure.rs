//! One work with one number of threads: ours and the floor in turn, then what a step allocates.

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::mpsc;

use chainrule::prelude::*;
use serde::Serialize;

use super::floor::Floors;
use super::parts::Parts;
use super::works::{Window, Work, scattered};
use crate::ALLOCATOR;

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
    pub(crate) rounds: usize,
    pub(crate) steps_a_round: usize,
    pub(crate) blas: String,
    /// Whether the floor is one: by a BLAS, and with a kernel that is as new as the CPU.
    pub(crate) floor_holds: bool,
    /// What the marks ask, and whether it is met.
    pub(crate) mark: String,
}

/// Measures a work on so many threads.
pub(crate) fn measure(
    work: &Work,
    threads: usize,
    shards: Option<usize>,
    images: &Images,
    Effort { rounds, seconds }: Effort,
) -> Result<Figure, Box<dyn Error>> {
    let (allocations, peak_bytes) = memory(work, threads, shards, images)?;
    let mut trainer = work.trainer(threads, shards)?;
    let mut floors = Floors::new(&work.stages, work.batch, threads);
    let (scattered, mut start) = (scattered(images), 0);
    let mut train = |steps: usize, epochs: u64| -> Result<f64, Box<dyn Error>> {
        let len = steps * work.batch;
        start = (start + len) % images.count();
        let samples = &scattered[start..start + len];
        let history = trainer.fit(&Window { images, samples }, epochs)?;
        Ok(history.epochs.iter().map(|epoch| epoch.seconds).sum())
    };
    // The first steps warm up, and tell how many make a round.
    let most = images.count() / work.batch;
    let few = most.min(20);
    train(few, 1)?;
    let step = train(few, 2)? / (2 * few) as f64;
    let wanted = (seconds / step).max(2.0);
    let steps = (wanted as usize).clamp(1, most);
    let epochs = (wanted / steps as f64).round().max(1.0) as u64;
    let all = steps * epochs as usize;
    floors.run(few);
    let (mut ours, mut floor) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for _ in 0..rounds {
        ours.push(1e6 * train(steps, epochs)? / all as f64);
        floor.push(1e6 * floors.run(all) / all as f64);
    }
    let (ours_us, floor_us) = (quantile(&mut ours, 0.5), quantile(&mut floor, 0.5));
    Ok(Figure {
        work: work.name.clone(),
        threads,
        shards: trainer.shard_count(),
        ours_us,
        floor_us,
        ratio: ours_us / floor_us,
        best_ratio: quantile(&mut ours, 0.0) / quantile(&mut floor, 0.0),
        spread: spread(&mut ours),
        floor_spread: spread(&mut floor),
        samples_per_second: 1e6 * work.batch as f64 / ours_us,
        gflops: floors.flops() / ours_us / 1e3,
        allocations,
        peak_bytes,
        foretold_bytes: foretold(&trainer, work.batch),
        rounds,
        steps_a_round: all,
        ..Figure::default()
    })
}

/// How often a step asks for memory, and the most bytes that a training has in use.
fn memory(
    work: &Work,
    threads: usize,
    shards: Option<usize>,
    images: &Images,
) -> Result<(f64, usize), Box<dyn Error>> {
    const STEPS: usize = 32;
    let samples = &scattered(images)[..STEPS * work.batch];
    let before = ALLOCATOR.restart_peak();
    // A place in the queue for every step: sending allocates nothing.
    let (sender, receiver) = mpsc::sync_channel(2 * STEPS);
    let mut trainer = work.trainer(threads, shards)?.callback(move |event: &Event<'_>| {
        if let Event::Step { .. } = event {
            let _ = sender.try_send(ALLOCATOR.allocations());
        }
        ControlFlow::Continue(())
    });
    trainer.fit(&Window { images, samples }, 2)?;
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
        let images = work.samples().unwrap();
        let figure = measure(&work, 1, None, &images, Effort { rounds: 3, seconds: 0.001 }).unwrap();
        assert!(figure.ours_us > 0.0 && figure.floor_us > 0.0 && figure.ratio > 0.0, "{figure:?}");
        // Other tests run beside this one and allocate: tests/program.rs counts in a process of its own.
        assert!(figure.allocations.is_finite() && figure.peak_bytes > 0, "{figure:?}");
        assert_eq!(figure.shards, 1);
        let parameters = 4 * 8 + 8 + 8 * 3 + 3;
        // Two slots and one gradient; the sample, two dense layers' outputs and that of the ReLU between them, and the
        // gradients of the hidden ones.
        assert_eq!(figure.foretold_bytes, 4 * (4 * parameters + 16 * (4 + 4 + 8 + 8 + 3 + 8 + 8)));
    }
}
