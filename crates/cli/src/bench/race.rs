//! `chainrule bench --race`: a work trained on MNIST for its epochs, to be set beside other frameworks.
//!
//! It prints one line of JSON, as the programs in `benches/peers` do.

use std::error::Error;
use std::path::Path;

use chainrule::tensor::blas::Blas;
use serde::Serialize;

use super::works::Work;
use crate::dataset::{self, DatasetName};

/// A training, as the programs in `benches/peers` report theirs.
#[derive(Debug, Serialize)]
struct Run {
    framework: &'static str,
    version: String,
    work: String,
    batch: usize,
    threads: usize,
    epoch_seconds: Vec<f64>,
    test_accuracy: f64,
    /// The most memory of the process, data included; `None` where the system does not tell.
    peak_mb: Option<f64>,
}

/// Trains each work on each number of threads, and prints a line for each.
pub(crate) fn run(
    works: &[Work],
    threads: &[usize],
    shards: Option<usize>,
    data: Option<&Path>,
) -> Result<(), Box<dyn Error>> {
    let mnist = dataset::find(Some(DatasetName::Mnist), data)?;
    for work in works {
        if work.input != mnist.train.image_shape() {
            eprintln!("{} takes no images of MNIST, and is left out", work.name);
            continue;
        }
        for &threads in threads {
            let mut trainer = work.trainer(threads, shards)?;
            let history = trainer.fit(&mnist.train, work.epochs)?;
            let scores = trainer.evaluate(&mnist.test)?;
            let run = Run {
                framework: "chainrule",
                version: format!("{} with {}", env!("CARGO_PKG_VERSION"), Blas::current()),
                work: work.name.clone(),
                batch: work.batch,
                threads,
                epoch_seconds: history.epochs.iter().map(|epoch| epoch.seconds).collect(),
                test_accuracy: scores.metric("accuracy").unwrap_or(f64::NAN),
                peak_mb: peak_mb(),
            };
            println!("{}", serde_json::to_string(&run)?);
        }
    }
    Ok(())
}

/// The most memory that this process has had, as Linux tells it.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}
