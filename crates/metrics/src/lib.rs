//! Metrics: figures for people, accumulated over batches.
//!
//! The decision here: **a metric is a description, and what it has counted is a [`Tally`].** A tally counts batch by batch, and two
//! tallies of one metric merge into what a single one would have counted, so that shards and processes can count independently.
//! A metric's value is a number, a vector or a table ([`MetricValue`]), and where there is none, the reason is said. Unlike a
//! loss, a metric needs no gradient.
//!
//! | metric | value |
//! |---|---|
//! | [`Accuracy`](struct@Accuracy) | the fraction of samples, or of labels, that are right |
//! | [`ConfusionMatrix`](struct@ConfusionMatrix) | how often each class was predicted for each true class |
//! | [`Mean`] | the mean of the outputs |
//!
//! What metrics of classes have in common is in one place, [`Decision`]: whether outputs are logits or probabilities, which the
//! metric is told and the trainer compares with the loss; the threshold; labels of which several are right at once; and targets
//! that have no class. Such a metric is a [`ClassMetric`]. [`PerStep`] makes one of sequences of any.
//!
//! ```
//! use chainrule_metrics::{Accuracy, MetricValue, Statistic};
//! use ndarray::array;
//! let mut accuracy = Accuracy.tally();
//! accuracy.update(array![[0.1f32, 0.9], [0.8, 0.2]].view(), &[1u8, 1]);
//! assert_eq!(accuracy.value(), MetricValue::Number(0.5));
//! ```
#![doc(html_root_url = "https://docs.rs/chainrule-metrics/latest")]

mod accuracy;
mod class_metric;
mod confusion_matrix;
mod counts;
mod decision;
mod mean;
mod metric;
mod per_step;
mod tally;
mod value;

pub use accuracy::Accuracy;
pub use chainrule_core::SettingError;
pub use chainrule_tensor::{Outputs, Real, Target, TargetError, TargetView};
pub use class_metric::ClassMetric;
pub use confusion_matrix::{ConfusionCounts, ConfusionMatrix};
pub use counts::Counts;
pub use decision::{Decided, Decision};
pub use mean::{Mean, RunningMean};
pub use metric::{Count, Counter, Measure, Metric, Statistic};
#[doc(no_inline)]
pub use ndarray::ArrayView2;
pub use per_step::PerStep;
pub use tally::Tally;
pub use value::{MetricValue, Table, Undefined};
