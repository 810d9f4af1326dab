//! The memory of a training.

/// The bytes that a training takes, as [`Model::training_bytes`](crate::Model::training_bytes) foretells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingBytes {
    /// The model's parameters.
    pub parameters: u64,
    /// What the optimizer remembers of them.
    pub optimizer: u64,
    /// Their gradients, of each shard.
    pub gradients: u64,
    /// The samples of a batch, what the layers make of them and keep, and the gradients of that.
    pub activations: u64,
}

impl TrainingBytes {
    /// All together.
    pub fn total(&self) -> u64 {
        let Self { parameters, optimizer, gradients, activations } = *self;
        [parameters, optimizer, gradients, activations].into_iter().fold(0, u64::saturating_add)
    }
}
