//! The calibration curve.

use super::calibration::BINS;
use super::definition::of_confidences;
use crate::Table;
use crate::value::Plot;

of_confidences! {
    /// The calibration curve, or reliability diagram: the fraction of samples that are right for each bin of confidence, as a table.
    CalibrationCurve = "calibration_curve";
    aliases ["reliability_diagram"];
    formula "(mean confidence, fraction right) of each bin that is not empty";
    source "DeGroot and Fienberg 1983";
    settings {
        /// The number of bins from 0 to 1.
        bins ("n_bins"): usize = 10, 10, BINS;
    }
    |_, bins| {
        let mut table = Table::new("", ["confidence", "fraction_right", "samples"]);
        table.set_plot(Plot { x: "confidence", y: "fraction_right", series: None, diagonal: true });
        bins.iter().for_each(|&[samples, confidence, right]| table.push(vec![confidence, right, samples]));
        table.into()
    }
}
