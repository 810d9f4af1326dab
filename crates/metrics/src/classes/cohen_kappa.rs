//! Cohen's kappa.

use chainrule_core::setting_words;

use super::accuracy::ratio;
use super::definition::classification;
use super::matthews_correlation::Marginals;
use crate::{ClassCounts, ClassMetric, Decided, Decision, MetricValue, Task, class_metric};

/// How much worse a class is that is further off, where classes are in an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KappaWeights {
    /// All wrong classes are as bad.
    #[default]
    Equal,
    /// By the distance of the classes, `|i - j|`.
    Linear,
    /// By its square, `(i - j)²`.
    Quadratic,
}

setting_words! { KappaWeights { Equal = "equal", Linear = "linear", Quadratic = "quadratic" } }

classification! {
    /// Cohen's kappa: how much better than chance true and found classes agree, from below 0 to 1. Labels are taken together.
    CohenKappa = "cohen_kappa";
    aliases ["cohen_kappa_score", "kappa"];
    formula "1 - Σ wᵢⱼ nᵢⱼ / Σ wᵢⱼ tᵢ pⱼ / s";
    source "Cohen 1968";
    settings {
        /// How much worse a class is that is further off: equal, linear or quadratic.
        weights: KappaWeights = KappaWeights::Equal, equal;
    }
}

impl ClassMetric for CohenKappa {
    type Counts = ClassCounts;

    fn decision(&self) -> Decision {
        self.decision_of_fields()
    }

    fn prepare(&self, counts: &mut ClassCounts, task: Task) {
        counts.prepare(task);
    }

    fn add(&self, counts: &mut ClassCounts, decided: Decided) {
        counts.add(decided);
    }

    fn value(&self, counts: &ClassCounts) -> MetricValue {
        if let Err(undefined) = counts.check() {
            return MetricValue::Undefined(undefined);
        }
        let Marginals { classes, right, total } = Marginals::of(counts);
        let labels = matches!(counts.task(), Task::Labels(_));
        let [linear, quadratic] = counts.distances();
        // Of a yes and a no all distances are 1.
        let observed = match self.weights {
            _ if labels => total - right,
            KappaWeights::Equal => total - right,
            KappaWeights::Linear => linear,
            KappaWeights::Quadratic => quadratic,
        };
        let weight = |i: usize, j: usize| match self.weights {
            KappaWeights::Equal => f64::from(i != j),
            KappaWeights::Linear => i.abs_diff(j) as f64,
            KappaWeights::Quadratic => (i.abs_diff(j) as f64).powi(2),
        };
        let mut expected = 0.0;
        for (i, [_, is]) in classes.iter().enumerate() {
            for (j, [found, _]) in classes.iter().enumerate() {
                expected += weight(i, j) * is * found;
            }
        }
        let reason = "all samples are of one class and were taken for it";
        ratio(observed * total, expected, reason).map(|disagreement| 1.0 - disagreement).into()
    }
}

class_metric!(CohenKappa);
