//! Where the time of a step goes, measured separately from the timed rounds.
//!
//! A trainer that read the clock between the sections of a step would be slower, and it overlaps some of them. So
//! they are run here one after the other, on one thread, through the same public traits: the figures show what
//! each costs alone, and need not add up to the step.

use std::error::Error;
use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

use chainrule::core::runner::GradsExt;
use chainrule::core::{Backward, Forward, Grads, Layer, Mode, Params, Plan, SequentialCache};
use chainrule::optim::{ParamKind, Step, Update};
use chainrule::prelude::*;
use chainrule::tensor::{Buffer, FlushDenormals, vector};
use ndarray::ArrayView1;
use serde::{Serialize, Serializer};

use super::measure::quantile;
use super::samples::{SampleSet, ScatteredSamples};
use super::workloads::Workload;

/// A section of a step.
#[derive(Clone, Copy, Debug)]
enum Section {
    /// Reading the samples from their bytes.
    Gather,
    /// The forward passes of the layers.
    Forward,
    /// The check of the targets, the loss and its gradient.
    Loss,
    /// The accuracy.
    Metrics,
    /// The backward passes of the layers, with the gradients of all weights.
    Backward,
    /// Adding up the gradients of the shards.
    Reduce,
    /// The optimizer's update of all parameters.
    Optimizer,
}

const COUNT: usize = Section::Optimizer as usize + 1;

/// The names of the sections, in their order.
pub(crate) const NAMES: [&str; COUNT] =
    ["gather", "forward", "loss", "metrics", "backward", "reduce", "optimizer"];

/// The median time of each section, in microseconds per step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Breakdown(pub(crate) [f64; COUNT]);

impl Breakdown {
    /// The time of the optimizer's update.
    pub(crate) fn optimizer(&self) -> f64 {
        self.0[Section::Optimizer as usize]
    }
}

impl Serialize for Breakdown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(NAMES.iter().zip(self.0))
    }
}

/// Adds up the time that passes between readings of the clock.
struct Stopwatch {
    last: Instant,
    seconds: [f64; COUNT],
    laps: [u32; COUNT],
}

impl Stopwatch {
    fn new() -> Self {
        Self { last: Instant::now(), seconds: [0.0; COUNT], laps: [0; COUNT] }
    }

    /// Adds the time since the last lap to this section.
    fn lap(&mut self, section: Section) {
        let now = Instant::now();
        self.seconds[section as usize] += (now - self.last).as_secs_f64();
        self.laps[section as usize] += 1;
        self.last = now;
    }

    /// The seconds of each section, less those that reading the clock took.
    fn sections(self) -> [f64; COUNT] {
        const READINGS: u32 = 1_000;
        let begin = Instant::now();
        (0..READINGS).for_each(|_| _ = black_box(Instant::now()));
        let reading = begin.elapsed().as_secs_f64() / f64::from(READINGS);
        std::array::from_fn(|index| (self.seconds[index] - reading * f64::from(self.laps[index])).max(0.0))
    }
}

/// What stays the same from step to step.
struct StepSetup<'a> {
    layers: &'a Sequential<f32>,
    loss: &'a dyn Loss<f32, u8>,
    data: ScatteredSamples<'a>,
    inputs: usize,
    outputs: usize,
    batch: usize,
}

/// The rows of one shard and its memory.
struct ShardBuffers {
    rows: Range<usize>,
    cache: SequentialCache<f32>,
    grads: Buffer<f32>,
    x: Buffer<f32>,
    y: Buffer<f32>,
    dy: Buffer<f32>,
    targets: Vec<u8>,
}

