//! The training loop.

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::time::Instant;

use chainrule_data::{Batches, Dataset};
use chainrule_layer::{Layer, Mode};
use chainrule_losses::Loss;
use chainrule_metrics::Metric;
use chainrule_optim::Optimizer;
use chainrule_tensor::{Buffer, Real, Seed, Shape, blas};

use crate::file::{self, Contents, FileError, Training};
use crate::lead::Lead;
use crate::pieces::{self, Descent, Part, Pieces, Region, Scratch};
use crate::rows::Ground;
use crate::shard::{Batch, Pass, Shard};
use crate::threads;
use crate::{Callback, EpochReport, Event, History, Model, Scores, TrainError};

/// Below this many floating-point operations a step takes less time than handing part of it to another
/// thread would (2 million take about 20 microseconds).
const WORTH_A_FORK: u64 = 2_000_000;

/// How many samples an evaluation takes at a time for each shard.
const EVALUATION_ROWS: usize = 256;

/// Brings a model, a loss and an optimizer together.
///
/// A step computes the mean loss of a batch and its gradient, by the chain rule, and lets the optimizer
/// descend. For one seed, batch size and number of shards the parameters come out the same to the last bit,
/// for any number of threads, on one kind of CPU.
///
/// While it trains, BLAS is set to one thread for the whole program: the trainer runs products side by side.
pub struct Trainer<T: Real, Y> {
    model: Model<T>,
    loss: Box<dyn Loss<T, Y>>,
    optimizer: Box<dyn Optimizer<T>>,
    metrics: Vec<Box<dyn Metric<T, Y>>>,
    callbacks: Vec<Box<dyn Callback>>,
    batch_size: usize,
    shards: Option<usize>,
    threads: usize,
    seed: Seed,
    shuffle: bool,
    run: Run<T, Y>,
}

