//! The values that can be chosen on the command line, and what they stand for.

use chainrule::prelude::*;
use clap::ValueEnum;

/// The activation of the hidden layers.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ActivationName {
    /// max(z, 0)
    Relu,
    /// z, or 0.01 z where z is negative
    LeakyRelu,
    /// 1 / (1 + e⁻ᶻ)
    Sigmoid,
    /// the hyperbolic tangent
    Tanh,
}

impl ActivationName {
    pub(crate) fn after(self, layers: Sequential<f32>) -> Sequential<f32> {
        match self {
            Self::Relu => layers.then(Relu),
            Self::LeakyRelu => layers.then(LeakyRelu::default()),
            Self::Sigmoid => layers.then(Sigmoid),
            Self::Tanh => layers.then(Tanh),
        }
    }
}

/// The initial weights of the dense layers; biases start at 0, except for `fan-in`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum InitName {
    /// Glorot's uniform, the default of Keras
    Glorot,
    /// uniform in ±1/√inputs for weights and biases, the default of PyTorch
    FanIn,
    /// He's normal
    He,
    /// LeCun's normal
    Lecun,
    /// an orthogonal matrix times √2
    Orthogonal,
}

impl InitName {
    pub(crate) fn dense(self, units: usize) -> Dense {
        match self {
            Self::Glorot => Dense::keras(units),
            Self::FanIn => Dense::new(units),
            Self::He => Dense::keras(units).weight_init(HeNormal),
            Self::Lecun => Dense::keras(units).weight_init(LecunNormal),
            Self::Orthogonal => Dense::keras(units).weight_init(Orthogonal::new(2f64.sqrt())),
        }
    }
}
