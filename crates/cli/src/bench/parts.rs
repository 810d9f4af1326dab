//! Where the time of a step goes, measured apart from the timed rounds.
//!
//! A trainer that looked at the clock between its parts would be slower for it, and some parts it runs into each
//! other. So the parts are run here one after the other, on one thread, through the same public traits: they tell
//! what each costs by itself, and need not add up to the step.

use std::error::Error;
use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

use chainrule::core::{Backward, Forward, Layer, Mode, Plan, SequentialCache};
use chainrule::core::{Grads, Params};
use chainrule::optim::{ParamKind, Update};
use chainrule::prelude::*;
use chainrule::tensor::{Buffer, FlushDenormals, vector};
use ndarray::ArrayView1;
use serde::{Serialize, Serializer};

use super::measure::quantile;
use super::works::{Samples, Window, Work};

/// The parts of a step.
#[derive(Clone, Copy, Debug)]
enum Part {
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

const COUNT: usize = Part::Optimizer as usize + 1;

/// The names of the parts, in their order.
pub(crate) const NAMES: [&str; COUNT] =
    ["gather", "forward", "loss", "metrics", "backward", "reduce", "optimizer"];

/// The median time of each part, in microseconds a step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts(pub(crate) [f64; COUNT]);

impl Serialize for Parts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(NAMES.iter().zip(self.0))
    }
}

/// Adds up what passes between looks at the clock.
struct Stopwatch {
    last: Instant,
    seconds: [f64; COUNT],
    laps: [u32; COUNT],
}

impl Stopwatch {
    fn new() -> Self {
        Self { last: Instant::now(), seconds: [0.0; COUNT], laps: [0; COUNT] }
    }

    /// What has passed since the last lap was this part.
    fn lap(&mut self, part: Part) {
        let now = Instant::now();
        self.seconds[part as usize] += (now - self.last).as_secs_f64();
        self.laps[part as usize] += 1;
        self.last = now;
    }

    /// The seconds of each part, without those that looking at the clock took.
    fn parts(self) -> [f64; COUNT] {
        let (begin, looks) = (Instant::now(), 1_000);
        (0..looks).for_each(|_| _ = black_box(Instant::now()));
        let look = begin.elapsed().as_secs_f64() / f64::from(looks);
        std::array::from_fn(|part| (self.seconds[part] - look * f64::from(self.laps[part])).max(0.0))
    }
}

/// What stays the same from step to step.
struct Setting<'a> {
    layers: &'a Sequential<f32>,
    loss: &'a dyn Loss<f32, u8>,
    data: Window<'a>,
    inputs: usize,
    outputs: usize,
    batch: usize,
}

/// The memory of one shard.
struct Replica {
    rows: Range<usize>,
    cache: SequentialCache<f32>,
    grads: Buffer<f32>,
    x: Buffer<f32>,
    y: Buffer<f32>,
    dy: Buffer<f32>,
    targets: Vec<u8>,
}

impl Replica {
    fn run(
        &mut self,
        setting: &Setting<'_>,
        params: &[f32],
        step: u64,
        metric: &mut Accuracy,
        watch: &mut Stopwatch,
    ) -> Result<(), Box<dyn Error>> {
        let &Setting { layers, loss, ref data, inputs, outputs, batch } = setting;
        let Self { rows, cache, grads, x, y, dy, targets } = self;
        let (count, scale) = (rows.len(), 1.0 / batch as f32);
        targets.clear();
        // There are samples for a batch behind the last, which is asked for ahead.
        let first = step as usize * batch % (data.len() - 2 * batch);
        for (row, sample) in x.chunks_exact_mut(inputs).zip(rows.clone()) {
            targets.push(data.read(first + sample, row));
        }
        watch.lap(Part::Gather);
        // The trainer asks for the batch after this here and there in its descent.
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
        watch.lap(Part::Forward);
        let y = y.matrix(count, outputs);
        loss.check(outputs, targets)?;
        black_box(loss.loss(y, targets, scale, Some(dy.matrix_mut(count, outputs))));
        watch.lap(Part::Loss);
        metric.update(y, targets);
        watch.lap(Part::Metrics);
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
        watch.lap(Part::Backward);
        Ok(())
    }
}

/// Measures the parts of `steps` steps, `rounds` times.
pub(crate) fn measure(
    work: &Work,
    shards: usize,
    samples: &Samples,
    rounds: usize,
    steps: usize,
) -> Result<Parts, Box<dyn Error>> {
    let Work { batch, ref layers, input, classes: outputs, .. } = *work;
    let model = Model::new(input, layers.clone(), Seed(0))?;
    let (loss, optimizer) = (CrossEntropy::default(), adam(1e-3).keras());
    let slots = Optimizer::<f32>::slots(&optimizer);
    let (inputs, size) = (input.size(), model.parameters().len());
    let data = samples.window(0..2 * samples.count());
    let setting = Setting { layers, loss: &loss, data, inputs, outputs, batch };
    let (mut params, mut state) = (Buffer::from(model.parameters()), Buffer::zeros(slots * size));
    let replica = |shard: usize| {
        let rows = batch * shard / shards..batch * (shard + 1) / shards;
        let buffer = |columns: usize| Buffer::zeros(rows.len() * columns);
        let (x, y, dy) = (buffer(inputs), buffer(outputs), buffer(outputs));
        let (_, cache) = layers.plan(input, &mut Plan::new())?;
        let (grads, targets) = (Buffer::zeros(size), Vec::with_capacity(rows.len()));
        Ok(Replica { rows, cache, grads, x, y, dy, targets })
    };
    let mut replicas = (0..shards).map(replica).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let mut metric = Accuracy::default();
    let mut found = [(); COUNT].map(|()| Vec::with_capacity(rounds));
    let mut step = 0;
    let _flush = FlushDenormals::new();
    // The first round warms up, and is not counted.
    for round in 0..=rounds {
        let mut watch = Stopwatch::new();
        for _ in 0..steps {
            for replica in &mut replicas {
                replica.run(&setting, &params, step, &mut metric, &mut watch)?;
            }
            let (first, others) = replicas.split_first_mut().ok_or("a batch has at least one shard")?;
            for other in others {
                vector::add(ArrayView1::from(&*other.grads), (&mut *first.grads).into());
            }
            watch.lap(Part::Reduce);
            optimizer.update(Update {
                step,
                kind: ParamKind::Weight,
                params: &mut params,
                grads: &mut first.grads,
                state: &mut state,
            });
            watch.lap(Part::Optimizer);
            step += 1;
        }
        if round > 0 {
            let seconds = watch.parts();
            found.iter_mut().zip(seconds).for_each(|(found, seconds)| found.push(seconds));
        }
    }
    Ok(Parts(found.map(|mut seconds| 1e6 / steps as f64 * quantile(&mut seconds, 0.5))))
}
