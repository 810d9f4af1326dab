//! The [`Loss`] trait and the losses.
//!
//! The decision here: **a loss returns its value and its gradient from one call**, since both come from the same
//! intermediate values, and the caller passes the scale of both, so that the mean over a batch in several shards is
//! the sum over the shards. A loss knows nothing of layers: it sees outputs and targets.
//!
//! | loss | outputs | of one row |
//! |---|---|---|
//! | [`MeanSquaredError`] | values | the mean over the columns of `(y - t)²` |
//! | [`CrossEntropy`] | logits, or probabilities from a softmax | `-Σ t ln p`, optionally with label smoothing |
//! | [`BinaryCrossEntropy`] | logits, or probabilities from a sigmoid | the mean of `-t ln p - (1 - t) ln(1 - p)` |
//!
//! Every loss takes both class indices and vectors of values ([`Target`]): a class stands for its one-hot vector.
//! [`gradcheck::gradient`] tests a loss of your own in one line.
//!
//! ```
//! use chainrule_losses::{CrossEntropy, Loss};
//! use ndarray::{Array2, array};
//! let logits = array![[2.0f64, 0.0, -1.0], [0.0, 1.0, 0.0]];
//! let mut gradient = Array2::zeros((2, 3));
//! let mean = CrossEntropy::default().loss(logits.view(), &[0u8, 2], 0.5, Some(gradient.view_mut()));
//! assert!((mean - 0.860646).abs() < 1e-6);
//! assert!(gradient.sum_axis(ndarray::Axis(1)).iter().all(|sum| sum.abs() < 1e-12));
//! ```
#![doc(html_root_url = "https://docs.rs/chainrule-losses/latest")]

mod binary_cross_entropy;
mod cross_entropy;
pub mod gradcheck;
mod loss;
mod mean_squared_error;
mod per_step;

pub use binary_cross_entropy::*;
pub use chainrule_core::SettingError;
pub use chainrule_tensor::{Target, TargetView};
pub use cross_entropy::*;
pub use loss::*;
pub use mean_squared_error::*;
pub use per_step::*;
