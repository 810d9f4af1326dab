//! `--peers`: a workload trained on MNIST for its epochs, to compare with other frameworks.
//!
//! It prints one line of JSON for each training, as the programs in `benches/peers` do.

use std::error::Error;
use std::path::Path;

use chainrule::tensor::blas::Blas;
use chainrule_cli::dataset::{self, DatasetName};
use chainrule_cli::{benchmark, terminal};
use serde::Serialize;

use super::workloads::{Choices, Workload};

/// A training, as the programs in `benches/peers` report theirs.
#[derive(Debug, Serialize)]
struct Training {
    framework: &'static str,
    version: String,
    workload: String,
    batch: usize,
    threads: usize,
    epoch_seconds: Vec<f64>,
    test_accuracy: f64,
    /// The peak memory of the process, data included; `None` where the system does not report it.
    peak_mb: Option<f64>,
}

/// Trains each workload on each number of threads, and prints a line for each.
pub(crate) fn run(
    workloads: &[Workload],
    threads: &[usize],
    choices: Choices,
    data: Option<&Path>,
) -> Result<(), Box<dyn Error>> {
    let mnist = dataset::find(Some(&DatasetName::mnist()), data)?;
    for workload in workloads {
        if workload.input != mnist.train.image_shape() {
            terminal::note(format_args!(
                "{} is left out: it does not train on MNIST's images",
                workload.name
            ));
            continue;
        }
        for &threads in threads {
            let mut trainer = workload.trainer(threads, choices)?;
            let history = trainer.fit(&mnist.train, workload.epochs)?;
            let scores = trainer.evaluate(&mnist.test)?;
            let training = Training {
                framework: "chainrule",
                version: format!("{} with {}", env!("CARGO_PKG_VERSION"), Blas::current()),
                workload: workload.name.clone(),
                batch: workload.batch,
                threads,
                epoch_seconds: history.epochs.iter().map(|epoch| epoch.seconds).collect(),
                test_accuracy: scores.metric("accuracy").unwrap_or(f64::NAN),
                peak_mb: benchmark::peak_memory().map(|bytes| bytes / 1e6),
            };
            terminal::print(serde_json::to_string(&training)?)?;
        }
    }
    Ok(())
}
