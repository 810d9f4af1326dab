//! Tensors in Hugging Face's format: a header in JSON, and the bytes of all tensors after it.
//!
//! The crate `safetensors` checks that the header is within the file and that the tensors cover all bytes after it, each once. It
//! takes the last of several tensors of one name, so that the names are checked here.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::{Dtype as FileDtype, SafeTensors, View};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::dtype::Dtype;
use crate::format::{self, FormatError, WeightFileError};
use crate::state_dict::StateDict;
use crate::tensor::Tensor;

/// The number of bytes of the length of the header.
const LENGTH: usize = 8;

impl StateDict {
    /// Reads a safetensors file.
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be read, is no such file, has two tensors of one name, or numbers of less than a byte or of a
    /// type that is not in [`Dtype`].
    pub fn read_safetensors(path: impl AsRef<Path>) -> Result<Self, WeightFileError> {
        format::read(path.as_ref(), Self::from_safetensors)
    }

    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`FormatError`], as for [`read_safetensors`](Self::read_safetensors).
    pub fn from_safetensors(bytes: Vec<u8>) -> Result<Self, FormatError> {
        let (header, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
        let data = LENGTH + header;
        unique_names(&bytes[LENGTH..data]).map_err(|error| wrong(error.to_string()))?;
        let bytes = Arc::new(bytes);
        let mut dict = Self::new();
        for name in metadata.offset_keys() {
            let Some(info) = metadata.info(&name) else { continue };
            let unknown =
                || wrong(format!("{name} has elements of the type {:?}, which are not read", info.dtype));
            let dtype = read_dtype(info.dtype).ok_or_else(unknown)?;
            let start = data + info.data_offsets.0;
            let tensor = Tensor::within(dtype, info.shape.clone(), Arc::clone(&bytes), start);
            dict.insert(&*name, tensor.map_err(|error| wrong(format!("{name}: {error}")))?);
        }
        Ok(dict)
    }

    /// Writes a safetensors file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be written.
    pub fn write_safetensors(&self, path: impl AsRef<Path>) -> Result<(), WeightFileError> {
        format::write(path.as_ref(), self.to_safetensors())
    }

    /// The bytes of a safetensors file, marked as in the order of PyTorch's axes.
    ///
    /// # Errors
    ///
    /// [`FormatError`] if the names take more than a header may, 100 MB.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, FormatError> {
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let tensors = self.iter().map(|(name, tensor)| (name, Written(tensor)));
        safetensors::serialize(tensors, Some(metadata)).map_err(|error| wrong(error.to_string()))
    }
}

fn wrong(problem: String) -> FormatError {
    FormatError::new("safetensors", problem)
}

fn read_dtype(dtype: FileDtype) -> Option<Dtype> {
    Some(match dtype {
        FileDtype::BOOL => Dtype::Bool,
        FileDtype::U8 => Dtype::U8,
        FileDtype::I8 => Dtype::I8,
        FileDtype::I16 => Dtype::I16,
        FileDtype::U16 => Dtype::U16,
        FileDtype::F16 => Dtype::F16,
        FileDtype::BF16 => Dtype::Bf16,
        FileDtype::I32 => Dtype::I32,
        FileDtype::U32 => Dtype::U32,
        FileDtype::F32 => Dtype::F32,
        FileDtype::F64 => Dtype::F64,
        FileDtype::I64 => Dtype::I64,
        FileDtype::U64 => Dtype::U64,
        _ => return None,
    })
}

/// A tensor that is written.
struct Written<'a>(&'a Tensor);

impl View for Written<'_> {
    fn dtype(&self) -> FileDtype {
        match self.0.dtype() {
            Dtype::Bool => FileDtype::BOOL,
            Dtype::U8 => FileDtype::U8,
            Dtype::I8 => FileDtype::I8,
            Dtype::I16 => FileDtype::I16,
            Dtype::U16 => FileDtype::U16,
            Dtype::F16 => FileDtype::F16,
            Dtype::Bf16 => FileDtype::BF16,
            Dtype::I32 => FileDtype::I32,
            Dtype::U32 => FileDtype::U32,
            Dtype::F32 => FileDtype::F32,
            Dtype::F64 => FileDtype::F64,
            Dtype::I64 => FileDtype::I64,
            Dtype::U64 => FileDtype::U64,
        }
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.to_bytes().into()
    }

    fn data_len(&self) -> usize {
        self.0.len() * self.0.dtype().size()
    }
}

/// Checks that no name of a header is there twice.
fn unique_names(header: &[u8]) -> Result<(), serde_json::Error> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with a value for each tensor")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut names = BTreeSet::new();
            while let Some((name, IgnoredAny)) = map.next_entry::<String, _>()? {
                if let Some(twice) = names.replace(name) {
                    return Err(A::Error::custom(format!("two tensors are called {twice:?}")));
                }
            }
            Ok(())
        }
    }

    serde_json::Deserializer::from_slice(header).deserialize_map(Names)
}
