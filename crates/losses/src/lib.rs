//! The [`Loss`] trait and the losses.
//!
//! The decision here: **a loss returns its value and its gradient from one call**, since both come from the same
//! intermediate values, and the caller passes the scale of both, so that the mean over a batch in several shards is
//! the sum over the shards. A loss knows nothing of layers: it sees outputs and targets.
//!
//! What all losses have in common is not left to each: a loss computes the losses of rows, and the library sums them in double
//! precision, in an order that depends on the rows alone ([`total`]); a loss names its [`Domain`], and the library refuses
//! targets outside of it, by sample and value; a loss says what it takes the outputs for ([`Outputs`]), and the trainer refuses
//! metrics that take them for something else. One that is the mean over the columns is two formulas ([`ColumnLoss`]).
//!
//! | loss | outputs | of one row |
//! |---|---|---|
//! | [`MeanSquaredError`] | values | the mean over the columns of `(y - t)²` |
//! | [`CrossEntropy`](struct@CrossEntropy) | logits, or probabilities from a softmax | `-Σ t ln p`, optionally with label smoothing |
//! | [`BinaryCrossEntropy`](struct@BinaryCrossEntropy) | logits, or probabilities from a sigmoid | the mean of `-t ln p - (1 - t) ln(1 - p)` |
//! | [`PoissonNll`] | logarithms of rates | the mean of `exp z - t z` |
//!
//! Every loss takes both class indices and vectors of values ([`Target`]): a class stands for its one-hot vector.
//! [`gradcheck::gradient`] tests a loss of your own in one line.
//!
//! ```
//! use chainrule_losses::{CrossEntropy, Loss};
//! use ndarray::{Array2, array};
//! let logits = array![[2.0f64, 0.0, -1.0], [0.0, 1.0, 0.0]];
//! let mut gradient = Array2::zeros((2, 3));
//! let mean = CrossEntropy.loss(logits.view(), &[0u8, 2], 0.5, Some(gradient.view_mut()));
//! assert!((mean - 0.860646).abs() < 1e-6);
//! assert!(gradient.sum_axis(ndarray::Axis(1)).iter().all(|sum| sum.abs() < 1e-12));
//! ```
#![doc(html_root_url = "https://docs.rs/chainrule-losses/latest")]

mod binary_cross_entropy;
mod columns;
mod cross_entropy;
mod domain;
pub mod gradcheck;
mod loss;
mod mean_squared_error;
mod per_step;
mod poisson_nll;
mod reduced;
mod reduction;
mod row_loss;
mod softmax;
mod total;

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use chainrule_core::SettingError;
pub use chainrule_tensor::{AnyTarget, Outputs, Real, Target, TargetError, TargetView, Weighted};
pub use columns::{ColumnLoss, mean_of_columns};
pub use cross_entropy::CrossEntropy;
pub use domain::Domain;
pub use loss::{Criterion, Loss, LossPass};
pub use mean_squared_error::MeanSquaredError;
pub use per_step::PerStep;
pub use poisson_nll::PoissonNll;
pub use reduced::Reduced;
pub use reduction::{Reduction, Scope};
pub use row_loss::{RowLoss, rows_with_weights, scope_of_rows, weights_of_rows};
pub use total::{total, weighted};
