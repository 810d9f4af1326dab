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

mod classification;
mod columns;
mod ctc;
mod distribution;
mod domain;
mod embedding;
pub mod gradcheck;
mod loss;
mod margin;
mod per_step;
mod reduced;
mod reduction;
mod region;
mod register;
mod regression;
mod row_loss;
mod total;
mod vector_loss;

pub use chainrule_core::SettingError;
pub use chainrule_tensor::{AnyTarget, Outputs, Real, Target, TargetError, TargetView, Weighted};
pub use classification::{
    BinaryCrossEntropy, BinaryFocal, BinarySparsemax, CategoricalFocal, CategoricalGeneralizedCrossEntropy,
    CrossEntropy, Nll, PolyCrossEntropy, Sparsemax,
};
pub use columns::{ColumnLoss, mean_of_columns};
pub use ctc::{Ctc, LabelSequence, Padded};
pub use distribution::{GaussianNll, KlDivergence, Poisson, PoissonNll};
pub use domain::Domain;
pub use embedding::{
    Circle, Contrastive, CosineEmbedding, CosineSimilarity, Distance, HingeEmbedding, MarginRanking, NtXent,
    RankingSoftmax, TripletMargin, TripletMarginWithDistance,
};
pub use loss::{Criterion, Loss, LossPass};
pub use margin::{
    CategoricalHinge, Hinge, MultiLabelMargin, MultiLabelSoftMargin, MultiMargin, MulticlassHinge,
    MulticlassPerceptron, Perceptron, SoftMargin, SquaredHinge,
};
pub use per_step::PerStep;
pub use reduced::Reduced;
pub use reduction::{Reduction, Scope};
pub use region::{Dice, Tversky};
pub use register::{register, register_sequences};
pub use regression::{
    Huber, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
    MeanSquaredLogarithmicError, Quantile, SmoothL1,
};
pub use row_loss::{RowLoss, rows_with_weights, scope_of_rows, weights_of_rows};
pub use total::{total, weighted};
pub use vector_loss::{Row, VectorLoss, each_row};
