//! The training loop: epochs, evaluation and what they need.
//!
//! [`settings`] has what a user chooses, [`step`] one step of the descent, [`checkpoint`] saving and going on.

mod checkpoint;
mod settings;
mod step;

use std::fmt;
use std::ops::ControlFlow;
use std::time::Instant;

use chainrule_core::Mode;
use chainrule_data::{Batches, Dataset};
use chainrule_losses::Loss;
use chainrule_metrics::Metric;
use chainrule_optim::Optimizer;
use chainrule_tensor::{Buffer, Real, Seed, Shape, blas};

use crate::descent::Scratch;
use crate::lead::Lead;
use crate::pieces::Pieces;
use crate::shard::Shard;
use crate::threads;
use crate::{Callback, EpochReport, Event, History, Model, Scores, TrainError};
use step::Batch;

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
    /// What the optimizer remembers, from the first fit on: before that, zeros.
    state: Buffer<T>,
    /// The gradient of all parameters, for an optimizer that needs all gradients at once.
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
                state: Buffer::default(),
                total: Buffer::default(),
                scratch: Vec::new(),
                pieces,
                step: 0,
                epoch: 0,
                threads: 1,
            },
        }
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
    /// Those of [`fit`](Self::fit) and [`evaluate`](Self::evaluate).
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
        self.check_carrying(data.len(), self.shuffle)?;
        if let Some(validation) = validation {
            self.check(validation.shape())?;
            self.check_carrying(validation.len(), false)?;
            Batches::new(validation.len(), self.evaluation_rows(), None)?;
        }
        let order = self.shuffle.then_some(self.seed.child(0));
        let mut batches = Batches::new(data.len(), self.batch_size, order)?;
        self.make_state()?;
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
    /// A model that carries a state from batch to batch takes the samples in batches as in training, from zeros on.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if the data set is empty or does not fit the model.
    pub fn evaluate<D>(&mut self, data: &D) -> Result<Scores, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        self.check(data.shape())?;
        self.loss.validate()?;
        self.check_carrying(data.len(), false)?;
        self.in_pool(self.evaluation_rows(), |this| this.scores(data))
    }

    /// How many samples an evaluation takes at a time.
    fn evaluation_rows(&self) -> usize {
        match self.model.plan().is_stateful() {
            // LayerInfo by row, a state goes on as the data set was laid out for training.
            true => self.batch_size,
            false => EVALUATION_ROWS.saturating_mul(self.shard_count()),
        }
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

    /// Whether states that are carried find their samples in so many, if they are shuffled or not.
    fn check_carrying(&self, samples: usize, shuffle: bool) -> Result<(), TrainError> {
        if self.model.plan().is_stateful() && (shuffle || !samples.is_multiple_of(self.batch_size)) {
            return Err(TrainError::Carried { samples, batch_size: self.batch_size });
        }
        Ok(())
    }

    /// Makes the optimizer's state, if there is none.
    fn make_state(&mut self) -> Result<(), TrainError> {
        let (count, each) = (self.model.parameters().len(), self.optimizer.slots());
        reserve(&mut self.run.state, count.saturating_mul(each), 1, "what the optimizer remembers")
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
            let mut grads = Buffer::default();
            reserve(&mut grads, parameters.len(), shards, "the gradients of the shards")?;
            let shard = Shard::new(self.model.cache(), grads, input.size(), output.size());
            self.run.shards.push(shard);
        }
        self.run.shards.truncate(shards);
        self.run.lead = Lead::new(&self.model, self.batch_size, shards);
        if self.optimizer.needs_all_gradients() {
            reserve(
                &mut self.run.total,
                self.model.parameters().len(),
                1,
                "the gradients that the optimizer needs all at once",
            )?;
        }
        // Steps that fork nothing need no other thread.
        self.run.threads = if self.step_flops(rows) < WORTH_A_FORK { 1 } else { self.threads.min(shards) };
        let (slots, pieces) = (self.optimizer.slots(), &self.run.pieces);
        self.run.scratch = (0..self.run.threads).map(|_| Scratch::new(pieces, slots, shards)).collect();
        threads::run(self.run.threads, || work(self))?
    }

    /// The floating-point operations of the products of one step.
    fn step_flops(&self, rows: usize) -> u64 {
        self.model.plan().total_flops().saturating_mul(3).saturating_mul(rows as u64)
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
        if self.model.plan().is_stateful() {
            self.run.shards.iter_mut().for_each(|shard| shard.renew(self.model.cache()));
        }
    }

    fn read_metrics(&self, values: &mut [(&'static str, f64)]) {
        for (value, metric) in values.iter_mut().zip(&self.metrics) {
            value.1 = metric.value();
        }
    }

    fn scores<D>(&mut self, data: &D) -> Result<Scores, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        let mut batches = Batches::new(data.len(), self.evaluation_rows(), None)?;
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

/// Makes room for `len` values, one of so `many` such buffers, or says how many bytes all of them would take.
fn reserve<T: Real>(
    buffer: &mut Buffer<T>,
    len: usize,
    many: usize,
    what: &'static str,
) -> Result<(), TrainError> {
    if buffer.len() < len {
        let bytes = len.saturating_mul(size_of::<T>()).saturating_mul(many);
        *buffer = Buffer::try_zeros(len).ok_or(TrainError::Memory { what, bytes })?;
    }
    Ok(())
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
