//! Training neural networks on the CPU at the speed of its BLAS.
//!
//! This crate is a facade: it re-exports the crates of the workspace, each of which can be used alone, and
//! has a [`prelude`] with what a program usually needs. The features choose the BLAS.
//!
//! | module | crate | what it is |
//! |---|---|---|
//! | [`tensor`] | `chainrule-tensor` | numbers, shapes, the matrix product, BLAS at run time |
//! | [`core`]   | `chainrule-core` | the `Layer` trait, `Sequential`, the gradient check, the mathematics |
//! | [`layers`] | `chainrule-layers` | the layers, activations and initialisers |
//! | [`losses`] | `chainrule-losses` | the losses |
//! | [`metrics`] | `chainrule-metrics` | the metrics |
//! | [`optim`] | `chainrule-optim` | the optimizers and schedules |
//! | [`data`] | `chainrule-data` | data sets, readers, downloads |
//! | [`train`] | `chainrule-train` | models, training, model files |
//!
#![doc = include_str!("../README.md")]

pub use chainrule_core as core;
pub use chainrule_data as data;
pub use chainrule_layers as layers;
pub use chainrule_losses as losses;
pub use chainrule_metrics as metrics;
pub use chainrule_optim as optim;
pub use chainrule_tensor as tensor;
pub use chainrule_train as train;

/// The names that most programs need, in `f32` and in `f64` alike.
///
/// It has every layer and every initialiser, and of everything else what most programs name. It brings names and no
/// modules, and a program's own names win over those of a glob import.
pub mod prelude {
    pub use chainrule_core::{
        Branches, Frozen, Graph, Lambda, Layer, Merge, New, Residual, Sequential, SideBySide,
    };
    pub use chainrule_data::{Dataset, Images, Rows, Samples, digits};
    pub use chainrule_layers::{
        activations::*, attention::*, convolution::*, embedding::*, init::*, merge::*,
    };
    pub use chainrule_layers::{normalization::*, pooling::*, recurrent::*, regularization::*, shape::*};
    // Of two things of one name, the activation `Identity` and the initialiser `Zeros`.
    pub use chainrule_layers::{Axes, Dense, activations::Identity, init::Zeros};
    pub use chainrule_losses::{BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError};
    pub use chainrule_metrics::{Accuracy, ConfusionMatrix, Measure, Metric};
    pub use chainrule_optim::schedule::{Cosine, Step, WarmUp};
    pub use chainrule_optim::{ClipByGlobalNorm, Optimizer, Schedule, UpdateRule, adam, adamw, rmsprop, sgd};
    pub use chainrule_tensor::{Seed, Shape};
    pub use chainrule_train::{Callback, Event, Fit, Model, ModelError, Predictor, TrainError, Trainer};
}
