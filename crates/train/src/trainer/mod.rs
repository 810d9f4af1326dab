//! The training loop: epochs and evaluation.
//!
//! [`settings`] holds what a user chooses, [`state`] what is kept from step to step, [`checks`] what must hold before it begins,
//! [`memory`] how much memory it takes, [`epoch`] the batches of an epoch, [`step`] a single step, [`evaluation`] an evaluation,
//! [`save`] and [`resume`] saving and resuming, [`tell`] telling callbacks, [`group`] training together with other processes.

mod audit;
mod averaged;
mod callback;
mod carried;
mod checkpoint;
mod checks;
mod divided;
mod epoch;
pub(crate) mod error;
mod evaluation;
mod fit;
mod forward;
mod go_back;
mod group;
mod history;
mod layer_sizes;
mod measure;
mod memory;
mod overlap;
mod place;
mod plateau;
mod refusal;
mod requests;
mod reserve;
mod resume;
mod save;
#[cfg(feature = "serde")]
mod serialize;
mod settings;
mod shard_count;
mod size_record;
mod snapshot;
mod state;
mod step;
mod suspects;
mod tallies;
mod targets;
mod tell;
mod traffic;
mod update;
mod view;
mod warning;
mod watchable;
mod wishes;
mod work;

pub use callback::{Callback, Event};
pub use checkpoint::Checkpoint;
pub use error::TrainError;
use error::if_readable;
pub use fit::Fit;
pub use history::{EpochReport, History, Scores};
pub use size_record::{LayerTime, WeightSizes};
pub use snapshot::Snapshot;
pub use suspects::{Quantity, Suspects};
pub use tallies::RunningMetrics;
pub use traffic::Traffic;
pub use view::TrainerView;
pub use warning::TrainWarning;

use std::fmt;

use chainrule_data::{Batches, Samples};
use chainrule_losses::Loss;
use chainrule_metrics::Measure;
use chainrule_optim::UpdateRule;
use chainrule_tensor::{Buffer, Real, Seed, blas};

use self::place::Place;
use self::reserve::reserve;
use self::shard_count::{WORTH_A_FORK, step_flops};
use self::size_record::SizeRecord;
use self::state::State;
use self::work::Work;
use crate::audit::auditor::Auditor;
use crate::engine::buckets::{self, Buckets};
use crate::engine::exchange::Exchanges;
use crate::engine::pool;
use crate::engine::reduce::Scratch;
use crate::engine::shard::Shard;
use crate::engine::split_k::{Cut, SplitK};
use crate::model::file::EpochPosition;
use crate::model::model::Model;

/// How many parameters are worth a thread that updates them, beside those that run shards.
const PARAMETERS_OF_THREAD: usize = 1 << 17;

/// Such a thread is not worth more scratch space than for so many values.
const MAX_SCRATCH: usize = 1 << 17;

