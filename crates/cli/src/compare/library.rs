//! The libraries that a training is compared with: what each needs, and what it is given.

use std::error::Error;
use std::path::Path;

use chainrule::core::ParamKind;
use chainrule::interop::{Names, StateDict, TorchExport};
use chainrule::train::Model;
use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// Another library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Library {
    /// PyTorch: the packages torch and safetensors.
    Torch,
    /// Keras: the package keras, and one of jax, torch and tensorflow.
    Keras,
    /// JAX: the packages jax and optax.
    Jax,
}

impl Library {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Torch => "PyTorch",
            Self::Keras => "Keras",
            Self::Jax => "JAX",
        }
    }

    /// The packages that it takes.
    pub(super) fn packages(self) -> &'static str {
        match self {
            Self::Torch => "torch, safetensors and numpy",
            Self::Keras => "keras, numpy and one of jax, torch and tensorflow",
            Self::Jax => "jax, optax and numpy",
        }
    }

    /// A program that fails where one of them is missing.
    pub(super) fn imports(self) -> &'static str {
        match self {
            Self::Torch => "import torch, safetensors, numpy",
            Self::Keras => KERAS_BACKEND,
            Self::Jax => "import jax, optax, numpy",
        }
    }

    /// The program that trains, and the files beside it.
    pub(super) fn scripts(self) -> (&'static str, Vec<(&'static str, &'static str)>) {
        let common = ("common.py", include_str!("common.py"));
        let (name, text, more) = match self {
            Self::Torch => ("train_in_torch.py", include_str!("train_in_torch.py"), None),
            Self::Keras => {
                let backend = ("keras_backend.py", KERAS_BACKEND);
                ("train_in_keras.py", include_str!("train_in_keras.py"), Some(backend))
            }
            Self::Jax => ("train_in_jax.py", include_str!("train_in_jax.py"), None),
        };
        (name, [common, (name, text)].into_iter().chain(more).collect())
    }

    /// The names of the weights there.
    pub(super) fn names(self) -> Names {
        match self {
            Self::Torch => Names::PyTorch,
            Self::Keras => Names::Keras,
            Self::Jax => Names::Chainrule,
        }
    }

    /// Writes a network into a folder; returns what its script has to know of it.
    ///
    /// # Errors
    ///
    /// If a layer cannot be written for the library, or the system refuses.
    pub(super) fn write(
        self,
        model: &Model<f32>,
        folder: &Path,
    ) -> Result<Map<String, Value>, Box<dyn Error>> {
        let mut settings = Map::new();
        if self == Self::Torch {
            TorchExport::new().write(model, folder.join("network.py"))?;
            return Ok(settings);
        }
        StateDict::of(model, self.names()).write_npz(folder.join("weights.npz"))?;
        let entries = model.plan().entries();
        let named = |of: fn(ParamKind) -> bool| -> Value {
            entries.iter().filter(|entry| of(entry.kind)).map(|entry| json!(entry.name)).collect()
        };
        settings.insert("network".into(), serde_json::to_value(model.describe())?);
        settings.insert("parameters".into(), named(|_| true));
        settings.insert("trained".into(), named(ParamKind::is_trained));
        Ok(settings)
    }

    /// Reads the weights that its script has written.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub(super) fn read(self, folder: &Path) -> Result<StateDict, Box<dyn Error>> {
        Ok(match self {
            Self::Torch => StateDict::read_safetensors(folder.join("trained.safetensors"))?,
            Self::Keras | Self::Jax => StateDict::read_npz(folder.join("trained.npz"))?,
        })
    }
}

/// It imports Keras, and so says whether it is there.
const KERAS_BACKEND: &str = include_str!("keras_backend.py");
