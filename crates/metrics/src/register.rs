//! The one list of this crate's metrics.

use chainrule_core::{Registry, register};
use chainrule_tensor::{Real, Target};

use crate::*;

/// Registers all metrics, for outputs of type `T` and targets of type `Y`.
pub fn register<T: Real, Y: Target<T> + 'static>(registry: &mut Registry) {
    register!(
        *registry, Box<dyn Measure<T, Y>>, Box::new;
        Accuracy, BinaryAccuracy, TopKAccuracy, ExactMatch, ConfusionMatrix, Precision, Recall, F1, FBeta,
        Specificity, NegativePredictiveValue, BalancedAccuracy, MatthewsCorrelation, CohenKappa, HammingDistance,
        Jaccard, Dice,
        Auroc, AveragePrecision, RocCurve, PrecisionRecallCurve, PrecisionAtRecall, RecallAtPrecision,
        SensitivityAtSpecificity, SpecificityAtSensitivity, CalibrationError, CalibrationCurve, LogLoss, BrierScore,
        MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
        SymmetricMeanAbsolutePercentageError, MeanSquaredLogError, LogCosh, PoissonDeviance, TweedieDeviance,
        CosineSimilarity, R2, ExplainedVariance, PearsonCorrelation, ConcordanceCorrelation, SpearmanCorrelation,
        KendallCorrelation, Mean, Sum,
    );
}
