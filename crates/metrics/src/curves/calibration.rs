//! How often what was said with some confidence was right.

use chainrule_core::Range;
use chainrule_tensor::{Real, Target};
use ndarray::{ArrayView1, ArrayView2};

use super::probabilities::sigmoid;
use crate::classes::{answer, argmax, class_of};
use crate::{Counts, Decision, Task, Undefined};

/// The numbers of bins that there may be.
pub(super) const BINS: Range = Range::between(1.0, 1e9, "at least 1");

/// How confident outputs are, in bins from 0 to 1, and how often they are right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CalibrationCounts {
    /// Of each bin: the number of samples, the sum of their confidences, and how many are right.
    bins: Vec<[f64; 3]>,
    /// How many samples have no confidence that is a number.
    nans: f64,
}

/// Adds a batch. The confidence of a single output or of a label is its probability, and right is a yes; that of classes is the largest
/// probability, and right is the class that has it.
pub(super) fn count<T: Real, Y: Target<T>>(
    decision: Decision,
    bins: usize,
    counts: &mut CalibrationCounts,
    y: ArrayView2<'_, T>,
    targets: &[Y],
) {
    if counts.bins.len() < bins {
        counts.bins.resize(bins, [0.0; 3]);
    }
    let columns = y.ncols();
    let classes = matches!(decision.task(columns), Task::Classes(_));
    for (y, target) in y.rows().into_iter().zip(targets) {
        let weight = if Y::WEIGHTED { target.weight() } else { 1.0 };
        let view = target.view();
        if weight == 0.0 || decision.ignores(&view) {
            continue;
        }
        if classes {
            let found = argmax(y);
            let largest = found.map_or(f64::NAN, |found| y[found].as_f64());
            let confidence = if decision.from_logits { largest_probability(y, largest) } else { largest };
            counts.add(confidence, found.is_some() && found == class_of(view), weight);
            continue;
        }
        for (label, output) in y.iter().enumerate() {
            let confidence = if decision.from_logits { sigmoid(output.as_f64()) } else { output.as_f64() };
            counts.add(confidence, answer(&view, label, columns == 1) == Some(1), weight);
        }
    }
}

/// The largest of the probabilities of classes, from their logits.
fn largest_probability<T: Real>(y: ArrayView1<'_, T>, largest: f64) -> f64 {
    let exp = |z: f64| if z == largest { 1.0 } else { (z - largest).exp() };
    if largest.is_nan() { largest } else { 1.0 / y.iter().map(|z| exp(z.as_f64())).sum::<f64>() }
}

impl CalibrationCounts {
    fn add(&mut self, confidence: f64, right: bool, weight: f64) {
        if !(0.0..=1.0).contains(&confidence) {
            self.nans += weight;
            return;
        }
        let last = self.bins.len() - 1;
        let bin = &mut self.bins[((confidence * (last + 1) as f64) as usize).min(last)];
        bin[0] += weight;
        bin[1] += weight * confidence;
        bin[2] += if right { weight } else { 0.0 };
    }

    /// Of each bin that is not empty: the number of samples, their mean confidence, and the fraction that is right.
    ///
    /// # Errors
    ///
    /// [`Undefined`] if there is no sample, or one without a confidence from 0 to 1.
    pub fn bins(&self) -> Result<Vec<[f64; 3]>, Undefined> {
        if self.nans > 0.0 {
            return Err(Undefined("a confidence is not a number from 0 to 1"));
        }
        let filled = self.bins.iter().filter(|[samples, ..]| *samples > 0.0);
        let bins: Vec<_> =
            filled.map(|&[samples, sum, right]| [samples, sum / samples, right / samples]).collect();
        if bins.is_empty() { Err(Undefined::NO_SAMPLE) } else { Ok(bins) }
    }
}

impl Counts for CalibrationCounts {
    fn merge(&mut self, other: &Self) {
        self.bins.resize(self.bins.len().max(other.bins.len()), [0.0; 3]);
        for (mine, theirs) in self.bins.iter_mut().flatten().zip(other.bins.iter().flatten()) {
            *mine += theirs;
        }
        self.nans += other.nans;
    }

    fn scale(&mut self, weight: f64) {
        self.bins.iter_mut().flatten().for_each(|sum| *sum *= weight);
        self.nans *= weight;
    }

    fn reset(&mut self) {
        self.bins.fill([0.0; 3]);
        self.nans = 0.0;
    }

    fn numbers(&self) -> Vec<f64> {
        std::iter::once(self.nans).chain(self.bins.iter().flatten().copied()).collect()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (&nans, bins) = numbers.split_first()?;
        let (bins, rest) = bins.as_chunks();
        rest.is_empty().then(|| Self { bins: bins.to_vec(), nans })
    }
}
