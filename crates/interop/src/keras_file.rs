//! Keras' files of weights, `.weights.h5`: HDF5, with a group for each layer and a data set for each of its variables.
//!
//! The crate `hdf5-pure` reads and writes HDF5. Here are the limits around it: a file can refer to a group or to its numbers as often as it
//! likes, so that what is visited is counted, and the lists of what is in groups are checked first to be trees.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hdf5_pure::{DType, File, FileBuilder, FinishedGroup, Group, GroupBuilder};

use crate::dtype::Dtype;
use crate::format::{self, FormatError, WeightFileError};
use crate::indices::count;
use crate::state_dict::StateDict;
use crate::tensor::Tensor;

/// How deep groups may be in each other.
const MAX_DEPTH: usize = 32;

/// The fewest bytes that a name in a group takes.
const LINK: usize = 16;

fn wrong(problem: impl std::fmt::Display) -> FormatError {
    FormatError::new("a file of Keras' weights", problem.to_string())
}

impl StateDict {
    /// Reads what Keras' `model.save_weights("model.weights.h5")` writes: every data set under its path, `layers/dense/vars/0`, as
    /// [`Names::KerasFile`](crate::Names::KerasFile) has them. The variables of an optimizer are among them.
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be read, is no such file, or holds other numbers than those of single or double precision and
    /// whole numbers.
    pub fn read_keras(path: impl AsRef<Path>) -> Result<Self, WeightFileError> {
        format::read(path.as_ref(), Self::from_keras)
    }

    /// Reads the bytes of such a file.
    ///
    /// # Errors
    ///
    /// [`FormatError`], as for [`read_keras`](Self::read_keras).
    pub fn from_keras(bytes: Vec<u8>) -> Result<Self, FormatError> {
        check_trees(&bytes)?;
        let mut reading = Reading { left: bytes.len(), dict: Self::new() };
        // None is known, but the crate is large: a panic of it is an error as any other.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let file = File::from_bytes(bytes).map_err(wrong)?;
            reading.group(&file.root(), "", 0)
        }));
        read.unwrap_or_else(|_| Err(wrong("its structure cannot be followed")))?;
        Ok(reading.dict)
    }

    /// Writes such a file, whole or not at all, for `model.load_weights`. The names are to be those of
    /// [`Names::KerasFile`](crate::Names::KerasFile).
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be written, or holds other numbers than those of single or double precision.
    pub fn write_keras(&self, path: impl AsRef<Path>) -> Result<(), WeightFileError> {
        format::write(path.as_ref(), self.to_keras())
    }

    /// The bytes of such a file.
    ///
    /// # Errors
    ///
    /// [`FormatError`], as for [`write_keras`](Self::write_keras).
    pub fn to_keras(&self) -> Result<Vec<u8>, FormatError> {
        let mut root = Contents::default();
        for (name, tensor) in self.iter() {
            root.insert(name, tensor);
        }
        let mut file = FileBuilder::new();
        for (name, tensor) in &root.tensors {
            write(file.create_dataset(name), name, tensor)?;
        }
        for (name, contents) in &root.groups {
            let group = file.create_group(name);
            file.add_group(contents.write(group)?);
        }
        file.finish().map_err(wrong)
    }
}

/// The most levels of the tree that lists what is in a group: of one, a node has 32 children.
const MAX_LEVELS: u8 = 3;

