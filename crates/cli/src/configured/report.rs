//! The report of a training that a configuration describes, as text and as JSON.

use std::fmt;

use chainrule::tensor::blas::Blas;
use chainrule::train::EpochReport;
use chainrule_config::{Configuration, Evaluated, PredictedTargets, TrainedModel};
use serde_json::{Value, json};

use super::score_table::{confusion_table, score_table};

/// What is printed and written of a training.
pub(super) struct TrainReport<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) predicts: PredictedTargets,
    pub(super) history: Vec<EpochReport>,
    pub(super) trained: TrainedModel,
    pub(super) library: Blas,
    pub(super) threads: usize,
    pub(super) shards: usize,
}

impl TrainReport<'_> {
    fn parts(&self) -> Vec<(&'static str, &Evaluated)> {
        let TrainedModel { train, validation, test, .. } = &self.trained;
        let others = [("validation", validation), ("test", test)];
        let others = others.into_iter().filter_map(|(part, evaluated)| Some((part, evaluated.as_ref()?)));
        std::iter::once(("training", train)).chain(others).collect()
    }

    fn seconds(&self) -> f64 {
        self.history.iter().map(|report| report.seconds).sum()
    }

    /// An object for other programs.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        let Self { configuration, predicts, history, trained, library, threads, shards } = self;
        let parts: serde_json::Map<String, Value> = self
            .parts()
            .into_iter()
            .map(|(part, evaluated)| Ok((part.to_owned(), evaluated_json(evaluated)?)))
            .collect::<Result<_, serde_json::Error>>()?;
        let object = json!({
            "configuration": configuration.text,
            "changes": configuration.changes,
            "predicts": {
                "names": predicts.names,
                "classes": predicts.classes,
                "labels": predicts.labels,
                // Of the losses of the epochs: those of the parts are in the units of the data.
                "scales": predicts.scales,
            },
            "epochs": serde_json::to_value(history)?,
            "train_seconds": self.seconds(),
            "scores": parts,
            "layers": trained.model.describe().to_string(),
            "parameters": trained.model.parameters().len(),
            "params_sha256": trained.model.parameters_sha256(),
            "seed": configuration.seed,
            "threads": threads,
            "shards": shards,
            "portable": configuration.portable,
            "blas": { "name": library.name, "version": library.version, "kernel": library.kernel },
        });
        Ok(format!("{}\n", serde_json::to_string_pretty(&object)?))
    }
}

/// How a model does, as an object.
pub(super) fn evaluated_json(evaluated: &Evaluated) -> Result<Value, serde_json::Error> {
    let Evaluated { samples, scores, confusion, .. } = evaluated;
    Ok(json!({
        "samples": samples,
        "loss": scores.loss,
        "metrics": serde_json::to_value(scores)?["metrics"],
        "confusion": confusion,
    }))
}

impl fmt::Display for TrainReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        writeln!(f, "{}\n", score_table(&parts))?;
        let classes = self.predicts.classes.as_deref().unwrap_or_default();
        let confusion = parts.last().and_then(|(part, last)| confusion_table(last, part, classes));
        if let Some(confusion) = confusion {
            writeln!(f, "{confusion}\n")?;
        }
        let (seconds, epochs) = (self.seconds(), self.history.len());
        if epochs == 0 {
            writeln!(f, "The model was not trained: the number of epochs is 0.")?;
        } else {
            let planned = self.configuration.epochs;
            let stopped = if (epochs as u64) < planned {
                format!(" of {planned}, stopped early")
            } else {
                String::new()
            };
            writeln!(f, "training    {seconds:.2} s, {epochs} epochs{stopped}")?;
        }
        let Blas { name, version, kernel, .. } = &self.library;
        writeln!(f, "BLAS        {}", format!("{name} {version} {kernel}").trim())?;
        writeln!(
            f,
            "threads     {}, shards {}, seed {}",
            self.threads, self.shards, self.configuration.seed
        )?;
        let model = &self.trained.model;
        write!(f, "parameters  {}, sha256 {}", model.parameters().len(), model.parameters_sha256())
    }
}
