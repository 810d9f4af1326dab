//! The one list of this crate's metrics.

use chainrule_core::{Registry, register};
use chainrule_tensor::{ClassTarget, Real, Target};

use crate::*;

/// Registers all metrics, for targets that are classes, [`ClassTarget`], or vectors of values, `Vec<T>`.
///
/// A program that calls it compiles all of them; with the feature `registry`, those of `f32` have been compiled with this crate.
pub fn register_all<T: Real>(registry: &mut Registry) {
    #[cfg(feature = "registry")]
    if const { size_of::<T>() == size_of::<f32>() } {
        return register_single(registry);
    }
    register_both::<T>(registry);
}

#[cfg(feature = "registry")]
#[inline(never)]
fn register_single(registry: &mut Registry) {
    register_both::<f32>(registry);
}

fn register_both<T: Real>(registry: &mut Registry) {
    register::<T, ClassTarget<T>>(registry);
    register::<T, Vec<T>>(registry);
}

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
