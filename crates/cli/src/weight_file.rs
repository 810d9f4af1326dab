//! What `export` and `import` share: the formats of files and the names of tensors.

use std::error::Error;
use std::path::Path;

use chainrule::interop::{Names, StateDict};
use chainrule::train::file;
use clap::ValueEnum;

/// A format of another library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Hugging Face's `.safetensors`.
    Safetensors,
    /// NumPy's `.npz`.
    Npz,
    /// What `torch.save` writes: `.pt`, `.pth`.
    Pytorch,
    /// Keras' `.weights.h5`.
    Keras,
    /// A graph: `.onnx`.
    Onnx,
    /// A model as a module of Rust: `.rs`.
    Rust,
    /// A model as a file of C99: `.c`.
    C,
    /// A model as a module of PyTorch: `.py`, with its weights beside it as `.safetensors`.
    Python,
}

impl Format {
    /// The format that was chosen, or that of the ending of a file's name.
    pub(crate) fn of(chosen: Option<Self>, path: &Path) -> Result<Self, Box<dyn Error>> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        let of_ending = match &*ending {
            "safetensors" => Some(Self::Safetensors),
            "npz" => Some(Self::Npz),
            "pt" | "pth" | "bin" => Some(Self::Pytorch),
            "h5" => Some(Self::Keras),
            "onnx" => Some(Self::Onnx),
            "rs" => Some(Self::Rust),
            "c" => Some(Self::C),
            "py" => Some(Self::Python),
            _ => None,
        };
        let unknown = || {
            format!("the name {} does not end as one of a known format: give it by --format", path.display())
                .into()
        };
        chosen.or(of_ending).ok_or_else(unknown)
    }

    /// The tensors of a file.
    pub(crate) fn read(self, path: &Path) -> Result<StateDict, Box<dyn Error>> {
        Ok(match self {
            Self::Safetensors => StateDict::read_safetensors(path)?,
            Self::Npz => StateDict::read_npz(path)?,
            Self::Pytorch => StateDict::read_pytorch(path)?,
            Self::Keras => read_keras(path)?,
            Self::Onnx => return Err("a graph has layers as well as tensors".into()),
            Self::Rust | Self::C | Self::Python => {
                return Err("a model is not read from source: it is written alone".into());
            }
        })
    }
}

#[cfg(feature = "keras")]
fn read_keras(path: &Path) -> Result<StateDict, Box<dyn Error>> {
    Ok(StateDict::read_keras(path)?)
}

/// Writes a file of Keras.
#[cfg(feature = "keras")]
pub(crate) fn write_keras(dict: &StateDict, path: &Path) -> Result<(), Box<dyn Error>> {
    Ok(dict.write_keras(path)?)
}

/// Why this program has no files of Keras.
#[cfg(not(feature = "keras"))]
const NO_KERAS: &str = "this program is built without the files of Keras, whose crate takes long to compile: install it with \
                        --features keras, or take .npz (docs/interop.md)";

#[cfg(not(feature = "keras"))]
fn read_keras(_: &Path) -> Result<StateDict, Box<dyn Error>> {
    Err(NO_KERAS.into())
}

#[cfg(not(feature = "keras"))]
pub(crate) fn write_keras(_: &StateDict, _: &Path) -> Result<(), Box<dyn Error>> {
    Err(NO_KERAS.into())
}

/// The names and layouts of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NamesOf {
    /// Those of the model's plan.
    Chainrule,
    /// Those of PyTorch's modules.
    Pytorch,
    /// Those of Keras' layers, as the script of docs/interop.md writes them.
    Keras,
}

impl NamesOf {
    /// Those of a file of this format: one of Keras has its own.
    pub(crate) fn within(self, format: Format) -> Names {
        if format == Format::Keras { Names::KerasFile } else { self.into() }
    }
}

impl From<NamesOf> for Names {
    fn from(names: NamesOf) -> Self {
        match names {
            NamesOf::Chainrule => Self::Chainrule,
            NamesOf::Pytorch => Self::PyTorch,
            NamesOf::Keras => Self::Keras,
        }
    }
}

/// Whether a model file has parameters in double precision.
pub(crate) fn is_double(path: &Path) -> Result<bool, Box<dyn Error>> {
    Ok(file::read(path)?.number == "f64")
}
