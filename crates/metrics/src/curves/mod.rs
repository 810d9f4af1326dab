//! Metrics of scores: how well they rank, whatever the threshold, and how far they can be believed.

mod area;
mod auroc;
mod average_precision;
mod brier_score;
mod calibration;
mod calibration_curve;
mod calibration_error;
mod definition;
mod log_loss;
mod operating_point;
mod precision_at_recall;
mod precision_recall_curve;
mod probabilities;
mod recall_at_precision;
mod roc_curve;
mod rows;
mod score_counts;
mod sensitivity_at_specificity;
mod specificity_at_sensitivity;

pub use auroc::Auroc;
pub use average_precision::AveragePrecision;
pub use brier_score::BrierScore;
pub use calibration::CalibrationCounts;
pub use calibration_curve::CalibrationCurve;
pub use calibration_error::{CalibrationError, CalibrationNorm};
pub use log_loss::LogLoss;
pub use operating_point::OperatingPoint;
pub use precision_at_recall::PrecisionAtRecall;
pub use precision_recall_curve::PrecisionRecallCurve;
pub use recall_at_precision::RecallAtPrecision;
pub use roc_curve::RocCurve;
pub use rows::RowMean;
pub use score_counts::ScoreCounts;
pub use sensitivity_at_specificity::SensitivityAtSpecificity;
pub use specificity_at_sensitivity::SpecificityAtSensitivity;
