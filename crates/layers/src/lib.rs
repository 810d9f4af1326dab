//! The layers, activations and initialisers.
//!
//! The decision here: **one layer, one file, and the file reads as the mathematics.** The formula comes first,
//! then `plan` states the parameters with their shapes, `forward` computes the formula and `backward` its
//! chain rule; loops and products are [`chainrule_tensor`]'s. No layer owns a weight, and none knows another.
//! A new layer is one file here and one line in the list of `tests/every_layer.rs`, which checks its gradients.
//!
//! ```
//! use chainrule_layer::{Sequential, check};
//! use chainrule_layers::{Dense, Dropout, Tanh};
//! let layers = Sequential::<f64>::default().then(Dense::new(8)).then(Tanh).then(Dropout::new(0.5));
//! check::gradients(&layers, [4])?;
//! # Ok::<(), chainrule_layer::check::GradientError>(())
//! ```

mod activations;
mod axes;
mod dense;
pub mod init;
mod packed;
mod pooling;
mod regularization;
mod shape;

pub use activations::*;
pub use axes::Axes;
pub use dense::Dense;
pub use pooling::*;
pub use regularization::*;
pub use shape::*;
