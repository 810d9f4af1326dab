//! What a user chooses.

use chainrule_metrics::Metric;
use chainrule_tensor::{Real, Seed};

use super::callback::Callback;
use super::{Trainer, WORTH_A_FORK};

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
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
}
