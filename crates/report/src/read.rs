//! The JSON report that the program writes.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::report::{CurveSeries, OutputReport, RunReport};
use crate::tables::{counted, number};

/// A report as the program writes it, as far as a page shows it.
#[derive(Deserialize)]
struct Written {
    /// Of `train-mnist`.
    dataset: Option<String>,
    samples: Option<u64>,
    epochs: Vec<Epoch>,
    #[serde(default)]
    validations: Vec<Validation>,
    /// How the model does on each part of the data.
    #[serde(default)]
    scores: BTreeMap<String, Part>,
    predicts: Option<Predicts>,
    configuration: Option<String>,
    train_seconds: f64,
    parameters: u64,
    params_sha256: Option<String>,
    seed: Option<u64>,
    threads: Option<u64>,
    shards: Option<u64>,
    portable: Option<bool>,
    blas: Option<Blas>,
}

#[derive(Deserialize)]
struct Part {
    samples: Option<u64>,
    #[serde(flatten)]
    scores: Scores,
    confusion: Option<Vec<Vec<u64>>>,
    /// Those of several outputs, in their order.
    #[serde(default)]
    confusions: Vec<Option<Vec<Vec<u64>>>>,
}

#[derive(Deserialize)]
struct Predicts {
    #[serde(default)]
    names: Vec<String>,
    classes: Option<Vec<String>>,
    #[serde(default)]
    outputs: Vec<PredictedOutput>,
}

#[derive(Deserialize)]
struct PredictedOutput {
    name: String,
    classes: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Epoch {
    seconds: f64,
    train: Scores,
    validation: Option<Scores>,
}

/// Within an epoch.
#[derive(Deserialize)]
struct Validation {
    /// The epochs until then.
    epochs: f64,
    #[serde(flatten)]
    scores: Scores,
}

#[derive(Deserialize)]
struct Scores {
    loss: Option<f64>,
    #[serde(default)]
    metrics: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Blas {
    name: String,
    version: String,
    kernel: String,
}

impl Scores {
    /// The loss and all metrics that are numbers.
    fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        let metrics = self.metrics.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_f64()?)));
        self.loss.map(|loss| ("loss", loss)).into_iter().chain(metrics)
    }
}

/// A file that is no report.
#[derive(Debug)]
pub struct ReadError(serde_json::Error);

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this is no report as `chainrule train` and `train-mnist` write one with `--json FILE`")
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl RunReport {
    /// The report in this text, as `chainrule train` and `train-mnist` write it with `--json`: curves, confusion, settings. What only the
    /// training itself knows, as pictures of mistakes, is not in it.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the text is none; its source says where and why.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        let written: Written = serde_json::from_str(text).map_err(ReadError)?;
        let names = written.predicts.as_ref().map(|predicts| predicts.names.join(", "));
        let title = match (&written.dataset, names.filter(|names| !names.is_empty())) {
            (Some(dataset), _) => format!("Training on {dataset}"),
            (None, Some(names)) => format!("A model of {names}"),
            (None, None) => "A training".to_owned(),
        };
        let mut report = Self::new(title);
        let samples = written.samples.or_else(|| written.scores.get("training")?.samples);
        let samples = samples.map_or(String::new(), |samples| format!("{samples} samples, "));
        let passes = counted(written.epochs.len(), "epoch");
        report.subtitle = format!("{samples}{passes}, {} parameters", written.parameters);
        let mut add = |quantity: &str, name: &str, point: (f64, f64)| {
            let curves = &mut report.curves;
            match curves.iter_mut().find(|curve| curve.quantity == quantity && curve.name == name) {
                Some(curve) => curve.points.push(point),
                None => curves.push(CurveSeries::new(quantity, name, [point])),
            }
        };
        for (index, epoch) in written.epochs.iter().enumerate() {
            let x = index as f64 + 1.0;
            epoch.train.values().for_each(|(quantity, y)| add(quantity, "training", (x, y)));
            let validation = epoch.validation.iter().flat_map(Scores::values);
            validation.for_each(|(quantity, y)| add(quantity, "validation", (x, y)));
        }
        for Validation { epochs, scores } in &written.validations {
            scores.values().for_each(|(quantity, y)| add(quantity, "validation", (*epochs, y)));
        }
        let end = written.epochs.len() as f64;
        // The part that says most of new samples.
        let parts = ["test", "validation"].into_iter();
        let last = parts.filter_map(|name| Some((name, written.scores.get(name)?))).next();
        for (name, (quantity, y)) in
            last.iter().flat_map(|(name, part)| part.scores.values().map(|value| (*name, value)))
        {
            // Validations are in the curve, and perhaps in other units there.
            if name == "test" {
                add(quantity, name, (end, y));
            }
            report.figures.push((format!("{name} {quantity}"), number(y)));
        }
        for curve in report.curves.iter_mut().filter(|curve| curve.name == "validation") {
            curve.points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        }
        report.figures.push(("seconds".into(), format!("{:.2}", written.train_seconds)));
        report.confusion = last.and_then(|(_, part)| part.confusion.clone()).unwrap_or_default();
        let numbers = (0..report.confusion.len()).map(|class| class.to_string());
        let (classes, outputs) =
            written.predicts.map_or((None, Vec::new()), |predicts| (predicts.classes, predicts.outputs));
        report.classes = classes.unwrap_or_else(|| numbers.collect());
        let confusions = last.map(|(_, part)| part.confusions.clone()).unwrap_or_default();
        let of_output = |(PredictedOutput { name, classes }, confusion): (PredictedOutput, Option<_>)| {
            let (classes, confusion) = (classes.unwrap_or_default(), confusion.unwrap_or_default());
            OutputReport { name, classes, confusion, ..OutputReport::default() }
        };
        report.outputs = outputs.into_iter().zip(confusions).map(of_output).collect();
        let per_epoch: f64 = written.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>() / end.max(1.0);
        let text = |value: Option<u64>| value.map(|value| value.to_string());
        report.settings = facts([
            ("configuration", written.configuration),
            ("epochs", Some(written.epochs.len().to_string())),
            ("seconds an epoch", Some(number(per_epoch))),
            ("seed", text(written.seed)),
            ("shards", text(written.shards)),
            ("portable", written.portable.map(|portable| portable.to_string())),
            ("SHA-256 of the parameters", written.params_sha256),
        ]);
        let blas = written
            .blas
            .map(|Blas { name, version, kernel }| format!("{name} {version} {kernel}").trim().to_owned());
        report.environment = facts([("BLAS", blas), ("threads", text(written.threads))]);
        Ok(report)
    }
}

/// Those that are known.
fn facts<const N: usize>(facts: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
