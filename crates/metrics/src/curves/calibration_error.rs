//! The calibration error.

use chainrule_core::setting_words;

use super::calibration::BINS;
use super::definition::of_confidences;
use crate::MetricValue;

/// How the errors of bins become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CalibrationNorm {
    /// The mean of the errors, by the samples of the bins.
    #[default]
    L1,
    /// The root of the mean of their squares.
    L2,
    /// The largest.
    Max,
}

setting_words! { CalibrationNorm { L1 = "l1", L2 = "l2", Max = "max" } }

of_confidences! {
    /// The expected calibration error: how far confidences are from the fraction of samples that are right, over bins of confidence.
    CalibrationError = "calibration_error";
    aliases ["expected_calibration_error", "ece"];
    formula "Σ nᵦ / n |accᵦ - confᵦ|";
    source "Naeini et al. 2015";
    settings {
        /// The number of bins from 0 to 1.
        bins ("n_bins"): usize = 15, 15, BINS;
        /// How the errors of bins become one: l1, l2 or max.
        norm: CalibrationNorm = CalibrationNorm::L1, l1;
    }
    |metric, bins| {
        let all: f64 = bins.iter().map(|[samples, ..]| samples).sum();
        let error = |[_, confidence, right]: &[f64; 3]| (right - confidence).abs();
        let mean = |of: fn(f64) -> f64| bins.iter().map(|bin| bin[0] / all * of(error(bin))).sum::<f64>();
        MetricValue::number(match metric.norm {
            CalibrationNorm::L1 => mean(|error| error),
            CalibrationNorm::L2 => mean(|error| error * error).sqrt(),
            CalibrationNorm::Max => bins.iter().map(error).fold(0.0, f64::max),
        })
    }
}
