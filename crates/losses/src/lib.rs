//! The [`Loss`] trait and the losses.
//!
//! The decision here: **a loss gives its value and its gradient in one call**, since both come from the same
//! intermediate values, and it is told the scale of both, so that the mean over a batch that is cut into parts
//! is the sum of the parts. A loss knows nothing of layers: it sees outputs and targets.
//!
//! | loss | outputs | of one row |
//! |---|---|---|
//! | [`MeanSquaredError`] | values | the mean over the columns of `(y - t)²` |
//! | [`CrossEntropy`] | logits, or probabilities that a softmax made | `-Σ t ln p`, with label smoothing or not |
//! | [`BinaryCrossEntropy`] | logits, or probabilities that a sigmoid made | the mean of `-t ln p - (1 - t) ln(1 - p)` |
//!
//! Every loss takes class indices and vectors of values alike ([`Target`]): a class
//! stands for its one-hot vector. A loss of one's own is tested in one line by [`check::gradient`].
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

mod binary_cross_entropy;
pub mod check;
mod cross_entropy;
mod loss;
mod mean_squared_error;
mod per_step;

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use chainrule_core::SettingError;
pub use chainrule_tensor::{Target, TargetView};
pub use cross_entropy::CrossEntropy;
pub use loss::{Loss, TargetError};
pub use mean_squared_error::MeanSquaredError;
pub use per_step::PerStep;
