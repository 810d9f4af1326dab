//! The report of a training, as text and as JSON: of `train-mnist` and of a configuration.

use std::fmt;
use std::io;
use std::path::Path;

use chainrule::data::output;
use chainrule::tensor::blas::Blas;
use chainrule::train::{EpochReport, Model};
use chainrule_config::{Configuration, Evaluated, PredictedOutput, PredictedTargets};
use chainrule_report::counted;
use serde_json::{Map, Value, json};

use crate::processes::ProcessFigures;
use crate::recorder::RecordedValidation;
use crate::score_table::{confusion_tables, score_table, short};
use crate::text_chart::bars;

/// From so many epochs on, losses are drawn.
const FEWEST_DRAWN: usize = 3;

/// What is printed and written of a training.
pub(crate) struct TrainReport {
    /// What was trained on.
    pub(crate) source: ReportSource,
    /// The number of samples of the training.
    pub(crate) samples: usize,
    pub(crate) predicts: PredictedTargets,
    /// The number of epochs that were planned.
    pub(crate) planned: u64,
    pub(crate) history: Vec<EpochReport>,
    /// Within epochs.
    pub(crate) validations: Vec<RecordedValidation>,
    /// How the model does on the parts of the data that it was evaluated on; the last says most of new samples.
    pub(crate) parts: Vec<(&'static str, Evaluated)>,
    /// The layers of the model.
    pub(crate) layers: String,
    pub(crate) parameters: usize,
    pub(crate) params_sha256: String,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) shards: usize,
    /// Whether the products were the same on every CPU, and not those of BLAS.
    pub(crate) portable: bool,
    pub(crate) blas: Blas,
    /// What each process did, where there may be several.
    pub(crate) processes: Vec<ProcessFigures>,
}

/// What a training was given.
pub(crate) enum ReportSource {
    /// A data set with a name.
    Dataset(String),
    /// A configuration, with the changes that were given beside it.
    Configuration { text: String, changes: Vec<String> },
}

impl ReportSource {
    /// That of a configuration.
    pub(crate) fn of(configuration: &Configuration) -> Self {
        Self::Configuration { text: configuration.text.clone(), changes: configuration.changes.clone() }
    }
}

impl TrainReport {
    /// The layers, the number and the hash of the parameters of a model.
    pub(crate) fn facts(model: &Model<f32>) -> (String, usize, String) {
        (model.describe().to_string(), model.parameters().len(), model.parameters_sha256())
    }

    /// How long the training took.
    pub(crate) fn seconds(&self) -> f64 {
        self.history.iter().map(|report| report.seconds).sum()
    }

    /// The losses of the epochs in training and validation.
    fn losses(&self) -> [(&'static str, Vec<f64>); 2] {
        let training = self.history.iter().map(|report| report.train.loss).collect();
        let validation = self.history.iter().filter_map(|report| Some(report.validation.as_ref()?.loss));
        [("training loss", training), ("validation loss", validation.collect())]
    }

    /// The part that says most of new samples, with its name.
    pub(crate) fn last(&self) -> Option<(&'static str, &Evaluated)> {
        self.parts.last().map(|(part, evaluated)| (*part, evaluated))
    }

    /// Writes an object for other programs.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&self.json().map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
        output::write(path, |file| writeln!(file, "{text}"))
    }

    fn json(&self) -> Result<Value, serde_json::Error> {
        let Self {
            samples,
            predicts,
            history,
            layers,
            parameters,
            params_sha256,
            seed,
            threads,
            shards,
            portable,
            blas,
            ..
        } = self;
        let parts = self.parts.iter();
        let parts = parts.map(|(part, evaluated)| Ok(((*part).to_owned(), evaluated_json(evaluated)?)));
        let parts: Map<String, Value> = parts.collect::<Result<_, serde_json::Error>>()?;
        let mut epochs = serde_json::to_value(history)?;
        let mut object = match &self.source {
            ReportSource::Dataset(name) => {
                for (value, report) in epochs.as_array_mut().into_iter().flatten().zip(history) {
                    value["loss"] = json!(report.train.loss);
                    value["accuracy"] = json!(report.train.metric("accuracy"));
                }
                let test = self.last().map(|(_, evaluated)| evaluated);
                json!({
                    "dataset": name,
                    "test_loss": test.map(|test| test.scores.loss),
                    "test_accuracy": test.and_then(|test| test.scores.metric("accuracy")),
                    "test": test.map(|test| &test.scores),
                    "confusion": test.and_then(|test| test.confusion.as_ref()),
                })
            }
            ReportSource::Configuration { text, changes } => {
                json!({ "configuration": text, "changes": changes })
            }
        };
        let output = |output: &PredictedOutput| json!({ "name": output.name, "classes": output.classes });
        let outputs: Vec<Value> = predicts.outputs.iter().map(output).collect();
        let rest = json!({
            "samples": samples,
            "predicts": {
                "names": predicts.names,
                "classes": predicts.classes,
                "labels": predicts.labels,
                // Of the losses of the epochs: those of the parts are in the units of the data.
                "scales": predicts.scales,
                "outputs": outputs,
            },
            "epochs": epochs,
            "train_seconds": self.seconds(),
            "scores": parts,
            "layers": layers,
            "parameters": parameters,
            "params_sha256": params_sha256,
            "seed": seed,
            "threads": threads,
            "shards": shards,
            "portable": portable,
            "blas": { "name": blas.name, "version": blas.version, "kernel": blas.kernel },
        });
        if let (Value::Object(object), Value::Object(rest)) = (&mut object, rest) {
            object.extend(rest);
            if !self.validations.is_empty() {
                object.insert("validations".to_owned(), serde_json::to_value(&self.validations)?);
            }
            if !self.processes.is_empty() {
                object.insert("processes".to_owned(), serde_json::to_value(&self.processes)?);
            }
        }
        Ok(object)
    }
}

