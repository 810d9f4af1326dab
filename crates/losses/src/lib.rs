//! The [`Loss`] trait and the losses.
//!
//! The decision here: **a loss returns its value and its gradient from one call**, since both come from the same
//! intermediate values, and the caller passes the scale of both, so that the mean over a batch in several shards is
//! the sum over the shards. A loss knows nothing of layers: it sees outputs and targets.
//!
//! What all losses have in common is not left to each: a loss computes the losses of rows, and the library sums them in double
//! precision, in an order that depends on the rows alone ([`total`]); a loss names its [`Domain`], and the library refuses
//! targets outside of it, by sample and value; a loss says what it takes the outputs for ([`Outputs`]), and the trainer refuses
//! metrics that take them for something else. One that is the mean over the columns is two formulas ([`ColumnLoss`]), one that is a
//! formula of a row another one ([`VectorLoss`]).
//!
//! | family | losses |
//! |---|---|
//! | values | [`MeanSquaredError`], [`MeanAbsoluteError`], [`MeanAbsolutePercentageError`], [`MeanSquaredLogarithmicError`], [`Huber`], [`SmoothL1`], [`LogCosh`], [`Quantile`] |
//! | classes | [`CrossEntropy`](struct@CrossEntropy), [`Nll`], [`CategoricalFocal`], [`CategoricalGeneralizedCrossEntropy`], [`PolyCrossEntropy`], [`Sparsemax`] |
//! | labels | [`BinaryCrossEntropy`](struct@BinaryCrossEntropy), [`BceLoss`], [`BinaryFocal`], [`BinarySparsemax`], [`MultiLabelMargin`], [`MultiLabelSoftMargin`] |
//! | margins | [`Hinge`], [`SquaredHinge`], [`CategoricalHinge`], [`MulticlassHinge`], [`MultiMargin`], [`SoftMargin`], [`Perceptron`], [`MulticlassPerceptron`] |
//! | distributions | [`KlDivergence`], [`Poisson`], [`PoissonNll`](struct@PoissonNll), [`GaussianNll`] |
//! | vectors of a row | [`CosineSimilarity`], [`CosineEmbedding`], [`HingeEmbedding`], [`MarginRanking`], [`Contrastive`], [`TripletMargin`], [`TripletMarginWithDistance`], [`RankingSoftmax`] |
//! | a batch of vectors | [`NtXent`], [`Circle`] |
//! | regions | [`Dice`], [`Tversky`] |
//! | sequences | [`PerStep`] of any other, [`Ctc`] |
//! | several outputs | [`SeveralOutputs`], any other for each, with weights |
//!
//! Most take both class indices and vectors of values ([`Target`]): a class stands for its one-hot vector.
//! [`gradcheck::gradient`] tests a loss of your own in one line, and [`register()`] lets any be built by its name.
//!
//! # Weights
//!
//! The mean of a batch is `Σ wᵢ Lᵢ / Σ wᵢ`, over the whole batch: never over a shard, nor over a part whose gradient is accumulated.
//! The weight of a row is that of its sample ([`Weighted`], 0 masks it) times that of its class, as in PyTorch; a class that is
//! ignored weighs 0. Where no row has a weight, it is the mean over the rows. [`Reduced`] gives the sum instead, or Keras' mean, which
//! divides by the number of rows ([`Reduction`]). Weights of columns, such as positive weights, change the loss of a row and not
//! what the mean divides by.
//!
//! A loss that [compares the rows of a batch](Scope::Batch) with each other is over the whole batch as well.
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

mod classification;
mod columns;
mod distribution;
mod domain;
mod embedding;
pub mod gradcheck;
mod loss;
mod margin;
mod reduced;
mod reduction;
mod region;
mod register;
mod regression;
mod row_loss;
mod sequence;
mod several_outputs;
mod total;
mod vector_loss;

pub use chainrule_core::SettingError;
pub use chainrule_tensor::{AnyTarget, Outputs, Real, Target, TargetError, TargetView, Weighted};
pub use classification::*;
pub use columns::{ColumnLoss, mean_of_columns};
pub use distribution::*;
pub use domain::Domain;
pub use embedding::*;
pub use loss::{Criterion, Loss, LossPass};
pub use margin::*;
pub use reduced::Reduced;
pub use reduction::{Reduction, Scope};
pub use region::*;
pub use register::{register, register_all, register_sequences};
pub use regression::*;
pub use row_loss::{RowLoss, rows_with_weights, scope_of_rows, weights_of_rows};
pub use sequence::*;
pub use several_outputs::SeveralOutputs;
pub use total::{total, weighted};
pub use vector_loss::{Row, VectorLoss, each_row};
