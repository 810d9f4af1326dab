//! The other library, in a process of Python.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chainrule::interop::StateDict;
use chainrule::train::Model;
use serde::Deserialize;
use serde_json::{Value, json};

use super::data::{RandomSamples, Targets};
use super::library::Library;
use super::{LossName, Training};

/// How many steps are timed there.
const TIMED: usize = 30;

/// A Python that has the packages of a library.
pub(super) struct Peer {
    python: PathBuf,
    library: Library,
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
    /// A Python with this library.
    ///
    /// # Errors
    ///
    /// If there is no such Python, or it lacks a package.
    pub(super) fn new(library: Library, python: &Path) -> Result<Self, Box<dyn Error>> {
        let mut import = Command::new(python);
        import.args(["-c", library.imports()]).stdin(Stdio::null());
        let (name, packages) = (library.name(), library.packages());
        let output = import.output().map_err(|error| {
            let python = python.display();
            format!("{python} cannot be started: {error}; name the Python that has {name} by --python")
        })?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.trim_end().lines().next_back().unwrap_or("no reason is given").to_owned();
            return Err(format!(
                "{} cannot import {packages} ({last}): install them there, or name another Python by --python",
                python.display()
            )
            .into());
        }
        Ok(Self { python: python.to_owned(), library })
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
        let Self { python, library } = self;
        let Training { batch_size, threads, loss, .. } = training;
        let folder = tempfile::Builder::new().prefix("chainrule-compare-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let mut settings = library.write(model, folder.path())?;
        for (name, value) in [
            ("batch_size", json!(batch_size)),
            ("threads", json!(threads)),
            ("loss", json!(LossName::name(*loss))),
            ("optimizer", optimizer.clone()),
            ("input", json!(&model.input()[..])),
            ("output", json!(&model.output()[..])),
            ("timed", json!(TIMED)),
        ] {
            settings.insert(name.to_owned(), value);
        }
        fs::write(path("x"), samples.bytes())?;
        fs::write(path("y"), targets.bytes())?;
        fs::write(path("settings.json"), Value::from(settings).to_string())?;
        let (script, files) = library.scripts();
        for (name, text) in files {
            fs::write(path(name), text)?;
        }
        let mut training = Command::new(python);
        training.arg(path(script)).arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let output = training.output()?;
        let name = library.name();
        if let Ok(reason) = fs::read_to_string(path("refused")) {
            return Err(format!("the model cannot be compared with {name}: {reason}").into());
        }
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the training in {name} failed:\n{}", text.trim_end()).into());
        }
        let Written { version, losses, seconds } =
            serde_json::from_str(&fs::read_to_string(path("found.json"))?)?;
        let tensors = library.read(folder.path())?;
        Ok(Found { name: format!("{name} {version}"), losses, tensors, seconds })
    }
}