/// How a model does, as an object.
pub(crate) fn evaluated_json(evaluated: &Evaluated) -> Result<Value, serde_json::Error> {
    let Evaluated { samples, scores, confusion, of_outputs, .. } = evaluated;
    let mut object = json!({
        "samples": samples,
        "loss": scores.loss,
        "metrics": serde_json::to_value(scores)?["metrics"],
        "confusion": confusion,
    });
    if !of_outputs.is_empty() {
        object["confusions"] = json!(of_outputs);
    }
    Ok(object)
}

/// A time in seconds with so many digits, or in smaller units where fewer than two would be left.
pub(crate) fn precise(seconds: f64, digits: usize) -> String {
    match seconds {
        seconds if seconds >= 10f64.powi(1 - digits as i32) => format!("{seconds:.digits$} s"),
        seconds if seconds >= 1e-3 => format!("{:.1} ms", 1e3 * seconds),
        seconds => format!("{:.0} us", 1e6 * seconds),
    }
}

impl fmt::Display for TrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.parts.iter().map(|(part, evaluated)| (*part, evaluated)).collect();
        writeln!(f, "{}\n", score_table(&parts))?;
        let confusions = self.last().map(|(part, last)| confusion_tables(last, part, &self.predicts));
        for confusion in confusions.unwrap_or_default() {
            writeln!(f, "{confusion}\n")?;
        }
        let (seconds, epochs) = (self.seconds(), self.history.len());
        if epochs >= FEWEST_DRAWN {
            for (name, losses) in self.losses().into_iter().filter(|(_, losses)| losses.len() == epochs) {
                let ends = [losses[0], losses[epochs - 1]].map(short);
                writeln!(f, "{name:<16}  {}  {} to {}", bars(&losses), ends[0], ends[1])?;
            }
            writeln!(f)?;
        }
        if epochs == 0 {
            writeln!(f, "The model was not trained: the number of epochs is 0.")?;
        } else {
            let stopped = if (epochs as u64) < self.planned {
                format!(" of {}, stopped early", self.planned)
            } else {
                String::new()
            };
            let mean = seconds / epochs as f64;
            writeln!(
                f,
                "training    {}, {}{stopped}, {} per epoch",
                precise(seconds, 2),
                counted(epochs, "epoch"),
                precise(mean, 3)
            )?;
        }
        if let ReportSource::Dataset(name) = &self.source {
            writeln!(f, "data        {name}, {} samples", self.samples)?;
        }
        let Blas { name, version, kernel, .. } = &self.blas;
        writeln!(f, "BLAS        {}", format!("{name} {version} {kernel}").trim())?;
        if self.portable {
            writeln!(f, "products    portable: our own kernels, the same on every CPU")?;
        }
        writeln!(f, "threads     {}, shards {}, seed {}", self.threads, self.shards, self.seed)?;
        if let [_, others @ ..] = &self.processes[..]
            && !others.is_empty()
        {
            writeln!(f, "processes   {}", self.processes.len())?;
        }
        write!(f, "parameters  {}, sha256 {}", self.parameters, self.params_sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_are_not_0() {
        for (seconds, digits, text) in [
            (12.345, 2, "12.35 s"),
            (0.1, 2, "0.10 s"),
            (0.0123, 2, "12.3 ms"),
            (0.0123, 3, "0.012 s"),
            (0.000_42, 3, "420 us"),
            (0.0, 2, "0 us"),
        ] {
            assert_eq!(precise(seconds, digits), text);
        }
    }
}
