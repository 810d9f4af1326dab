//! Weights and models to and from other libraries.
#[cfg(any(feature = "npz", feature = "pytorch"))]
mod archive;
mod dtype;
#[cfg(any(feature = "npz", feature = "pytorch", feature = "safetensors"))]
mod format;
mod indices;
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
mod state_dict;
mod tensor;

pub use dtype::Dtype;
#[cfg(any(feature = "npz", feature = "pytorch", feature = "safetensors"))]
pub use format::{FormatError, WeightFileError};
pub use layout::{Names, PytorchForm, pytorch_forms};
pub use load::{LoadError, Loaded, Loading, WrongShape, WrongType};
#[cfg(feature = "onnx")]
pub use onnx::{OnnxError, OnnxExport, OnnxForm, onnx_forms};
pub use rename::{Rename, RenameError};
pub use state_dict::StateDict;
pub use tensor::{Tensor, TensorError};