impl ShardBuffers {
    fn run(
        &mut self,
        setup: &StepSetup<'_>,
        params: &[f32],
        step: u64,
        metric: &mut Tally<Accuracy>,
        watch: &mut Stopwatch,
    ) -> Result<(), Box<dyn Error>> {
        let &StepSetup { layers, loss, ref data, inputs, outputs, batch } = setup;
        let Self { rows, cache, grads, x, y, dy, targets } = self;
        let count = rows.len();
        let scale = 1.0 / batch as f32;
        targets.clear();
        // The last batch too has a batch after it, which is prefetched.
        let first = step as usize * batch % (data.len() - 2 * batch);
        for (row, sample) in x.chunks_exact_mut(inputs).zip(rows.clone()) {
            targets.push(data.read(first + sample, row));
        }
        watch.lap(Section::Gather);
        // The trainer prefetches the next batch bit by bit while it updates the parameters.
        rows.clone().for_each(|sample| data.prefetch(first + batch + sample, 0..inputs));
        watch.last = Instant::now();
        let x = x.matrix(count, inputs);
        layers.forward(Forward {
            params: Params::new(params),
            x,
            y: y.matrix_mut(count, outputs),
            cache,
            mode: Mode::Train { seed: Seed(step), first_row: rows.start },
        });
        watch.lap(Section::Forward);
        let y = y.matrix(count, outputs);
        loss.check(outputs, targets)?;
        black_box(loss.loss(y, targets, scale, Some(dy.matrix_mut(count, outputs))));
        watch.lap(Section::Loss);
        metric.update(y, targets);
        watch.lap(Section::Metrics);
        layers.backward(Backward {
            params: Params::new(params),
            grads: Grads::fresh(grads),
            x,
            y,
            dy: dy.matrix(count, outputs),
            dx: None,
            cache,
            share: count as f32 * scale,
        });
        watch.lap(Section::Backward);
        Ok(())
    }
}

/// How a step is sharded, and how often it is repeated.
pub(crate) struct Repeats {
    pub(crate) shards: usize,
    pub(crate) rounds: usize,
    /// Steps per round.
    pub(crate) steps: usize,
}

/// Measures the sections of the workload's step.
pub(crate) fn measure(
    workload: &Workload,
    samples: &SampleSet,
    Repeats { shards, rounds, steps }: Repeats,
) -> Result<Breakdown, Box<dyn Error>> {
    let Workload { batch, ref layers, input, classes: outputs, .. } = *workload;
    let model = Model::new(input, layers.clone(), Seed(0))?;
    let loss = CrossEntropy;
    let optimizer = adam(1e-3).keras();
    let slots = optimizer.slots();
    let inputs = input.size();
    let size = model.parameters().len();
    let data = samples.window(0..2 * samples.count());
    let setup = StepSetup { layers, loss: &loss, data, inputs, outputs, batch };
    let mut params = Buffer::from(model.parameters());
    let mut state = Buffer::zeros(slots * size);
    let buffers = |shard: usize| {
        let rows = batch * shard / shards..batch * (shard + 1) / shards;
        let buffer = |columns: usize| Buffer::zeros(rows.len() * columns);
        let x = buffer(inputs);
        let y = buffer(outputs);
        let dy = buffer(outputs);
        let (_, cache) = layers.plan(input, &mut Plan::new())?;
        let grads = Buffer::zeros(size);
        let targets = Vec::with_capacity(rows.len());
        Ok(ShardBuffers { rows, cache, grads, x, y, dy, targets })
    };
    let mut all_buffers = (0..shards).map(buffers).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let mut metric = Tally::new(Accuracy);
    let mut found = [(); COUNT].map(|()| Vec::with_capacity(rounds));
    let mut step = 0;
    let _flush = FlushDenormals::new();
    // The first round warms up and is not counted.
    for round in 0..=rounds {
        let mut watch = Stopwatch::new();
        for _ in 0..steps {
            for buffers in &mut all_buffers {
                buffers.run(&setup, &params, step, &mut metric, &mut watch)?;
            }
            let (first, others) = all_buffers.split_first_mut().ok_or("a batch has at least one shard")?;
            for other in others {
                vector::add(ArrayView1::from(&*other.grads), (&mut *first.grads).into());
            }
            watch.lap(Section::Reduce);
            optimizer.update(Update::new(
                Step::from(step),
                ParamKind::Weight,
                &mut params,
                &mut first.grads,
                &mut state,
            ));
            watch.lap(Section::Optimizer);
            step += 1;
        }
        if round > 0 {
            let seconds = watch.sections();
            found.iter_mut().zip(seconds).for_each(|(found, seconds)| found.push(seconds));
        }
    }
    Ok(Breakdown(found.map(|mut seconds| 1e6 / steps as f64 * quantile(&mut seconds, 0.5))))
}
