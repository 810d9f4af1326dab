//! The settings of a trainer.

use std::ops::ControlFlow;

use chainrule_metrics::Measure;
use chainrule_tensor::{Real, Seed};

use super::callback::{Callback, Event, SeeingClosure};
use super::shard_count::default_count;
use super::view::TrainerView;
use super::{State, Trainer};
use crate::engine::buckets::{self, Buckets};

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// The number of samples in a batch; 32 by default.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        let shards = self.shard_count();
        let before = std::mem::replace(&mut self.batch_size, batch_size);
        self.end_stateful_epoch_if(before != batch_size || self.shard_count() != shards);
        self
    }

    /// Computes each batch in several passes, one after the other, and takes one step with the gradient of all of it: the activations
    /// then take a fraction of the memory. 1 by default.
    ///
    /// `batch_size(256).accumulate(4)` trains with batches of 256 samples, of which 64 are in memory at a time, where PyTorch and
    /// Keras would speak of a batch of 64 and 4 steps of accumulation. The loss and the gradient are those of the whole batch,
    /// weights included, but the last bits differ, and batch normalisation takes its statistics over a pass. Embeddings whose
    /// gradients are sparse get dense ones. Losses that compare the samples of a batch with each other, and models that carry states, are
    /// refused.
    #[must_use]
    pub fn accumulate(mut self, passes: usize) -> Self {
        self.accumulate = passes;
        let sparse = buckets::sparse(&*self.optimizer) && passes < 2;
        if sparse == self.state.buckets.sparse() {
            return self;
        }
        // The state is stored bucket by bucket.
        let buckets = Buckets::new(self.model.plan(), &self.model.cache, &*self.optimizer, sparse);
        let is_whole = self.state.has_whole_state();
        let State { buckets: before, optimizer_state, .. } = &mut self.state;
        if is_whole {
            let by_slot = before.state_by_slot(optimizer_state);
            buckets.state_by_bucket(&by_slot, optimizer_state);
        }
        self.state.buckets = buckets;
        self
    }

    /// Leaves out up to `steps` steps in a row that would not leave everything finite, and goes on with the next batch, instead of
    /// stopping with [`TrainError::Diverged`](super::TrainError::Diverged) or
    /// [`TrainError::NotFinite`](super::TrainError::NotFinite). 0 by default.
    ///
    /// Such a step changes nothing, and does not count for schedules. Callbacks are told of each ([`Event::Skipped`](super::Event::Skipped)),
    /// and [`History::skipped`](super::History::skipped) is their number. The report of the epoch is over the other samples.
    #[must_use]
    pub fn skip_nonfinite(self, steps: u64) -> Self {
        Self { skip_nonfinite: steps, ..self }
    }

    /// Whether the result is the same to the last bit on every CPU: products are computed by our own kernels alone, which add in one
    /// order whatever the width of vectors ([`PortableProducts`](chainrule_tensor::PortableProducts)), and so is everything else.
    /// `false` by default, where BLAS and kernels for one kind of CPU are used wherever they are faster.
    ///
    /// A checkpoint does not hold it; after [`resume`](super::Trainer::resume) it is to be chosen again. What is computed outside of the
    /// trainer, as the predictions of a [`Predictor`](crate::Predictor), is as the caller's thread chooses. On x86-64 without FMA it
    /// takes many times as long.
    #[must_use]
    pub fn portable(self, portable: bool) -> Self {
        Self { portable, ..self }
    }

    /// The number of parts into which a batch is cut. It limits how many threads can work, and it is part of the result: another
    /// number changes the last bits.
    ///
    /// The default, `None`, does not depend on the machine, but on the model and the batch. It is 1 for a batch whose products take less
    /// than 2 million floating-point operations, which are done before another thread could begin, else 2, 4, 8 or 16: as many as have
    /// 64 samples each, or 16 where a sample uses the parameters several times, as in a convolution or over the steps of a sequence; 32 if
    /// layers sum over the batch.
    /// With more cores than shards, more shards let them work, at some cost for each. Where layers sum over the batch, as batch
    /// normalisation does, each shard has a thread of its own, of which no more run at once than [`threads`](Self::threads) says.
    #[must_use]
    pub fn shards(mut self, shards: impl Into<Option<usize>>) -> Self {
        let before = self.shard_count();
        self.shards = shards.into();
        self.end_stateful_epoch_if(self.shard_count() != before);
        self
    }

    /// The number of shards that was set, or the default for this batch size.
    pub fn shard_count(&self) -> usize {
        let rows = self.rows_of_pass();
        let shards = self
            .shards
            .unwrap_or_else(|| default_count(self.model.plan(), rows, self.state.buckets.sparse()));
        // With more shards than samples in a batch, some would always be empty.
        shards.min(rows.max(1))
    }

    /// The maximum number of threads; one for each core by default. It is no part of the result.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The seed of shuffling and of random layers, a [`Seed`] or a number; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        let seed = seed.into();
        if std::mem::replace(&mut self.seed, seed) != seed {
            self.end_epoch();
        }
        self
    }

    /// Whether the samples are shuffled for each epoch; they are by default. A stateful model needs them in their own order.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        if std::mem::replace(&mut self.shuffle, shuffle) != shuffle {
            self.end_epoch();
        }
        self
    }

    /// Adds a metric to report, under its name, or, if another metric has that, under its description:
    /// `precision(average=per_class, ...)`. One that takes the outputs for something else than the loss does is refused when the training
    /// or the evaluation begins.
    #[must_use]
    pub fn metric(mut self, metric: impl Measure<T, Y> + 'static) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// As [`metric`](Self::metric), under this name.
    #[must_use]
    pub fn metric_as(mut self, name: impl Into<String>, metric: impl Measure<T, Y> + 'static) -> Self {
        self.metric_names.push((self.metrics.len(), name.into()));
        self.metric(metric)
    }

    /// Adds a callback, which is told what happens and can stop the training.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<T> + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Adds a closure as a callback that also sees the training: its model, its learning rate, its steps.
    ///
    /// ```
    /// # use std::ops::ControlFlow;
    /// # use chainrule_core::Sequential;
    /// # use chainrule_data::digits;
    /// # use chainrule_layers::{Dense, Flatten};
    /// # use chainrule_losses::CrossEntropy;
    /// # use chainrule_optim::adam;
    /// # use chainrule_tensor::Seed;
    /// # use chainrule_train::{Event, Model, Trainer};
    /// # let model = Model::new([28, 28], Sequential::new().then(Flatten).then(Dense::new(10)), Seed(0))?;
    /// # let trainer = Trainer::new(model, CrossEntropy, adam(1e-3));
    /// let mut trainer = trainer.on_event(|event, training| {
    ///     if let Event::EpochEnd(report) = event {
    ///         let rate = training.learning_rate().unwrap_or_default();
    ///         println!("epoch {}: {}, rate {rate}", report.epoch + 1, report.train);
    ///     }
    ///     ControlFlow::Continue(())
    /// });
    /// # trainer.fit(&digits(100, Seed(1)), 1)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_event(
        self,
        closure: impl FnMut(&Event<'_>, &mut TrainerView<'_, T>) -> ControlFlow<()> + Send + 'static,
    ) -> Self {
        self.callback(SeeingClosure(closure))
    }

    /// Notes something that checkpoints are to hold as well, such as the configuration of the program, under a name. It replaces what
    /// was noted under that name, and [`resume`](Self::resume) replaces all notes by those of the file.
    #[must_use]
    pub fn note(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        let name = name.into();
        self.notes.retain(|(known, _)| *known != name);
        self.notes.push((name, text.into()));
        self
    }

    /// The states that layers carry belong to rows of batches and shards: with others, a stateful model begins a new epoch.
    fn end_stateful_epoch_if(&mut self, changed: bool) {
        if changed && self.model.plan().is_stateful() {
            self.end_epoch();
        }
    }
}
