//! Weights and models go out and come in.
//!
//! The decision here: **a tensor of another library is a view of the flat parameters.** One row for each family of layers says how
//! PyTorch and Keras name and lay out its tensors, as strided views; writing and reading both follow it, so they cannot disagree.
//!
//! ```
//! use chainrule_core::Sequential;
//! use chainrule_interop::{Loading, Names, StateDict};
//! use chainrule_layers::{Dense, Relu};
//! use chainrule_train::Model;
//!
//! let layers = || Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3));
//! let model = Model::new([4], layers(), 0)?;
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("model.safetensors");
//! # #[cfg(feature = "safetensors")] {
//! // For `nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))`...
//! StateDict::of(&model, Names::PyTorch).write_safetensors(&path)?;
//!
//! // ... and back.
//! let mut other = Model::new([4], layers(), 1)?;
//! Loading::new(Names::PyTorch).load(&StateDict::read_safetensors(&path)?, &mut other)?;
//! assert_eq!(other.parameters(), model.parameters());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `safetensors` | `StateDict::read_safetensors`, `write_safetensors`; `TorchExport`, models as code of PyTorch with such weights |
//! | `npz` | `StateDict::read_npz`, `write_npz`, `Tensor::read_npy`, `ArrayFile` |
//! | `pytorch` | `StateDict::read_pytorch`, for what `torch.save` has written |
//! | `keras` | `StateDict::read_keras`, `write_keras`, for `.weights.h5` |
//! | `onnx` | `OnnxExport`, models as graphs, and `OnnxModel`, which reads some |
//! | `source` | `SourceExport`, models as one file of Rust or C |
//!
//! # Files that deceive
//!
//! A file is checked before it is believed. Tensors are views of its bytes, so that a small file makes no large tensor; what is unpacked
//! from an archive is limited by the length of that; and a pickle, which is a program, is run by a machine that knows tensors,
//! dictionaries, lists, texts and numbers, and refuses anything else by its name.

#[cfg(any(feature = "npz", feature = "pytorch"))]
mod archive;
mod dtype;
#[cfg(any(feature = "keras", feature = "npz", feature = "pytorch", feature = "safetensors"))]
mod format;
mod indices;
#[cfg(feature = "keras")]
mod keras_file;
mod layout;
mod load;
#[cfg(feature = "npz")]
mod npz;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "pytorch")]
mod pytorch;
mod rename;
#[cfg(feature = "safetensors")]
mod safetensors;
#[cfg(any(feature = "onnx", feature = "safetensors", feature = "source"))]
mod site;
#[cfg(feature = "source")]
mod source;
mod state_dict;
mod tensor;
#[cfg(feature = "safetensors")]
mod torch;

pub use dtype::Dtype;
#[cfg(any(feature = "keras", feature = "npz", feature = "pytorch", feature = "safetensors"))]
pub use format::{FormatError, WeightFileError};
pub use layout::{Names, WeightForm, weight_forms};
pub use load::{LoadError, Loaded, Loading, WrongShape, WrongType};
#[cfg(feature = "npz")]
pub use npz::ArrayFile;
#[cfg(feature = "onnx")]
pub use onnx::{OnnxError, OnnxExport, OnnxForm, OnnxModel, OnnxReadError, onnx_forms};
pub use rename::{Rename, RenameError};
#[cfg(feature = "source")]
pub use source::{Language, SourceError, SourceExport, SourceFile, SourceForm, source_forms};
pub use state_dict::StateDict;
pub use tensor::{Tensor, TensorError};
#[cfg(feature = "safetensors")]
pub use torch::{TorchError, TorchExport, TorchForm, torch_forms};
