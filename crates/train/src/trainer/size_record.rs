//! What is recorded of the sizes of weights and gradients.

/// At how many steps of a training, and which weights.
#[derive(Clone, Debug, Default)]
pub(super) struct SizeRecord {
    /// At about so many steps.
    pub(super) points: u64,
    pub(super) sizes: Vec<WeightSizes>,
}

/// The size of a weight and of its gradient, each the root of the mean square, at some steps of a training.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WeightSizes {
    /// The name of the weight.
    pub name: String,
    /// The steps that were taken, with the size of the weight after them.
    pub weight: Vec<(u64, f64)>,
    /// The same with the size of the gradient, for some samples of the training data.
    pub gradient: Vec<(u64, f64)>,
}
