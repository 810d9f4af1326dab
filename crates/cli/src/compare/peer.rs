//! The other library, in a process of Python.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chainrule::interop::{StateDict, TorchExport};
use chainrule::train::Model;
use serde::Deserialize;
use serde_json::{Value, json};

use super::data::{RandomSamples, Targets};
use super::{LossName, Training};

/// What trains the network in PyTorch.
const TRAIN_IN_TORCH: &str = include_str!("train_in_torch.py");

/// How many steps are timed there.
const TIMED: usize = 30;

/// A Python that has the packages.
pub(super) struct Peer {
    python: PathBuf,
    name: &'static str,
}

/// What the other library has done.
pub(super) struct Found {
    /// Its name and version.
    pub(super) name: String,
    /// The loss of each step.
    pub(super) losses: Vec<f64>,
    /// The weights after them.
    pub(super) tensors: StateDict,
    /// The median time of a step.
    pub(super) seconds: f64,
}

/// What the script writes.
#[derive(Deserialize)]
struct Written {
    version: String,
    losses: Vec<f64>,
    seconds: f64,
}

impl Peer {
    /// PyTorch.
    ///
    /// # Errors
    ///
    /// If there is no such Python, or it lacks a package.
    pub(super) fn torch(python: &Path) -> Result<Self, Box<dyn Error>> {
        let mut import = Command::new(python);
        import.args(["-c", "import torch, safetensors, numpy"]).stdin(Stdio::null());
        let output = import.output().map_err(|error| {
            let python = python.display();
            format!("{python} cannot be started: {error}; name the Python that has torch by --python")
        })?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.trim_end().lines().next_back().unwrap_or("no reason is given").to_owned();
            return Err(format!(
                "{} cannot import torch, safetensors and numpy ({last}): install them there, or name another Python by --python",
                python.display()
            )
            .into());
        }
        Ok(Self { python: python.to_owned(), name: "PyTorch" })
    }

    /// Trains a model as [`Training::run`] does.
    ///
    /// # Errors
    ///
    /// If the model cannot be written for the library, or the training fails there.
    pub(super) fn train(
        &self,
        model: &Model<f32>,
        training: &Training<'_>,
        samples: &RandomSamples,
        targets: &Targets,
        optimizer: &Value,
    ) -> Result<Found, Box<dyn Error>> {
        let Training { batch_size, threads, loss, .. } = training;
        let folder = tempfile::Builder::new().prefix("chainrule-compare-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        TorchExport::new().write(model, path("network.py"))?;
        fs::write(path("x"), samples.bytes())?;
        fs::write(path("y"), targets.bytes())?;
        let settings = json!({
            "batch_size": batch_size,
            "threads": threads,
            "loss": LossName::name(*loss),
            "optimizer": optimizer,
            "input": &model.input()[..],
            "output": &model.output()[..],
            "timed": TIMED,
        });
        fs::write(path("settings.json"), settings.to_string())?;
        fs::write(path("train.py"), TRAIN_IN_TORCH)?;
        let mut python = Command::new(&self.python);
        python.arg(path("train.py")).arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let output = python.output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the training in {} failed:\n{}", self.name, text.trim_end()).into());
        }
        let Written { version, losses, seconds } =
            serde_json::from_str(&fs::read_to_string(path("found.json"))?)?;
        let tensors = StateDict::read_safetensors(path("trained.safetensors"))?;
        Ok(Found { name: format!("{} {version}", self.name), losses, tensors, seconds })
    }
}
