//! The results of a training.

use std::fmt;

use chainrule_metrics::MetricValue;

/// The mean loss and the metrics over some samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The mean loss of a sample, weighted where samples, their classes or steps have weights, so that it does not depend on how the
    /// samples are divided into batches. NaN if none of them counts.
    pub loss: f64,
    /// The name and the value of each metric, in the order in which they were added to the trainer.
    pub metrics: Vec<(String, MetricValue)>,
}

impl Scores {
    /// The value of the metric with this name, if it is a number.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.value(name).and_then(MetricValue::as_number)
    }

    /// The value of the metric with this name: a number, a vector or a table, or why there is none.
    pub fn value(&self, name: &str) -> Option<&MetricValue> {
        self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}", self.loss)?;
        self.metrics.iter().try_for_each(|(name, value)| write!(f, ", {name} {value}"))
    }
}

/// One epoch of a training, all of it or as far as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochReport {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Over the training samples, each evaluated when it was trained on, while the parameters changed.
    pub train: Scores,
    /// Over the validation samples after the epoch, if there are any.
    pub validation: Option<Scores>,
    /// How long the training took, without the validation and interruptions.
    pub seconds: f64,
    /// The number of samples that were trained on in this epoch.
    pub samples: usize,
}

/// The epochs of a training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One report for each epoch that was completed. That of an epoch that an earlier `fit` began covers all of it.
    pub epochs: Vec<EpochReport>,
    /// The epoch in the middle of which a callback stopped the training, as far as it came, without validation; `None` if it
    /// stopped between epochs, or before the first step.
    pub unfinished: Option<EpochReport>,
    /// Whether a callback stopped the training.
    pub stopped: bool,
    /// The number of steps that were left out since they would not have been finite.
    pub skipped: u64,
}
