//! The report of a training, as text and as JSON.

use std::fmt;
use std::io;
use std::path::Path;

use chainrule::data::output;
use chainrule::metrics::ConfusionCounts;
use chainrule::train::Scores;
use serde::Serialize;

use crate::processes::ProcessFigures;

/// The figures of one epoch.
#[derive(Debug, Serialize)]
pub(crate) struct EpochFigures {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
    pub(crate) seconds: f64,
    /// The loss again, and all metrics by name.
    pub(crate) train: Scores,
}

/// The BLAS of the training.
#[derive(Debug, Serialize)]
pub(crate) struct BlasInfo {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) kernel: String,
}

/// The report that is printed and written.
#[derive(Debug, Serialize)]
pub(crate) struct TrainingReport {
    pub(crate) dataset: String,
    pub(crate) samples: usize,
    pub(crate) epochs: Vec<EpochFigures>,
    pub(crate) test_loss: f64,
    pub(crate) test_accuracy: f64,
    /// The loss again, and all metrics by name.
    pub(crate) test: Scores,
    /// Rows are the true classes, columns the predicted ones.
    pub(crate) confusion: Vec<Vec<u64>>,
    pub(crate) train_seconds: f64,
    pub(crate) parameters: usize,
    pub(crate) params_sha256: String,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) shards: usize,
    /// Whether the products were the same on every CPU, and not those of BLAS.
    pub(crate) portable: bool,
    pub(crate) blas: BlasInfo,
    /// What each process did, where there may be several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) processes: Vec<ProcessFigures>,
    #[serde(skip)]
    pub(crate) matrix: ConfusionCounts,
}

impl TrainingReport {
    /// Writes the report as JSON.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        output::write(path, |file| writeln!(file, "{text}"))
    }
}

impl fmt::Display for TrainingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dataset, test_loss, test_accuracy, train_seconds, epochs, .. } = self;
        writeln!(f, "test on {dataset}: accuracy {:.2} %, loss {test_loss:.4}", 100.0 * test_accuracy)?;
        if epochs.is_empty() {
            writeln!(f, "The model was not trained: the number of epochs is 0.")?;
        }
        writeln!(f)?;
        writeln!(f, "{}", self.matrix)?;
        let mean = train_seconds / epochs.len().max(1) as f64;
        writeln!(f, "training    {train_seconds:.2} s, {mean:.3} s per epoch")?;
        let BlasInfo { name, version, kernel } = &self.blas;
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
