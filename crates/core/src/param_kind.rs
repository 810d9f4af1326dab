//! How parameters differ for optimizers.

/// How a parameter is treated by optimizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// Trained and decayed: the matrices and kernels.
    Weight,
    /// Trained, not decayed: the biases, and the scales and shifts of normalisation.
    Bias,
    /// Not trained: running statistics, whose next value is passed in place of a gradient.
    Buffer,
    /// Neither trained nor changed: what was trained before (see [`Frozen`](crate::Frozen)).
    Frozen,
}

impl ParamKind {
    /// Whether an optimizer changes it.
    pub fn is_trained(self) -> bool {
        matches!(self, Self::Weight | Self::Bias)
    }
}
