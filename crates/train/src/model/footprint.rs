//! The memory of a training, estimated before it starts.

use chainrule_core::{ParamEntry, ParamKind};
use chainrule_optim::UpdateRule;
use chainrule_tensor::Real;

use super::model::Model;
use crate::engine::buckets::{self, Buckets};
use crate::engine::factors::SecondMoments;
use crate::engine::range::RangeProof;
use crate::engine::split_k::{Cut, SplitK};

/// The bytes that a training takes, as [`Model::training_bytes`] estimates them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingBytes {
    /// The model's parameters.
    pub parameters: u64,
    /// The optimizer's state.
    pub optimizer: u64,
    /// Copies of the parameters and of the optimizer's state, for steps that may have to be undone, where the optimizer states no
    /// bound of what it computes (see [`UpdateRule::bound`]).
    pub copies: u64,
    /// The gradients of the parameters, of each shard, and what an optimizer needs beside them.
    pub gradients: u64,
    /// The samples of a batch, what the layers compute from them and keep, and the gradients of that.
    pub activations: u64,
}

impl TrainingBytes {
    /// All of them together.
    pub fn total(&self) -> u64 {
        let Self { parameters, optimizer, copies, gradients, activations } = *self;
        [parameters, optimizer, copies, gradients, activations].into_iter().fold(0, u64::saturating_add)
    }
}

impl<T: Real> Model<T> {
    /// The bytes that training this model takes, with batches of `batch_size` samples cut into `shards`.
    ///
    /// These are the bytes that the trainer allocates, without the data set. Activations that no layer keeps (see
    /// `Layer::is_identity`) are counted all the same, so the training may take less. An evaluation takes up to 256 samples per
    /// thread at a time, with at most 1 GiB of activations or those of a batch, so it may take more than a step.
    ///
    /// ```
    /// # use chainrule_core::Sequential;
    /// # use chainrule_layers::{Dense, Relu};
    /// # use chainrule_tensor::Seed;
    /// # use chainrule_train::Model;
    /// let model = Model::new([4], Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3)), Seed(0))?;
    /// let bytes = model.training_bytes(32, 2, &chainrule_optim::adam(1e-3));
    /// assert_eq!((bytes.parameters, bytes.optimizer), (4 * 67, 4 * 2 * 67));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn training_bytes(
        &self,
        batch_size: usize,
        shards: usize,
        optimizer: &dyn UpdateRule<T>,
    ) -> TrainingBytes {
        let shards = shards.min(batch_size).max(1);
        let parameters = self.parameters().len();
        let inputs = self.input.size();
        let count = |values: usize, each: usize| (values as u64).saturating_mul(each as u64);
        // The first layer that has parameters computes no gradient of its input.
        let layer = |entry: &ParamEntry| entry.name.split('.').next().map(str::to_owned);
        let entries = self.plan().entries();
        let first = entries.first().and_then(layer);
        let passes_on = |entry: &&ParamEntry| layer(entry) != first;
        let frozen = entries.iter().filter(|entry| entry.kind == ParamKind::Frozen).filter(passes_on);
        let frozen: usize = frozen.map(|entry| entry.range.len()).sum();
        let buckets = Buckets::new(self.plan(), &self.cache, optimizer, buckets::sparse(optimizer));
        let [factors, factor_scratch] = SecondMoments::sizes(optimizer, buckets.parameters());
        let gradients = [
            // Of each shard,
            count(shards, parameters),
            // of a bucket on each thread, and what the update of a parameter computes in,
            count(shards, buckets.longest().saturating_add(buckets.scratch())),
            // of all shards together, where the optimizer needs them all at once,
            count(usize::from(optimizer.needs_all_gradients()), parameters),
            // what it needs beside them,
            count(factors, 1),
            // and scratch space for those of frozen parameters in the cache of each shard.
            count(shards, frozen),
        ];
        // Where the first product is split, each block has a product of the whole batch, and scratch space for a sample.
        let split = !optimizer.needs_factors();
        let cut = Cut { batch: batch_size, shards, by_shard: false };
        let split_k = split.then(|| SplitK::new(self.plan(), &self.cache, inputs, cut));
        let products = split_k.flatten().map_or(0, |SplitK { blocks, units, .. }| {
            count(blocks.len(), units.saturating_mul(batch_size).saturating_add(inputs))
        });
        let rows = shards.saturating_mul(batch_size.div_ceil(shards));
        let activations = self.values_per_sample().saturating_mul(rows as u64).saturating_add(products);
        let bytes = |values: u64| values.saturating_mul(size_of::<T>() as u64);
        TrainingBytes {
            parameters: bytes(parameters as u64),
            optimizer: bytes(buckets.state_len() as u64)
                .saturating_add(count(optimizer.numbers(), size_of::<f64>())),
            copies: bytes(if RangeProof::exists(optimizer) {
                0
            } else {
                (buckets.state_len() as u64).saturating_add(parameters as u64)
            }),
            gradients: bytes(gradients.into_iter().fold(0, u64::saturating_add))
                .saturating_add(count(factor_scratch, size_of::<f64>())),
            activations: bytes(activations),
        }
    }
}
