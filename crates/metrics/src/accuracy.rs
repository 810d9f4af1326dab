//! The accuracy.

use chainrule_core::SettingError;

use crate::{ClassMetric, Decided, Decision, Mergeable, Metric, class_metric};

/// The accuracy: the fraction of samples whose maximum output is at the target's class.
///
/// A single column is a binary output: class 1 above the threshold, which is 0 for logits and 0.5 for
/// [probabilities](Self::from_probabilities). With [`labels`](Self::labels), it is the fraction of labels that are right. A row
/// with a NaN counts as wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accuracy {
    decision: Decision,
    right: u64,
    seen: u64,
}

/// The accuracy of logits: `Accuracy::default()`.
#[allow(non_upper_case_globals, reason = "a metric is a value, written like a loss or a layer")]
pub const Accuracy: Accuracy = Accuracy { decision: Decision::LOGITS, right: 0, seen: 0 };

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn reset(&mut self) {
        (self.right, self.seen) = (0, 0);
    }

    fn value(&self) -> f64 {
        self.right as f64 / self.seen as f64
    }

    fn counts(&self) -> Option<Vec<f64>> {
        Some(vec![self.right as f64, self.seen as f64])
    }

    fn restore(&mut self, counts: &[f64]) -> Option<()> {
        let &[right, seen] = counts else { return None };
        (self.right, self.seen) = (right as u64, seen as u64);
        Some(())
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.decision.validate("Accuracy")
    }
}

impl ClassMetric for Accuracy {
    fn decision(&self) -> Decision {
        self.decision
    }

    #[inline]
    fn count(&mut self, Decided { truth, found }: Decided) {
        self.right += u64::from(found.is_some() && found == truth);
        self.seen += 1;
    }
}

class_metric!(Accuracy);

impl Mergeable for Accuracy {
    fn merge(&mut self, other: &Self) {
        self.right += other.right;
        self.seen += other.seen;
    }
}
