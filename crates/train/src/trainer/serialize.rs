//! Histories in files: the metrics are an object from the name of each to its value.

use chainrule_metrics::MetricValue;
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::history::{EpochReport, History, Scores};

/// Metrics as an object.
struct ByName<'a>(&'a [(String, MetricValue)]);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut scores = serializer.serialize_struct("Scores", 2)?;
        scores.serialize_field("loss", &self.loss)?;
        scores.serialize_field("metrics", &ByName(&self.metrics))?;
        scores.end()
    }
}

impl Serialize for EpochReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { epoch, train, validation, seconds, samples } = self;
        let mut report = serializer.serialize_struct("EpochReport", 5)?;
        report.serialize_field("epoch", epoch)?;
        report.serialize_field("train", train)?;
        report.serialize_field("validation", validation)?;
        report.serialize_field("seconds", seconds)?;
        report.serialize_field("samples", samples)?;
        report.end()
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { epochs, unfinished, stopped, skipped } = self;
        let mut history = serializer.serialize_struct("History", 4)?;
        history.serialize_field("epochs", epochs)?;
        history.serialize_field("unfinished", unfinished)?;
        history.serialize_field("stopped", stopped)?;
        history.serialize_field("skipped", skipped)?;
        history.end()
    }
}
