//! The accuracy.

use chainrule_core::SettingError;

use crate::{ClassMetric, Decided, Decision, Metric, MetricValue, Undefined, class_metric};

/// The accuracy: the fraction of samples whose maximum output is at the target's class.
///
/// A single column is a binary output: class 1 above the threshold, which is 0 for logits and 0.5 for
/// [probabilities](Self::from_probabilities). With [`labels`](Self::labels), it is the fraction of labels that are right. A row
/// with a NaN counts as wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accuracy {
    decision: Decision,
}

/// The accuracy of logits: `Accuracy::default()`.
#[allow(non_upper_case_globals, reason = "a metric is a value, written like a loss or a layer")]
pub const Accuracy: Accuracy = Accuracy { decision: Decision::LOGITS };

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.decision.validate("Accuracy")
    }
}

impl ClassMetric for Accuracy {
    /// How many samples are right, and how many there are.
    type Counts = [u64; 2];

    fn decision(&self) -> Decision {
        self.decision
    }

    #[inline]
    fn add(&self, [right, seen]: &mut [u64; 2], Decided { truth, found }: Decided) {
        *right += u64::from(found.is_some() && found == truth);
        *seen += 1;
    }

    fn value(&self, &[right, seen]: &[u64; 2]) -> MetricValue {
        fraction(right, seen).into()
    }
}

class_metric!(Accuracy);

/// The fraction `part / whole` of samples.
pub(crate) fn fraction(part: u64, whole: u64) -> Result<f64, Undefined> {
    if whole == 0 { Err(Undefined::NO_SAMPLE) } else { Ok(part as f64 / whole as f64) }
}
