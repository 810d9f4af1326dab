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

/// The loss.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LossName {
    /// cross-entropy of the softmax of the outputs
    CrossEntropy,
    /// mean squared error against one-hot vectors
    Mse,
    /// binary cross-entropy of each output independently
    BinaryCrossEntropy,
}

impl LossName {
    pub(crate) fn build(self) -> Box<dyn Loss<f32, u8>> {
        match self {
            Self::CrossEntropy => Box::new(CrossEntropy),
            Self::Mse => Box::new(MeanSquaredError),
            Self::BinaryCrossEntropy => Box::new(BinaryCrossEntropy),
        }
    }
}

/// The optimizer.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OptimizerName {
    /// stochastic gradient descent; learning rate 0.1 by default
    Sgd,
    /// SGD with momentum 0.9; 0.01 by default
    Momentum,
    /// SGD with Nesterov's momentum 0.9; 0.01 by default
    Nesterov,
    /// Adam; 0.003 by default
    Adam,
    /// Adam with decoupled weight decay 0.01; 0.003 by default
    Adamw,
    /// RMSprop; 0.001 by default
    Rmsprop,
}

impl OptimizerName {
    /// Builds the optimizer with this learning rate or its default, which the schedule changes over `steps` steps.
    pub(crate) fn build(
        self,
        rate: Option<f64>,
        schedule: ScheduleName,
        steps: u64,
    ) -> Box<dyn UpdateRule<f32>> {
        let or = |default: f64| schedule.build(rate.unwrap_or(default), steps);
        match self {
            Self::Sgd => Box::new(sgd(or(0.1))),
            Self::Momentum => Box::new(sgd(or(0.01)).momentum(0.9)),
            Self::Nesterov => Box::new(sgd(or(0.01)).momentum(0.9).nesterov()),
            Self::Adam => Box::new(adam(or(3e-3))),
            Self::Adamw => Box::new(adamw(or(3e-3))),
            Self::Rmsprop => Box::new(rmsprop(or(1e-3))),
        }
    }
}

/// How the learning rate changes during training.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ScheduleName {
    /// no change
    Constant,
    /// falls to 0 along half a cosine
    Cosine,
}

impl ScheduleName {
    fn build(self, rate: f64, steps: u64) -> Box<dyn Schedule> {
        match self {
            Self::Constant => Box::new(rate),
            Self::Cosine => Box::new(Cosine::new(rate).steps(steps)),
        }
    }
}
