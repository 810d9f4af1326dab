//! Models as code of PyTorch: a file of Python that builds the modules, and the weights beside it.

mod containers;
mod modules;
mod recurrent;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use chainrule_core::{Description, Plan};
use chainrule_data::output;
use chainrule_tensor::Real;
use chainrule_train::Model;

use crate::format::WeightFileError;
use crate::site::{Refusal, Site};
use crate::{Names, StateDict};
use writer::{Module, Writer};

pub use modules::{TorchForm, torch_forms};

/// Classes that a file contains if its network uses them.
const HELPERS: &str = include_str!("helpers.py");

/// Writes models as code of PyTorch.
///
/// The file has a function `network`, which builds the modules, and one, `load`, which builds them and loads the weights, which are
/// beside it as safetensors. The names are those of [`Names::PyTorch`], so weights that are trained further in PyTorch come back by
/// [`Loading`](crate::Loading).
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_interop::TorchExport;
/// use chainrule_layers::{Dense, Relu};
/// use chainrule_train::Model;
///
/// let model = Model::new([4], Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3)), 0)?;
/// let code = TorchExport::new().code(&model, "model.safetensors")?;
/// assert!(code.contains("nn.Linear(4, 8, bias=True),"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TorchExport {}

impl TorchExport {
    /// Of models as they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a file of Python, and the weights under the same name with the ending `safetensors`, each whole or not at all; returns
    /// the path of the weights.
    ///
    /// # Errors
    ///
    /// [`TorchError`] names the layer that has no module and why, or the system's error.
    pub fn write<T: Real>(self, model: &Model<T>, path: impl AsRef<Path>) -> Result<PathBuf, TorchError> {
        let path = path.as_ref();
        let weights = path.with_extension("safetensors");
        let name = weights.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let code = self.code(model, &name)?;
        StateDict::of(model, Names::PyTorch).write_safetensors(&weights)?;
        output::write(path, |file| file.write_all(code.as_bytes()))
            .map_err(|source| TorchError::Io { path: path.to_owned(), source })?;
        Ok(weights)
    }

    /// The text of a file, whose weights are in a file of this name beside it.
    ///
    /// # Errors
    ///
    /// [`TorchError`], as for [`write`](Self::write).
    pub fn code<T: Real>(self, model: &Model<T>, weights: &str) -> Result<String, TorchError> {
        self.code_of((&model.describe(), model.plan()), &model.input(), weights)
    }

    /// The text of a file of layers with this description and this plan, for samples of shape `input`.
    ///
    /// # Errors
    ///
    /// [`TorchError`], as for [`write`](Self::write).
    pub fn code_of(
        self,
        (description, plan): (&Description, &Plan),
        input: &[usize],
        weights: &str,
    ) -> Result<String, TorchError> {
        let mut writer = Writer::new(plan);
        let site = Site { path: String::new(), description: description.clone() };
        let Module { text, shape } =
            modules::layer(&mut writer, &site, input).map_err(|Refusal { layer, reason }| {
                let (path, layer) = layer.unwrap_or_default();
                TorchError::Layer { path, layer, reason }
            })?;
        let mut head = format!(
            "\"\"\"A network that chainrule {} trained, in PyTorch.\n\nA sample has the shape {input:?}, its output {shape:?}; the \
             batch comes first.\n\"\"\"\n\n",
            env!("CARGO_PKG_VERSION")
        );
        let uses =
            |word: &str| text.contains(word) || writer.classes.iter().any(|class| class.contains(word));
        for module in ["collections", "functools"] {
            if uses(&format!("{module}.")) {
                head += &format!("import {module}\n");
            }
        }
        head +=
            "import pathlib\n\nimport torch\nfrom safetensors.torch import load_file\nfrom torch import nn\n";
        for class in HELPERS.trim().split("\n\n\n") {
            let name = class.trim_start_matches("class ").split(['(', ':']).next().unwrap_or_default();
            if writer.helpers.contains(name) {
                head += &format!("\n\n{class}\n");
            }
        }
        for class in &writer.classes {
            head += &format!("\n\n{class}");
        }
        let body = text.replace('\n', "\n    ");
        // A text of JSON is one of Python.
        let weights = serde_json::Value::from(weights);
        Ok(format!(
            "{head}

def network():
    \"\"\"The modules, with new weights.\"\"\"
    return {body}


def load(path=pathlib.Path(__file__).parent / {weights}):
    \"\"\"The modules with the weights of a file, to predict with.\"\"\"
    modules = network()
    modules.load_state_dict(load_file(path))
    return modules.eval()


if __name__ == \"__main__\":
    print(load()(torch.zeros({})))
",
            python_list(&[&[1], input].concat())
        ))
    }
}

fn python_list(values: &[usize]) -> String {
    values.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// A model that cannot be written as code of PyTorch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchError {
    /// A layer that has no module.
    #[error(
        "layer {path}, {layer}, cannot be written as code of PyTorch: {reason}; write its weights as safetensors, or the model as ONNX"
    )]
    Layer {
        /// Its path.
        path: String,
        /// Its name.
        layer: String,
        /// Why.
        reason: String,
    },
    /// The weights cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightFileError),
    /// The system reports an error.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
