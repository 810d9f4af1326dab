//! State dicts of PyTorch: what `torch.save` writes, as a zip archive or, before version 1.6, as pickles one after the other.
//!
//! Python's pickles are programs, which can call any function. Here nothing is called: the [reader](pickle) knows dictionaries, lists
//! and numbers, and of all names only those by which PyTorch makes tensors. Any other is an error that says it.
//!
//! Source: PyTorch, `torch/serialization.py`, `torch/_utils.py`; Python, `pickletools.py`.

mod collect;
mod legacy;
mod object;
mod pickle;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::archive::Archive;
use crate::format::{self, FormatError, WeightFileError};
use crate::state_dict::StateDict;

use collect::{Storages, collect};
use object::Storage;

/// What a zip archive begins with.
const ZIP: &[u8] = b"PK";

impl StateDict {
    /// Reads the tensors of a file that `torch.save` has written, of a state dict or a dictionary that holds some, of any depth: a name
    /// is all keys with dots between them. What is no tensor is left out.
    ///
    /// No code is run. A file with anything but tensors, dictionaries, lists, texts and numbers is refused: save the state dict of a
    /// model, not the model.
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be read or is no such file, and with the name of what it would call.
    pub fn read_pytorch(path: impl AsRef<Path>) -> Result<Self, WeightFileError> {
        format::read(path.as_ref(), |bytes| Self::from_pytorch(&bytes))
    }

    /// Reads the bytes of such a file.
    ///
    /// # Errors
    ///
    /// [`FormatError`], as for [`read_pytorch`](Self::read_pytorch).
    pub fn from_pytorch(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.starts_with(ZIP) { from_zip(bytes) } else { legacy::read(bytes) }
    }
}

fn wrong(problem: impl Into<String>) -> FormatError {
    FormatError::new("a state dict of PyTorch", problem)
}

fn from_zip(bytes: &[u8]) -> Result<StateDict, FormatError> {
    let mut archive = Archive::open(bytes, "a state dict of PyTorch")?;
    let names = archive.names()?;
    let mut roots = names.iter().filter_map(|name| name.strip_suffix("data.pkl"));
    let (Some(root), None) = (roots.next(), roots.next()) else {
        return Err(wrong("the archive does not have one member data.pkl"));
    };
    let order = format!("{root}byteorder");
    if names.contains(&order) && archive.member(&order)? != b"little" {
        return Err(wrong("its numbers are big-endian; save it on a machine that is little-endian"));
    }
    let program = archive.member(&format!("{root}data.pkl"))?;
    let (heap, result) = pickle::load(&program, &mut 0).map_err(wrong)?;
    let mut storages: Storages = BTreeMap::new();
    for Storage { key, .. } in heap.storages() {
        if !storages.contains_key(key) {
            storages.insert(key.clone(), Arc::new(archive.member(&format!("{root}data/{key}"))?));
        }
    }
    collect(&heap, result, &storages, program.len()).map_err(wrong)
}