/// Brings a model, a loss and an optimizer together, and fits the model to data.
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_data::digits;
/// use chainrule_layers::{Dense, Flatten, Relu};
/// use chainrule_losses::CrossEntropy;
/// use chainrule_metrics::Accuracy;
/// use chainrule_optim::adam;
/// use chainrule_tensor::Seed;
/// use chainrule_train::{Fit, Model, Trainer};
///
/// let (train, test) = (digits(500, Seed(1)), digits(100, Seed(2)));
/// let layers = Sequential::new().then(Flatten).then(Dense::new(64)).then(Relu).then(Dense::new(10));
/// let model = Model::new([28, 28], layers, Seed(0))?;
/// let mut trainer = Trainer::new(model, CrossEntropy, adam(1e-3))
///     .batch_size(16)
///     .metric(Accuracy);
/// let history = trainer.fit(&train, Fit::epochs(2).validation(&test))?;
/// let scores = trainer.evaluate(&test)?;
/// assert_eq!(history.epochs[1].validation.as_ref(), Some(&scores));
/// println!("{scores}"); // loss 1.2345, accuracy 0.6789
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A step computes the mean loss of a batch and, by the chain rule, its gradient, and lets the optimizer update the parameters.
/// With the same seed, batch size and number of shards, the parameters are the same to the last bit, for any number of
/// threads, on one kind of CPU.
///
/// While it trains or evaluates, BLAS is set to one thread for the whole program: the trainer runs products in parallel itself.
/// Afterwards, also after an error, BLAS has the threads that it had before. Denormal numbers count as 0 in the passes and updates,
/// but not where data sets are read, in callbacks and in metrics.
pub struct Trainer<T: Real, Y> {
    model: Model<T>,
    loss: Box<dyn Loss<T, Y>>,
    optimizer: Box<dyn UpdateRule<T>>,
    metrics: Vec<Box<dyn Measure<T, Y>>>,
    /// The metrics that were given another name, by their index.
    metric_names: Vec<(usize, String)>,
    callbacks: Vec<Box<dyn Callback<T>>>,
    /// What checkpoints hold as well, by name.
    notes: Vec<(String, String)>,
    batch_size: usize,
    /// In how many passes a batch is computed.
    accumulate: usize,
    /// How many steps in a row may be left out since they would not be finite.
    skip_nonfinite: u64,
    portable: bool,
    /// Whether sums have an order in which several processes can compute them.
    distributable: bool,
    /// Those who train with this process, if any do.
    place: Option<Place>,
    shards: Option<usize>,
    threads: usize,
    seed: Seed,
    shuffle: bool,
    /// What was warned of.
    warnings: Vec<TrainWarning>,
    /// The audit, unless there is none. It is taken out while it works.
    auditor: Option<Box<Auditor>>,
    /// The sizes of weights and gradients, if they are recorded. It is taken out while it works.
    sizes: Option<SizeRecord>,
    state: State<T, Y>,
    work: Work<Self, T, Y>,
}

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// A trainer with batches of 32 samples, seed 0, and a thread for each core.
    pub fn new(
        model: Model<T>,
        loss: impl Loss<T, Y> + 'static,
        optimizer: impl UpdateRule<T> + 'static,
    ) -> Self {
        let buckets = Buckets::new(model.plan(), &model.cache, &optimizer, buckets::sparse(&optimizer));
        let numbers = optimizer.numbers();
        Self {
            model,
            loss: Box::new(loss),
            optimizer: Box::new(optimizer),
            metrics: Vec::new(),
            metric_names: Vec::new(),
            callbacks: Vec::new(),
            notes: Vec::new(),
            batch_size: 32,
            accumulate: 1,
            skip_nonfinite: 0,
            portable: false,
            distributable: false,
            place: None,
            shards: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            seed: Seed(0),
            shuffle: true,
            warnings: Vec::new(),
            auditor: None,
            sizes: None,
            state: State::new(buckets, numbers),
            work: Work {
                fit: Self::fit_alone_or_in_group,
                evaluate: Self::evaluate_alone_or_in_group,
                measure_step: Self::measure_alone,
            },
        }
    }

    /// What was warned of so far.
    pub fn warnings(&self) -> &[TrainWarning] {
        &self.warnings
    }

    /// Warns, unless it was said before.
    fn warn(&mut self, warning: TrainWarning) {
        if self.warnings.contains(&warning) {
            return;
        }
        if self.speaks() {
            warning::write(&warning);
        }
        self.warnings.push(warning);
    }

    /// The model in its current state, as it is trained. See [`evaluated_model`](Self::evaluated_model).
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The number of epochs completed.
    pub fn epochs_done(&self) -> u64 {
        self.state.epoch
    }

    /// The reports of all epochs completed, those of earlier calls of `fit` and before a resume included. After a resume, metrics that
    /// are no numbers have no value in the reports before it.
    pub fn history(&self) -> &[EpochReport] {
        &self.state.history
    }

    /// The number of samples that were trained on since the last epoch was completed: not 0 if a callback or an error stopped
    /// the training in the middle of an epoch.
    pub fn samples_done(&self) -> usize {
        self.state.position.samples as usize
    }

    /// Leaves out the rest of an epoch in which the training stopped and counts it as completed, so that the next
    /// [`fit`](Self::fit) begins a new one.
    pub fn end_epoch(&mut self) {
        if self.state.position.samples > 0 {
            self.state.epoch += 1;
            self.state.position = EpochPosition::default();
            self.state.carried.clear();
        }
    }

    /// Trains on a data set, for a number of epochs or as [`Fit`] says: `trainer.fit(&train, 5)` or
    /// `trainer.fit(&train, Fit::epochs(5).validation(&test))`. Called again, it continues.
    ///
    /// It also continues where a callback or an error stopped it in the middle of an epoch: with the next batch of the same
    /// order, and with the sums of the loss and the metrics so far, so that the parameters and the report of the epoch are those
    /// of a training that was not interrupted. The rest of that epoch counts as the first of the epochs: after a break in the
    /// second of three, `fit(&train, Fit::until(3))` trains on what is left of the three.
    ///
    /// The run of a schedule that leaves out its length is all steps up to the end of this call, those of earlier calls included. Its
    /// rates are checked before the first step.
    ///
    /// A new epoch begins instead if the data set has another number of samples, after [`end_epoch`](Self::end_epoch), and where
    /// another seed or another choice of shuffling changes the order. So does a stateful model whose batch size or number of shards
    /// has changed.
    ///
    /// # Errors
    ///
    /// [`TrainError`] before the first step if a setting is invalid or the data does not fit the model, and during the training
    /// if a target or a value does not fit, or a step would not leave everything finite. The model and the optimizer's state are
    /// then as the last step left them, unless a callback goes back to other weights; states that layers carry from batch to batch begin again from zeros.
    pub fn fit<'a>(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        fit: impl Into<Fit<'a, T, Y>>,
    ) -> Result<History, TrainError>
    where
        Y: 'a,
    {
        (self.work.fit)(self, data, &fit.into())
    }

    fn fit_alone_or_in_group(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        fit: &Fit<'_, T, Y>,
    ) -> Result<History, TrainError> {
        self.in_group(|this| this.fit_as_member(data, fit))
    }

    fn fit_as_member(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        fit: &Fit<'_, T, Y>,
    ) -> Result<History, TrainError> {
        if self.speaks() {
            warning::warn_if_debug();
        }
        let mut batches = self.check_training(data)?;
        if let Some(validation) = fit.validation {
            self.check(validation.shape())?;
            self.check_stateful(validation.len(), false)?;
            self.check_samples(validation)?;
            self.check_memory_of_activations(validation, self.evaluation_rows(validation))?;
        }
        self.make_optimizer_state()?;
        let purpose = || format!("training, {fit:?}");
        self.compare_members(data, purpose)?;
        self.share_memory()?;
        if self.state.position.of != data.len() as u64 {
            self.end_epoch();
        }
        self.check_plateau()?;
        let epochs = fit.epochs_left(self.state.epoch);
        self.plan_run(epochs, batches.count() as u64)?;
        self.restore_callbacks()?;
        if epochs == 0 && !fit.may_be_over() {
            self.warn(TrainWarning::NoEpochs);
        }
        if self.batch_size > data.len() {
            self.warn(TrainWarning::LargeBatch { batch_size: self.batch_size, samples: data.len() });
        }
        self.warn_if_idle();
        self.state.trained.start(data.len(), address(data));
        // Also for the validation, which is to be the evaluation of those samples.
        let most = data.len().max(fit.validation.map_or(0, |validation| validation.len()));
        self.in_pool(self.rows_of_pass().min(most), |this| {
            let mut history = History::default();
            let result = this.epochs(data, fit, &mut batches, &mut history);
            let of_validation = || fit.validation.and_then(|validation| validation.failure());
            let result = if_readable(data.failure().or_else(of_validation), result);
            this.tell_end(result, history)
        })
    }

    /// Checks whether the model can be trained on this data; returns its batches.
    fn check_training(&self, data: &dyn Samples<T, Target = Y>) -> Result<Batches, TrainError> {
        self.check(data.shape())?;
        self.optimizer.validate()?;
        self.optimizer.check_parameters(self.state.buckets.parameters())?;
        targets::check_settings(&*self.loss, &self.metrics, self.model.output().size())?;
        self.check_stateful(data.len(), self.shuffle)?;
        self.check_single_samples(data.len())?;
        self.check_passes()?;
        self.check_memory_of_activations(data, self.rows_of_pass().min(data.len()))?;
        let order = self.shuffle.then_some(self.seed.child(0));
        Ok(Batches::new(data.len(), self.batch_size, order)?)
    }

    /// Trains for the epochs that are left, until a callback stops the training.
    fn epochs(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        fit: &Fit<'_, T, Y>,
        batches: &mut Batches,
        history: &mut History,
    ) -> Result<(), TrainError> {
        let epochs = fit.epochs_left(self.state.epoch);
        let start = Event::Start { epochs, batches: batches.count(), samples: data.len() };
        self.state.tallies.resize(&self.metrics, &self.metric_names, self.state.shards.len());
        if epochs > 0 {
            self.begin_audit(data, fit);
            self.size_step(data);
        }
        let mut flow = self.tell(&start)?;
        for _ in 0..epochs {
            if flow.is_break() {
                break;
            }
            flow = self.epoch(data, fit, batches, history)?;
        }
        self.end_audit(data);
        history.stopped = flow.is_break();
        Ok(())
    }

    /// The mean loss and the metrics over a data set, of the model as it is evaluated: see
    /// [`evaluated_model`](Self::evaluated_model).
    ///
    /// It is spread over all threads, and has the same bits for any number of threads, shards and processes. A stateful model takes the
    /// samples in batches as in training, starting from zeros, and so does a loss over a batch: there the shards are part of the result.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if a setting is invalid, or the data set is empty or does not fit the model.
    pub fn evaluate(&mut self, data: &dyn Samples<T, Target = Y>) -> Result<Scores, TrainError> {
        (self.work.evaluate)(self, data)
    }

    fn evaluate_alone_or_in_group(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
    ) -> Result<Scores, TrainError> {
        self.in_group(|this| {
            this.check(data.shape())?;
            targets::check_settings(&*this.loss, &this.metrics, this.model.output().size())?;
            this.check_stateful(data.len(), false)?;
            this.check_samples(data)?;
            this.check_memory_of_activations(data, this.evaluation_rows(data))?;
            this.compare_members(data, || "an evaluation".to_owned())?;
            let scores = this.aside(|this| this.with_averaged(|this| this.scores(data)));
            if_readable(data.failure(), scores)
        })
    }

    /// The number of samples that a pass takes at most.
    fn rows_of_pass(&self) -> usize {
        self.batch_size.div_ceil(self.accumulate.max(1))
    }

    /// Allocates the shards, and runs `work`, which takes `rows` samples at a time, where [`pool::join`] uses this trainer's
    /// threads and no others.
    fn in_pool<R: Send>(
        &mut self,
        rows: usize,
        work: impl FnOnce(&mut Self) -> Result<R, TrainError> + Send,
    ) -> Result<R, TrainError> {
        let _one_thread = blas::OneThread::new();
        self.state.rows = rows;
        // Further shards would always be empty, and a checkpoint may say any number. But those of a stateful model keep its states, and
        // those that several processes may share are the same everywhere.
        let are_kept = self.model.plan().is_stateful() || self.is_distributable();
        let shards = self.shard_count().min(if are_kept { usize::MAX } else { rows.max(1) });
        if self.state.shards.len() < shards {
            self.check_memory_of(shards)?;
        }
        let own = self.own_shards(shards);
        while self.state.shards.len() < shards {
            let Model { input, output, parameters, .. } = &self.model;
            let mut grads = Buffer::default();
            if own.contains(&self.state.shards.len()) {
                reserve(&mut grads, parameters.len(), own.len(), "the gradients of the shards")?;
            }
            let shard = Shard::new(self.model.cache(), grads, input.size(), output.size());
            self.state.shards.push(shard);
        }
        self.state.shards.truncate(shards);
        let inputs = self.model.input().size();
        let cut = Cut { batch: self.rows_of_pass(), shards, by_shard: self.is_distributable() };
        let split = !self.optimizer.needs_factors();
        let split_k = split.then(|| SplitK::new(self.model.plan(), &self.model.cache, inputs, cut));
        self.state.split_k = split_k.flatten();
        if self.sums_first() {
            let what = "the gradients that the optimizer needs all at once";
            reserve(&mut self.state.total, self.model.parameters().len(), 1, what)?;
        }
        self.make_factors()?;
        self.make_group_sum()?;
        self.make_operands(shards)?;
        let threads = self.useful_threads(rows, own.len());
        // Shards that wait for each other need a thread each, of which no more than allowed run at once.
        let exchanges = shards > 1 && self.model.plan().has_sums_over_batch();
        let pool_threads = if exchanges { own.len().max(threads) } else { threads };
        blas::reserve(pool_threads).map_err(|blas::NoScratch { bytes }| TrainError::Memory {
            what: "the products of BLAS",
            bytes,
        })?;
        let slots = self.optimizer.slots();
        if !self.state.optimizer_state.is_empty() || self.state.part.is_some() || slots == 0 {
            self.state.range.reset(slots);
        }
        let scratch = || Scratch::new(&self.state.buckets, slots, shards);
        self.state.scratch = (0..threads).map(|_| scratch()).collect();
        self.state.threads = threads;
        self.state.exchanges =
            exchanges.then(|| Exchanges::new(shards, self.threads, self.state.members.clone()));
        pool::run(pool_threads, self.threads, self.portable, || work(self))?
    }

    /// How many threads have work in a step, where this process runs so many shards.
    fn useful_threads(&self, rows: usize, shards: usize) -> usize {
        // Steps that do not fork need no other thread.
        if self.step_flops(rows) < WORTH_A_FORK {
            return 1;
        }
        // A shard is the work of one thread, but any number of threads can update parameters, each with its core's bandwidth. The
        // members of a group sum in their order instead.
        let buckets = &self.state.buckets;
        let is_small = buckets.longest().saturating_add(buckets.scratch()) <= MAX_SCRATCH;
        let of_update = if is_small && self.state.members.is_none() {
            let entries = self.model.plan().entries().iter();
            let updated =
                entries.filter(|entry| entry.kind.is_trained() && !(entry.table && buckets.sparse()));
            updated.map(|entry| entry.range.len()).sum::<usize>() / PARAMETERS_OF_THREAD
        } else {
            0
        };
        self.threads.min(shards.max(of_update)).max(1)
    }

    /// The floating-point operations of the products of one step.
    fn step_flops(&self, rows: usize) -> u64 {
        step_flops(self.model.plan(), rows as u64)
    }
}

impl<T: Real, Y> fmt::Debug for Trainer<T, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, loss, optimizer, metrics, batch_size, shards, threads, seed, state, .. } = self;
        f.debug_struct("Trainer")
            .field("layers", model.layers())
            .field("loss", loss)
            .field("optimizer", optimizer)
            .field("metrics", metrics)
            .field("batch_size", batch_size)
            .field("shards", shards)
            .field("threads", threads)
            .field("seed", seed)
            .field("step", &state.step)
            .finish_non_exhaustive()
    }
}

/// Where a data set is in memory.
fn address<D: ?Sized>(data: &D) -> usize {
    std::ptr::from_ref(data).addr()
}
