//! How much larger weights are to be for what follows them.

/// What follows a linear layer, as far as its first weights are concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing.
    Linear,
    /// The logistic sigmoid.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// The rectified linear unit.
    Relu,
    /// A leaky rectified linear unit with this slope.
    LeakyRelu(f64),
    /// The scaled exponential linear unit.
    Selu,
}

/// The factor of the weights before an activation that keeps the variance through both, PyTorch's `calculate_gain`:
/// 1 for none and for a sigmoid, 5/3 for tanh, `√2` for ReLU, `√(2 / (1 + slope²))` for a leaky one, 3/4 for SELU.
///
/// PyTorch's choice for SELU gives up its self-normalisation for a more stable gradient flow; with the gain 1,
/// [`LecunNormal`](super::LecunNormal), SELU normalises itself.
pub fn gain(nonlinearity: Nonlinearity) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2f64.sqrt(),
        Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        Nonlinearity::Selu => 0.75,
    }
}