/// What a trainer remembers from step to step.
struct Run<T: Real, Y> {
    shards: Vec<Shard<T, Y>>,
    /// The first product of a training step, where it is cut among the shards.
    lead: Option<Lead<T>>,
    state: Buffer<T>,
    /// The gradient of all parameters, for an optimizer that prepares.
    total: Buffer<T>,
    /// For each thread.
    scratch: Vec<Scratch<T>>,
    pieces: Pieces,
    step: u64,
    epoch: u64,
    /// How many threads may work now: 1 where there is no pool.
    threads: usize,
}

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// A trainer with batches of 32 samples, seed 0, and as many threads as the machine runs at once.
    pub fn new(
        model: Model<T>,
        loss: impl Loss<T, Y> + 'static,
        optimizer: impl Optimizer<T> + 'static,
    ) -> Self {
        let state = Buffer::zeros(optimizer.slots() * model.parameters().len());
        let pieces = Pieces::new(model.plan(), &model.cache, &optimizer);
        Self {
            model,
            loss: Box::new(loss),
            optimizer: Box::new(optimizer),
            metrics: Vec::new(),
            callbacks: Vec::new(),
            batch_size: 32,
            shards: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            seed: Seed(0),
            shuffle: true,
            run: Run {
                shards: Vec::new(),
                lead: None,
                state,
                total: Buffer::default(),
                scratch: Vec::new(),
                pieces,
                step: 0,
                epoch: 0,
                threads: 1,
            },
        }
    }

    /// How many samples a step takes.
    #[must_use]
    pub fn batch_size(self, batch_size: usize) -> Self {
        Self { batch_size, ..self }
    }

    /// Into how many parts a batch is cut. It bounds how many threads can work, and it is part of the result:
    /// another number gives other last bits.
    ///
    /// The default does not depend on the machine: 2, or 1 for a batch whose products take less than 2 million
    /// floating-point operations, which are done before another thread could begin. With more cores than 2,
    /// choose as many as there are, if each part still has 16 samples or so. `None` is the default.
    #[must_use]
    pub fn shards(self, shards: impl Into<Option<usize>>) -> Self {
        Self { shards: shards.into(), ..self }
    }

    /// The number of shards as it was set, or the default for this batch size.
    pub fn shard_count(&self) -> usize {
        let default = if self.step_flops(self.batch_size) < WORTH_A_FORK { 1 } else { 2 };
        // More shards than samples in a batch would only be empty.
        self.shards.unwrap_or(default).min(self.batch_size.max(1))
    }

    /// How many threads may work. It is no part of the result.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The seed of shuffling and of random layers.
    #[must_use]
    pub fn seed(self, seed: Seed) -> Self {
        Self { seed, ..self }
    }

    /// Whether each epoch takes the samples in another random order; it does by default. A model that carries a
    /// state from batch to batch wants them in their own order.
    #[must_use]
    pub fn shuffle(self, shuffle: bool) -> Self {
        Self { shuffle, ..self }
    }

    /// Another metric to keep.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric<T, Y> + 'static) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// Another callback to tell what happens.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The model, trained.
    pub fn into_model(self) -> Model<T> {
        self.model
    }

    /// How many epochs are done.
    pub fn epochs_done(&self) -> u64 {
        self.run.epoch
    }

    /// Trains for `epochs` more epochs.
    ///
    /// # Errors
    ///
    /// [`TrainError`] before the first step if a setting, a shape or the data set cannot work, and later if a
    /// target is out of range or the loss is no longer finite. The model is then as the last step left it.
    pub fn fit<D>(&mut self, data: &D, epochs: u64) -> Result<History, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        self.fit_and_validate(data, None::<&D>, epochs)
    }

    /// As [`fit`](Self::fit), and evaluates on `validation`, if there is any, after each epoch.
    ///
    /// # Errors
    ///
    /// Those of [`fit`](Self::fit).
    pub fn fit_and_validate<D, V>(
        &mut self,
        data: &D,
        validation: Option<&V>,
        epochs: u64,
    ) -> Result<History, TrainError>
    where
        D: Dataset<T, Target = Y>,
        V: Dataset<T, Target = Y>,
    {
        say_if_slow();
        self.check(data.shape())?;
        self.optimizer.validate()?;
        self.loss.validate()?;
        let carries = self.model.plan().carries();
        if carries && (self.shuffle || !data.len().is_multiple_of(self.batch_size)) {
            return Err(TrainError::Carried { samples: data.len(), batch_size: self.batch_size });
        }
        let order = self.shuffle.then_some(self.seed.child(0));
        let mut batches = Batches::new(data.len(), self.batch_size, order)?;
        self.in_pool(self.batch_size, |this| {
            let mut history = History::default();
            let start = Event::Start { epochs, batches: batches.count(), samples: data.len() };
            if this.tell(&start).is_break() {
                history.stopped = true;
                return Ok(history);
            }
            for _ in 0..epochs {
                let (report, mut flow) = this.epoch(data, validation, &mut batches)?;
                if flow.is_continue() {
                    flow = this.tell(&Event::EpochEnd(&report));
                }
                history.epochs.push(report);
                if flow.is_break() {
                    history.stopped = true;
                    break;
                }
            }
            Ok(history)
        })
    }

    /// The mean loss and the metrics over a data set.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if the data set is empty or does not fit the model.
    pub fn evaluate<D>(&mut self, data: &D) -> Result<Scores, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        self.check(data.shape())?;
        self.in_pool(EVALUATION_ROWS.saturating_mul(self.shard_count()), |this| this.scores(data))
    }

    /// Writes the model and all that training needs to go on with the same bits.
    ///
    /// # Errors
    ///
    /// [`FileError`] with the path and what the system says.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let training = Training {
            epoch: self.run.epoch,
            step: self.run.step,
            seed: self.seed.0,
            batch_size: self.batch_size as u64,
            shards: self.shard_count() as u64,
            setup: self.setup(),
            state: file::bytes(&self.run.state),
        };
        file::write(path.as_ref(), &Contents::of(&self.model, Some(training)))
    }

    /// Takes up a training that was saved, where it stood. The trainer must have the same layers, loss and
    /// optimizer; seed, batch size and shards come from the file.
    ///
    /// # Errors
    ///
    /// [`TrainError::File`] if the file cannot be used, [`TrainError::Checkpoint`] if it is of another training.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let mut contents = file::read(path)?;
        let training = contents.training.take();
        let training = training.ok_or_else(|| FileError::NotACheckpoint { path: path.to_owned() })?;
        if training.setup != self.setup() {
            let message = format!("it was made with {}, this trainer has {}", training.setup, self.setup());
            return Err(TrainError::Checkpoint(message));
        }
        let model = contents.into_model(path, self.model.layers().clone())?;
        if model.input() != self.model.input() {
            let message = format!("its samples have the shape {}", model.input());
            return Err(TrainError::Checkpoint(message));
        }
        if file::numbers(&training.state, &mut self.run.state).is_none() {
            return Err(TrainError::Checkpoint("the optimizer's state has another length".into()));
        }
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        (self.run.epoch, self.run.step, self.seed) = (training.epoch, training.step, Seed(training.seed));
        (self.batch_size, self.shards) = (size(training.batch_size), Some(size(training.shards)));
        self.model = model;
        self.run.shards.clear();
        Ok(self)
    }

    fn setup(&self) -> String {
        format!("{:?} and {:?}", self.loss, self.optimizer)
    }

    /// What can be checked before anything runs.
    fn check(&self, samples: Shape) -> Result<(), TrainError> {
        // A sample is a row of numbers: a different shape of the same size would be read as something else.
        if samples != self.model.input() {
            return Err(TrainError::Shape { samples, model: self.model.input() });
        }
        match (self.shards, self.threads) {
            (Some(0), _) => Err(TrainError::Zero("shards")),
            (_, 0) => Err(TrainError::Zero("threads")),
            _ => Ok(()),
        }
    }

    /// Makes the shards, and runs `work`, which takes so many `rows` at a time, where [`threads::join`] uses this trainer's threads and no others.
    fn in_pool<R: Send>(
        &mut self,
        rows: usize,
        work: impl FnOnce(&mut Self) -> Result<R, TrainError> + Send,
    ) -> Result<R, TrainError> {
        blas::set_threads(1);
        let shards = self.shard_count();
        while self.run.shards.len() < shards {
            let Model { input, output, parameters, .. } = &self.model;
            let shard = Shard::new(self.model.cache(), parameters.len(), input.size(), output.size());
            self.run.shards.push(shard);
        }
        self.run.shards.truncate(shards);
        self.run.lead = Lead::new(&self.model, self.batch_size, shards);
        let (slots, pieces) = (self.optimizer.slots(), &self.run.pieces);
        self.run.scratch = (0..self.threads).map(|_| pieces.scratch(slots, shards)).collect();
        if self.optimizer.prepares() {
            self.run.total.reserve(self.model.parameters().len());
        }
        // Steps that fork nothing need no other thread.
        self.run.threads = if self.step_flops(rows) < WORTH_A_FORK { 1 } else { self.threads.min(shards) };
        threads::run(self.run.threads, || work(self))?
    }

    /// The floating-point operations of the products of one step.
    fn step_flops(&self, rows: usize) -> u64 {
        3 * self.model.plan().total_flops().saturating_mul(rows as u64)
    }

    fn tell(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        self.callbacks.iter_mut().try_for_each(|callback| callback.on(event))
    }

    /// Trains on every sample once, and validates.
    fn epoch<D, V>(
        &mut self,
        data: &D,
        validation: Option<&V>,
        batches: &mut Batches,
    ) -> Result<(EpochReport, ControlFlow<()>), TrainError>
    where
        D: Dataset<T, Target = Y>,
        V: Dataset<T, Target = Y>,
    {
        let epoch = self.run.epoch;
        let mut flow = self.tell(&Event::Epoch { epoch });
        let begin = Instant::now();
        batches.epoch(epoch);
        self.renew();
        self.metrics.iter_mut().for_each(|metric| metric.reset());
        let mut values: Vec<(&'static str, f64)> =
            self.metrics.iter().map(|m| (m.name(), m.value())).collect();
        let (mut sum, mut samples) = (0.0, 0);
        let mut rest = batches.iter().enumerate().peekable();
        while let Some((index, batch)) = rest.next().filter(|_| flow.is_continue()) {
            let next = rest.peek().map_or(&[][..], |(_, next)| next);
            let loss = self.step(data, Batch { index, samples: batch, next })?.as_f64();
            if !loss.is_finite() {
                return Err(TrainError::Diverged { epoch, batch: index, loss });
            }
            sum += loss * batch.len() as f64;
            samples += batch.len();
            if !self.callbacks.is_empty() {
                self.read_metrics(&mut values);
                let loss = sum / samples as f64;
                flow = self.tell(&Event::Step { epoch, batch: index, samples, loss, metrics: &values });
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        self.read_metrics(&mut values);
        let train = Scores { loss: sum / samples as f64, metrics: values };
        self.run.epoch += 1;
        let validation = validation.map(|validation| self.scores(validation)).transpose()?;
        Ok((EpochReport { epoch, train, validation, seconds, samples }, flow))
    }

    /// States that are carried from batch to batch begin anew.
    fn renew(&mut self) {
        if self.model.plan().carries() {
            self.run.shards.iter_mut().for_each(|shard| shard.renew(self.model.cache()));
        }
    }

    fn read_metrics(&self, values: &mut [(&'static str, f64)]) {
        for (value, metric) in values.iter_mut().zip(&self.metrics) {
            value.1 = metric.value();
        }
    }

    /// One step of training; the mean loss of the batch before it.
    fn step<D>(&mut self, data: &D, batch: Batch<'_>) -> Result<T, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        let seed = self.seed.child(1).child(self.run.step);
        let threads = if self.step_flops(batch.samples.len()) < WORTH_A_FORK { 1 } else { self.run.threads };
        let mode = Mode::Train { seed, first_row: 0 };
        let loss = self.forward(data, batch, mode, threads)?;
        let (optimizer, slots) = (&*self.optimizer, self.optimizer.slots());
        let Run { shards, lead, state, total, scratch, pieces, step, .. } = &mut self.run;
        let (params, pieces) = (&mut self.model.parameters, pieces.of_step(shards));
        let mut descend = |part, total: &mut [T]| {
            let ground = Ground { step: *step, optimizer, slots, offset: 0, params, state };
            let all = Region { pieces, ground, total };
            Descent { part, shards, lead: lead.as_ref() }.run(all, scratch, threads);
        };
        if optimizer.prepares() {
            descend(Part::Sum, total);
            optimizer.prepare(*step, total);
            descend(Part::Update, total);
        } else {
            descend(Part::Both, &mut []);
        }
        *step += 1;
        Ok(loss)
    }

    /// Runs the shards of a batch, and adds their outputs to the metrics; the mean loss of the batch.
    fn forward<D>(&mut self, data: &D, batch: Batch<'_>, mode: Mode, threads: usize) -> Result<T, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        let pass = Pass {
            layers: self.model.layers(),
            params: self.model.parameters(),
            loss: &*self.loss,
            data,
            batch,
            mode,
            deferred: pieces::defers(self.model.plan()),
            sparse: pieces::sparse(&*self.optimizer),
        };
        let columns = self.model.output().size();
        let Run { shards, lead, .. } = &mut self.run;
        let (count, samples) = (shards.len(), batch.samples.len());
        let mut lead = lead.as_mut().filter(|_| mode != Mode::Eval);
        if let Some(Lead { parts, units, .. }) = &mut lead {
            each(parts, shards, 0, threads, &|position, part, shard| {
                part.run(&pass, rows_of(samples, position, count), &mut shard.targets, *units);
                None::<TrainError>
            });
        }
        let lead = lead.as_deref();
        let failed = each(shards, &mut vec![(); count], 0, threads, &|position, shard, ()| {
            let rows = rows_of(samples, position, count);
            if lead.is_none() {
                shard.gather(&pass, rows.clone());
            }
            // What was gathered is checked here, so that layers and losses need not.
            let batch = batch.index;
            if let Err(source) = pass.loss.check(columns, &shard.targets) {
                return Some(TrainError::Target { batch, columns, source });
            }
            if let (None, Err(source)) = (lead, pass.layers.check(shard.inputs())) {
                return Some(TrainError::Value { batch, source });
            }
            shard.run(&pass, rows, lead);
            None
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let mut loss = T::zero();
        for shard in &self.run.shards {
            loss += shard.loss;
            for metric in &mut self.metrics {
                metric.update(shard.outputs(), &shard.targets);
            }
        }
        Ok(loss)
    }

    fn scores<D>(&mut self, data: &D) -> Result<Scores, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        let mut batches = Batches::new(data.len(), EVALUATION_ROWS * self.run.shards.len(), None)?;
        batches.epoch(0);
        self.renew();
        self.metrics.iter_mut().for_each(|metric| metric.reset());
        let mut sum = 0.0;
        for (index, samples) in batches.iter().enumerate() {
            let batch = Batch { index, samples, next: &[] };
            let loss = self.forward(data, batch, Mode::Eval, self.run.threads)?;
            sum += loss.as_f64() * samples.len() as f64;
        }
        let metrics = self.metrics.iter().map(|metric| (metric.name(), metric.value())).collect();
        Ok(Scores { loss: sum / data.len() as f64, metrics })
    }
}

impl<T: Real, Y> fmt::Debug for Trainer<T, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, loss, optimizer, metrics, batch_size, threads, seed, run, .. } = self;
        f.debug_struct("Trainer")
            .field("layers", model.layers())
            .field("loss", loss)
            .field("optimizer", optimizer)
            .field("metrics", metrics)
            .field("batch_size", batch_size)
            .field("shards", &self.shards)
            .field("threads", threads)
            .field("seed", seed)
            .field("step", &run.step)
            .finish_non_exhaustive()
    }
}

/// Says once that this is a debug build, if it is one: nobody who waits for it would guess how much faster it can be.
fn say_if_slow() {
    static SAID: std::sync::Once = std::sync::Once::new();
    if cfg!(debug_assertions) {
        SAID.call_once(|| {
            eprintln!("warning: this is a debug build, many times slower: build with --release")
        });
    }
}

/// The rows of one shard: as even as `count` parts of `rows` can be.
fn rows_of(rows: usize, position: usize, count: usize) -> Range<usize> {
    rows * position / count..rows * (position + 1) / count
}

/// Calls `work` for each pair of the two slices, on up to `threads` threads; the first error by position.
fn each<A: Send, B: Send, E: Send>(
    a: &mut [A],
    b: &mut [B],
    position: usize,
    threads: usize,
    work: &(impl Fn(usize, &mut A, &mut B) -> Option<E> + Sync),
) -> Option<E> {
    if threads < 2 || a.len() < 2 {
        let run = |(index, (a, b))| work(position + index, a, b);
        // All of them run, so that none keeps what an earlier batch left.
        return a.iter_mut().zip(b).enumerate().map(run).fold(None, Option::or);
    }
    let half = a.len().div_ceil(2);
    let ((a, a_rest), (b, b_rest)) = (a.split_at_mut(half), b.split_at_mut(half));
    let (first, second) = crate::threads::join(
        || each(a, b, position, threads.div_ceil(2), work),
        || each(a_rest, b_rest, position + half, threads / 2, work),
    );
    first.or(second)
}
