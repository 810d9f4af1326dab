//! Metrics: figures for people, accumulated over batches.
//!
//! The decision here: **a metric is a description, and what it has counted is a [`Tally`].** A tally counts batch by batch, and two
//! tallies of one metric merge into what a single one would have counted, so that shards and processes can count independently.
//! A metric's value is a number, a vector or a table ([`MetricValue`]), and where there is none, the reason is said. Unlike a
//! loss, a metric needs no gradient.
//!
//! | family | what is counted | metrics |
//! |---|---|---|
//! | of classes | the samples of each class ([`ClassCounts`]) | accuracies, precision, recall, F-scores, Jaccard, kappa, Matthews, the confusion matrix |
//! | of scores | all scores, or those above some thresholds ([`ScoreCounts`]) | AUROC, average precision, operating points, the ROC and the precision-recall curve |
//! | of probabilities | bins of confidence, or a mean | calibration error and curve, log loss, Brier score |
//! | of values | means, moments or all pairs | errors, deviances, R², correlations |
//!
//! What metrics of classes have in common is in one place, [`Decision`]: whether outputs are logits or probabilities, which the
//! metric is told and the trainer compares with the loss; the threshold; labels of which several are right at once; and targets
//! that have no class. Such a metric is a [`ClassMetric`]. Figures of several classes have an [`Average`]. Samples count by the
//! weights of their targets. [`PerStep`] makes one of sequences of any metric, [`OfOutput`] one of one of several outputs, and a curve is drawn by [`Table::svg`].
//!
//! ```
//! use chainrule_metrics::{Accuracy, MetricValue, Statistic};
//! use ndarray::array;
//! let mut accuracy = Accuracy.tally();
//! accuracy.update(array![[0.1f32, 0.9], [0.8, 0.2]].view(), &[1u8, 1]);
//! assert_eq!(accuracy.value(), MetricValue::Number(0.5));
//! ```
#![doc(html_root_url = "https://docs.rs/chainrule-metrics/latest")]

mod classes;
mod counts;
mod curves;
mod definition;
mod mean;
mod metric;
mod of_output;
mod per_step;
mod register;
mod regression;
mod tally;
mod value;

pub use chainrule_core::SettingError;
pub use chainrule_tensor::{Outputs, Real, Target, TargetError, TargetView};
pub use classes::{
    Accuracy, Average, BalancedAccuracy, BinaryAccuracy, ClassCounts, ClassMetric, CohenKappa,
    ConfusionCounts, ConfusionMatrix, Decided, Decision, Dice, ExactMatch, F1, FBeta, HammingDistance,
    Jaccard, KappaWeights, MatthewsCorrelation, NegativePredictiveValue, Normalize, OneClass, Precision,
    Recall, Specificity, Task, TopKAccuracy,
};
pub use counts::Counts;
pub use curves::{
    Auroc, AveragePrecision, BrierScore, CalibrationCounts, CalibrationCurve, CalibrationError,
    CalibrationNorm, LogLoss, OperatingPoint, PrecisionAtRecall, PrecisionRecallCurve, RecallAtPrecision,
    RocCurve, RowMean, ScoreCounts, SensitivityAtSpecificity, SpecificityAtSensitivity,
};
pub use mean::{Mean, RunningMean, Sum};
pub use metric::{Count, Counter, Measure, Metric, Statistic};
#[doc(no_inline)]
pub use ndarray::ArrayView2;
pub use of_output::OfOutput;
pub use per_step::PerStep;
pub use register::{register, register_all};
pub use regression::{
    ColumnAverage, ColumnMeans, ColumnMoments, ConcordanceCorrelation, CosineSimilarity, ExplainedVariance,
    KendallCorrelation, KendallVariant, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError,
    MeanSquaredError, MeanSquaredLogError, MomentAverage, Moments, Pairs, PearsonCorrelation,
    PoissonDeviance, R2, RootMeanSquaredError, SpearmanCorrelation, SymmetricMeanAbsolutePercentageError,
    TweedieDeviance,
};
pub use tally::Tally;
pub use value::{MetricValue, Plot, Table, Undefined};
