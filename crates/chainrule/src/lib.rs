//! Train neural networks on the CPU at the speed of its BLAS.
//!
//! ```no_run
//! use chainrule::prelude::*;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (train, test) = (digits(6_000, Seed(1)), digits(1_000, Seed(2)));
//!     let layers = Sequential::new().then(Flatten).then(Dense::new(64)).then(Relu).then(Dense::new(10));
//!     let model = Model::new([28, 28], layers, Seed(0))?;
//!     let mut trainer = Trainer::new(model, CrossEntropy, adam(1e-3)).metric(Accuracy);
//!     trainer.fit(&train, 5)?;
//!     println!("{}", trainer.evaluate(&test)?);
//!     Ok(())
//! }
//! ```
//!
//! The decision here: **this crate contains no code but a list.** It re-exports the crates of the workspace, each of which can be used
//! alone, has a [`prelude`] with the names that most programs need, and a [`registry_of`] everything that has a name.
//!
//! | module | crate | what it contains |
//! |---|---|---|
//! | [`tensor`] | `chainrule-tensor` | numbers, shapes, matrix products, vector mathematics, BLAS at run time |
//! | [`core`] | `chainrule-core` | `Layer`, `Sequential`, `Graph`, the gradient check, the mathematics |
//! | [`layers`] | `chainrule-layers` | the layers, activations and initialisers |
//! | [`losses`] | `chainrule-losses` | the losses |
//! | [`metrics`] | `chainrule-metrics` | the metrics |
//! | [`optim`] | `chainrule-optim` | the optimizers, schedules and clipping |
//! | [`data`] | `chainrule-data` | data sets, readers, batches, downloads |
//! | `tables` | `chainrule-tables` | CSV files of any kind, fitted transforms, column roles (feature `tables`) |
//! | [`train`] | `chainrule-train` | models, training, callbacks, model files |
//! | `pictures` | `chainrule-pictures` | folders of PNG and JPEG files (feature `pictures`) |
//! | `interop` | `chainrule-interop` | weights and models of other libraries, with a feature below |
//! | `mpi` | `chainrule-mpi` | training with several processes (feature `mpi`) |
//!
//! # Features
//!
//! One feature chooses the BLAS; for any but the default, set `default-features = false`.
//!
//! | feature | what it does |
//! |---|---|
//! | `openblas` (default) | links the system's OpenBLAS |
//! | `openblas-static` | builds OpenBLAS from source |
//! | `intel-mkl`, `accelerate`, `netlib` | link Intel MKL, Apple's Accelerate, the system's reference BLAS |
//! | none of these | computes products with kernels of our own: nothing to install, and nearly as fast on a CPU with AVX2 |
//! | `download` | adds an HTTPS client that fetches data sets |
//! | `pictures` | adds the module `pictures`: a folder of pictures for each class as a data set |
//! | `tables` | adds the module `tables`: from a person's CSV file to data for training |
//! | `lapack` | fits principal components and whitening of tables, with a BLAS that contains LAPACK: OpenBLAS, MKL, Accelerate |
//! | `safetensors`, `npz`, `pytorch`, `keras`, `onnx`, `source` | add `interop` with this format: weights in and out, models out |
//! | `mpi` | adds the module `mpi`: training with several processes, on one machine or many; needs an MPI and libclang |
//! | `registry` | compiles everything by name, [`registry_of`], with these crates: once, but for minutes |
//!
//! Begin a program with [`tensor::blas::use_best_kernel`]: an OpenBLAS that is older than the CPU silently picks a kernel
//! several times too slow.

// The programs of the README are tested as documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod registry;

#[cfg(feature = "registry")]
pub use registry::registry;
pub use registry::registry_of;

pub use chainrule_core as core;
pub use chainrule_data as data;
#[cfg(any(
    feature = "safetensors",
    feature = "npz",
    feature = "pytorch",
    feature = "keras",
    feature = "onnx",
    feature = "source"
))]
pub use chainrule_interop as interop;
pub use chainrule_layers as layers;
pub use chainrule_losses as losses;
pub use chainrule_metrics as metrics;
#[cfg(feature = "mpi")]
pub use chainrule_mpi as mpi;
pub use chainrule_optim as optim;
#[cfg(feature = "pictures")]
pub use chainrule_pictures as pictures;
#[cfg(feature = "tables")]
pub use chainrule_tables as tables;
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
    pub use chainrule_metrics::{Accuracy, ConfusionMatrix, Measure, Metric, MetricValue, Tally};
    pub use chainrule_optim::schedule::{Cosine, StepDecay, WarmUp};
    pub use chainrule_optim::{ClipByGlobalNorm, Optimizer, Schedule, UpdateRule, adam, adamw, rmsprop, sgd};
    pub use chainrule_tensor::{Seed, Shape};
    pub use chainrule_train::{Callback, Event, Fit, Model, ModelError, Predictor, TrainError, Trainer};
}