/// Checks that the lists of what is in groups are trees. A list whose nodes share their children would be followed once for each path
/// through them, which a few nodes make 2⁶⁴.
fn check_trees(bytes: &[u8]) -> Result<(), FormatError> {
    let number = |at: usize, len: usize| {
        let bytes = bytes.get(at..at.checked_add(len)?)?;
        Some(bytes.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte)))
    };
    if !bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Err(wrong("it does not begin as HDF5 does"));
    }
    // The sizes of addresses and lengths, and the address that others are counted from.
    let [sizes, base] = match bytes.get(8) {
        Some(0) => [13, 24],
        Some(1) => [13, 28],
        _ => [9, 12],
    };
    if number(sizes, 2) != Some(0x0808) || number(base, 8) != Some(0) {
        return Err(wrong("its addresses are not of 8 bytes, or do not begin at the file"));
    }
    let mut seen = BTreeSet::new();
    for (at, word) in bytes.windows(4).enumerate() {
        match word {
            b"TREE" => {
                let (Some(kind), Some(level), Some(entries)) =
                    (number(at + 4, 1), number(at + 5, 1), number(at + 6, 2))
                else {
                    continue;
                };
                if kind == 1 && level > 0 || kind == 0 && level > MAX_LEVELS.into() {
                    return Err(wrong(format!("a list in it has {level} levels of nodes")));
                }
                for entry in (0..entries as usize).filter(|_| kind == 0) {
                    let child = number(at + 32 + 16 * entry, 8).ok_or_else(|| wrong("it ends in a list"))?;
                    let here = usize::try_from(child).ok().filter(|child| *child < bytes.len());
                    let below = |child: usize| {
                        let is_node = bytes[child..].starts_with(b"TREE") && number(child + 4, 1) == Some(0);
                        level == 0 || is_node && number(child + 5, 1) == Some(level - 1)
                    };
                    if !here.is_some_and(below) || !seen.insert(child) {
                        return Err(wrong(
                            "a list in it is no tree: a node is missing, or is there more than once",
                        ));
                    }
                }
            }
            b"BTHD" if number(at + 4, 1) == Some(0) && number(at + 12, 2).is_none_or(|depth| depth > 1) => {
                return Err(wrong("a list in it has more than two levels of nodes"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A file that is being read.
struct Reading {
    /// How many more bytes its names and numbers may take.
    left: usize,
    dict: StateDict,
}

impl Reading {
    fn spend(&mut self, bytes: Option<usize>) -> Result<(), FormatError> {
        let left = bytes.and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or_else(|| wrong("its groups and data sets take more bytes than it has"))?;
        Ok(())
    }

    fn group(&mut self, group: &Group, path: &str, depth: usize) -> Result<(), FormatError> {
        if depth > MAX_DEPTH {
            return Err(wrong(format!("its groups are more than {MAX_DEPTH} deep")));
        }
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        for name in group.datasets().map_err(wrong)? {
            self.spend(name.len().checked_add(LINK))?;
            let full = within(&name);
            let tensor = self.data_set(group, &name)?.ok_or_else(|| {
                wrong(format!(
                    "the elements of {full} are neither of single or double precision nor whole numbers"
                ))
            })?;
            self.dict.insert(full, tensor);
        }
        for name in group.groups().map_err(wrong)? {
            self.spend(name.len().checked_add(LINK))?;
            self.group(&group.group(&name).map_err(wrong)?, &within(&name), depth + 1)?;
        }
        Ok(())
    }

    /// The tensor of a data set; `None` if its elements are of another type.
    fn data_set(&mut self, group: &Group, name: &str) -> Result<Option<Tensor>, FormatError> {
        /// The elements in a type of Rust.
        macro_rules! elements {
            ($set:ident, $number:ty) => {
                $set.read::<$number>().map_err(wrong)?.into_iter().flat_map(<$number>::to_le_bytes).collect()
            };
        }
        let set = group.dataset(name).map_err(wrong)?;
        let shape = set.shape().map_err(wrong)?;
        let shape = shape.into_iter().map(|length| usize::try_from(length).ok()).collect::<Option<Vec<_>>>();
        let shape = shape.ok_or_else(|| wrong(format!("{name} is too large")))?;
        let dtype = match set.dtype().map_err(wrong)? {
            DType::F32 => Dtype::F32,
            DType::F64 => Dtype::F64,
            DType::I8 => Dtype::I8,
            DType::I32 => Dtype::I32,
            DType::I64 => Dtype::I64,
            DType::U8 => Dtype::U8,
            DType::U32 => Dtype::U32,
            _ => return Ok(None),
        };
        // Before anything is read: what it claims may be more than any memory.
        self.spend(count(&shape).and_then(|count| count.checked_mul(dtype.size())))?;
        let bytes: Vec<u8> = match dtype {
            Dtype::F32 => elements!(set, f32),
            Dtype::F64 => elements!(set, f64),
            Dtype::I8 => elements!(set, i8),
            Dtype::I32 => elements!(set, i32),
            Dtype::I64 => elements!(set, i64),
            Dtype::U8 => elements!(set, u8),
            _ => elements!(set, u32),
        };
        Tensor::new(dtype, shape, bytes).map(Some).map_err(wrong)
    }
}

/// What is in a group that is written.
#[derive(Default)]
struct Contents<'a> {
    groups: BTreeMap<String, Contents<'a>>,
    tensors: BTreeMap<String, &'a Tensor>,
}

impl<'a> Contents<'a> {
    fn insert(&mut self, path: &str, tensor: &'a Tensor) {
        match path.split_once('/') {
            Some((group, rest)) => self.groups.entry(group.to_owned()).or_default().insert(rest, tensor),
            None => {
                self.tensors.insert(path.to_owned(), tensor);
            }
        }
    }

    fn write(&self, mut group: GroupBuilder) -> Result<FinishedGroup, FormatError> {
        for (name, tensor) in &self.tensors {
            write(group.create_dataset(name), name, tensor)?;
        }
        for (name, contents) in &self.groups {
            let inner = group.create_group(name);
            group.add_group(contents.write(inner)?);
        }
        Ok(group.finish())
    }
}

fn write(set: &mut hdf5_pure::DatasetBuilder, name: &str, tensor: &Tensor) -> Result<(), FormatError> {
    let values = tensor.values().filter(|_| matches!(tensor.dtype(), Dtype::F32 | Dtype::F64));
    let values = values
        .ok_or_else(|| wrong(format!("{name} is of {}: convert it to f32, by `to_dtype`", tensor.dtype())))?;
    let set = match tensor.dtype() {
        Dtype::F64 => set.with_f64_data(&values.collect::<Vec<_>>()),
        _ => set.with_f32_data(&values.map(|value| value as f32).collect::<Vec<_>>()),
    };
    set.with_shape(&tensor.shape().iter().map(|&length| length as u64).collect::<Vec<_>>());
    Ok(())
}
