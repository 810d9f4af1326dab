//! The best threshold that meets a condition.

use super::area::average;
use super::score_counts::{Ranking, ScoreCounts};
use crate::classes::{NO_NEGATIVE, NO_POSITIVE};
use crate::{Average, MetricValue, Task, Undefined};

/// A threshold, and the figure that scores of at least this much have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    /// The figure that is as large as it can be.
    pub value: f64,
    /// The lowest score that is taken for a yes; infinite if none is.
    pub threshold: f64,
}

/// Precision, recall and specificity at one threshold.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) specificity: f64,
}

/// What is sought, of which figure at least how much.
pub(super) struct Search {
    /// The figure that should be large, and the one that has to be.
    pub(super) figures: fn(Rates) -> [f64; 2],
    /// How large that has to be.
    pub(super) at_least: f64,
    /// Whether the point at which nothing is found is one.
    pub(super) nothing: bool,
    /// Whether some samples must not be of the class.
    pub(super) needs_negatives: bool,
}

impl Search {
    pub(super) fn best(&self, ranking: &Ranking) -> Result<OperatingPoint, Undefined> {
        let Ranking { thresholds, above, positives, negatives } = ranking;
        if *positives == 0.0 {
            return Err(Undefined(NO_POSITIVE));
        }
        if *negatives == 0.0 && self.needs_negatives {
            return Err(Undefined(NO_NEGATIVE));
        }
        let none = self.nothing.then_some((f64::INFINITY, [0.0; 2]));
        let points = thresholds.iter().copied().zip(above.iter().copied());
        let mut best: Option<([f64; 2], f64)> = None;
        for (threshold, [right, wrong]) in none.into_iter().chain(points) {
            let rates = Rates {
                precision: if right + wrong > 0.0 { right / (right + wrong) } else { 0.0 },
                recall: right / positives,
                specificity: 1.0 - wrong / negatives.max(f64::MIN_POSITIVE),
            };
            let [value, condition] = (self.figures)(rates);
            let found = [value, condition];
            if condition >= self.at_least && best.is_none_or(|(best, _)| found > best) {
                best = Some((found, threshold));
            }
        }
        let best = best.map(|([value, _], threshold)| OperatingPoint { value, threshold });
        best.ok_or(Undefined("no threshold meets the condition"))
    }

    pub(super) fn value(&self, of: Average, counts: &ScoreCounts) -> MetricValue {
        average(of, counts, |ranking| self.best(ranking).map(|point| point.value))
    }

    /// The point of each class, or that of a single output.
    pub(super) fn points(&self, counts: &ScoreCounts) -> Vec<Result<OperatingPoint, Undefined>> {
        if let Err(undefined) = counts.check() {
            return vec![Err(undefined)];
        }
        if counts.task() == Task::Binary {
            return vec![self.best(&counts.pooled())];
        }
        counts.rankings().iter().map(|ranking| self.best(ranking)).collect()
    }
}

/// The function of an operating point's metric that says the thresholds.
macro_rules! operating_points {
    ($name:ident) => {
        impl $name {
            /// The point of each class or label, or of the single output: the value with its threshold.
            pub fn points(
                &self,
                counts: &$crate::ScoreCounts,
            ) -> Vec<Result<$crate::OperatingPoint, $crate::Undefined>> {
                self.search().points(counts)
            }
        }
    };
}
pub(super) use operating_points;
