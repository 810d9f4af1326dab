//! The gain: the factor of initial weights for the activation that follows.

/// The activation after a linear layer, for the choice of its initial weights.
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
    /// A leaky rectified linear unit with this negative slope.
    LeakyRelu(f64),
    /// The scaled exponential linear unit.
    Selu,
}

/// The factor of the weights before an activation that keeps the variance through both, PyTorch's `calculate_gain`:
/// 1 for none and for a sigmoid, 5/3 for tanh, `√2` for ReLU, `√(2 / (1 + negative_slope²))` for leaky ReLU, 3/4 for SELU.
///
/// PyTorch's choice for SELU sacrifices self-normalisation for a more stable gradient flow; SELU is self-normalising with gain 1,
/// [`LecunNormal`](super::LecunNormal).
pub fn gain(nonlinearity: Nonlinearity) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2f64.sqrt(),
        Nonlinearity::LeakyRelu(negative_slope) => (2.0 / (1.0 + negative_slope * negative_slope)).sqrt(),
        Nonlinearity::Selu => 0.75,
    }
}
