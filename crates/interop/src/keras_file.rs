//! Keras' files of weights, `.weights.h5`: HDF5, with a group for each layer and a data set for each of its variables.
//!
//! The crate `hdf5-pure` reads and writes HDF5. Here are the limits around it: a file can refer to a group, to a name or to its numbers as
//! often as it likes, so that what is read is counted, and the lists of what is in groups are checked first to be trees with short names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hdf5_pure::{DType, Dataset, File, FileBuilder, FinishedGroup, Group, GroupBuilder, Layout, Source};

use crate::dtype::Dtype;
use crate::format::{self, FormatError, WeightFileError};
use crate::indices::count;
use crate::state_dict::StateDict;
use crate::tensor::Tensor;

/// How deep groups may be in each other.
const MAX_DEPTH: usize = 32;

/// The fewest bytes that a name in a group takes.
const LINK: usize = 16;

/// The most bytes of a name in a list of names.
const MAX_NAME: usize = 255;

/// How many times the bytes of a file may be read, besides a few.
const READS: usize = 16;

/// Bytes that may be read of a small file.
const SMALL: usize = 1 << 20;

/// Bytes of the stack to read with, besides those for types of elements in each other.
const STACK: usize = 1 << 20;

/// The most bytes of the description of a type, and the fewest for one in another.
const TYPE: [usize; 2] = [1 << 16, 8];

/// Bytes of the stack for each type in another, with some to spare.
const FRAME: usize = 8 << 10;

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
        check_names(&bytes)?;
        let size = bytes.len();
        let read = move || {
            let left = AtomicUsize::new(size.saturating_mul(READS).saturating_add(SMALL));
            let file = File::from_source(Counted { bytes, left }).map_err(wrong)?;
            let mut reading = Reading { size, left: size, dict: Self::new() };
            reading.group(&file.root(), "", 0)?;
            Ok(reading.dict)
        };
        let stack = STACK + size.min(TYPE[0]) / TYPE[1] * FRAME;
        let thread = thread::Builder::new().name("keras".into()).stack_size(stack).spawn(read);
        let thread =
            thread.map_err(|error| wrong(format!("no thread can be started to read it: {error}")))?;
        // No panic is known, but the crate is large: one of it is an error as any other.
        thread.join().unwrap_or_else(|_| Err(wrong("its structure cannot be followed")))
    }

    /// Writes such a file, whole or not at all, for `model.load_weights`. The names are to be those of
    /// [`Names::KerasFile`](crate::Names::KerasFile).
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be written, holds other numbers than those of single or double precision, or a name that is no path
    /// in such a file: one that is that of others as well (`a` and `a/b`), or whose parts are empty, too long or too many.
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
            if name.split('/').count() > MAX_DEPTH + 1 {
                return Err(wrong(format!("{} is in more than {MAX_DEPTH} groups", shown(name))));
            }
            name.split('/').try_for_each(|part| check_part(part, name))?;
            root.insert(name, tensor);
        }
        root.check("")?;
        let mut file = FileBuilder::new();
        for (name, tensor) in &root.tensors {
            write(file.create_dataset(name), name, tensor)?;
        }
        for (name, contents) in &root.groups {
            let group = file.create_group(name);
            file.add_group(contents.write(group, name)?);
        }
        let bytes = file.finish().map_err(wrong)?;
        // The checks know a list by its first letters, wherever they are.
        check_trees(&bytes).and_then(|()| check_names(&bytes)).map_err(|error| {
            wrong(format!(
                "it could not be read, as numbers may look like a list of HDF5 ({error}): write safetensors"
            ))
        })?;
        Ok(bytes)
    }
}

/// The beginning of a name, which may have any length.
fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}

/// Checks a part of the path of a data set.
fn check_part(part: &str, path: &str) -> Result<(), FormatError> {
    let problem = match part {
        "" | "." => "is no name",
        part if part.contains('/') => "has a slash",
        part if part.len() > MAX_NAME => "is too long",
        _ => return Ok(()),
    };
    Err(wrong(format!("the part `{}` of {} {problem}", shown(part), shown(path))))
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

/// Checks that no name in a list of names is long. Names begin anywhere in such a list and end at its next zero, so that many could be
/// parts of one.
fn check_names(bytes: &[u8]) -> Result<(), FormatError> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at.checked_add(8)?)?;
        usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    // Lists do not overlap in a file that was written.
    let mut left = bytes.len();
    for (at, _) in bytes.windows(5).enumerate().filter(|(_, window)| window == b"HEAP\0") {
        let (Some(size), Some(start)) = (number(at + 8), number(at + 24)) else { continue };
        let Some(list) = bytes.get(start..start.saturating_add(size).min(bytes.len())) else { continue };
        left = left.checked_sub(list.len()).ok_or_else(|| wrong("its lists of names are in each other"))?;
        if list.split(|byte| *byte == 0).any(|name| name.len() > MAX_NAME) {
            return Err(wrong(format!("a name in it has more than {MAX_NAME} bytes")));
        }
    }
    Ok(())
}

/// The bytes of a file, of which each may be read some times.
struct Counted {
    bytes: Vec<u8>,
    /// How many more bytes may be read.
    left: AtomicUsize,
}

impl Source for Counted {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, to: &mut [u8]) -> Result<(), hdf5_pure::FormatError> {
        let spent = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(to.len().saturating_add(LINK))
        });
        if spent.is_err() {
            return Err(hdf5_pure::FormatError::Source("its parts are used again and again".into()));
        }
        let start = usize::try_from(offset).ok();
        let from = start.and_then(|start| self.bytes.get(start..start.checked_add(to.len())?));
        let from = from.ok_or(hdf5_pure::FormatError::UnexpectedEof {
            expected: start.unwrap_or(usize::MAX).saturating_add(to.len()),
            available: self.bytes.len(),
        })?;
        to.copy_from_slice(from);
        Ok(())
    }
}

/// A file that is being read.
struct Reading {
    /// The bytes of the file.
    size: usize,
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
        let of_group = |problem: hdf5_pure::Error| {
            wrong(if path.is_empty() { problem.to_string() } else { format!("the group {path}: {problem}") })
        };
        let within = |name: &str| {
            let full = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            check_part(name, &full).map(|()| full)
        };
        for (name, set) in group.iter_datasets().map_err(of_group)? {
            self.spend(name.len().checked_add(LINK))?;
            let full = within(&name)?;
            let tensor = self.data_set(&set, &full)?;
            if self.dict.get(&full).is_some() {
                return Err(wrong(format!("two data sets are called {full}")));
            }
            self.dict.insert(full, tensor);
        }
        for (name, inner) in group.iter_groups().map_err(of_group)? {
            self.spend(name.len().checked_add(LINK))?;
            self.group(&inner, &within(&name)?, depth + 1)?;
        }
        Ok(())
    }

    /// The tensor of a data set.
    fn data_set(&mut self, set: &Dataset, path: &str) -> Result<Tensor, FormatError> {
        let problem = |problem: &dyn std::fmt::Display| wrong(format!("the data set {path}: {problem}"));
        /// The elements in a type of Rust.
        macro_rules! elements {
            ($read:ident) => {
                set.$read()
                    .map_err(|error| problem(&error))?
                    .into_iter()
                    .flat_map(|number| number.to_le_bytes())
                    .collect()
            };
        }
        // Keras writes no others, and an index of chunks may claim more memory for one than there is.
        if !matches!(
            set.layout().map_err(|error| problem(&error))?,
            Layout::Compact { .. } | Layout::Contiguous { .. }
        ) {
            return Err(problem(&"it is stored in chunks, or elsewhere: copy it to one in a piece"));
        }
        let dtype = match set.dtype().map_err(|error| problem(&error))? {
            DType::F32 => Dtype::F32,
            DType::F64 => Dtype::F64,
            DType::I8 => Dtype::I8,
            DType::I16 => Dtype::I16,
            DType::I32 => Dtype::I32,
            DType::I64 => Dtype::I64,
            DType::U8 => Dtype::U8,
            DType::U16 => Dtype::U16,
            DType::U32 => Dtype::U32,
            DType::U64 => Dtype::U64,
            _ => {
                return Err(problem(
                    &"its elements are neither of single or double precision nor whole numbers",
                ));
            }
        };
        let bytes_of = |lengths: &[u64]| {
            let lengths = lengths.iter().map(|&length| usize::try_from(length).ok());
            let shape = lengths.collect::<Option<Vec<usize>>>()?;
            let bytes = count(&shape)?.checked_mul(dtype.size())?;
            Some((shape, bytes))
        };
        // Before anything is read: what it claims may be more than any memory.
        let shape = bytes_of(&set.shape().map_err(|error| problem(&error))?);
        let (shape, bytes) = shape
            .filter(|(_, bytes)| *bytes <= self.size)
            .ok_or_else(|| problem(&"it is larger than the file"))?;
        self.spend(Some(bytes))?;
        let bytes: Vec<u8> = match dtype {
            Dtype::F32 => elements!(read_f32),
            Dtype::F64 => elements!(read_f64),
            Dtype::I8 => elements!(read_i8),
            Dtype::I16 => elements!(read_i16),
            Dtype::I32 => elements!(read_i32),
            Dtype::I64 => elements!(read_i64),
            Dtype::U8 => elements!(read_u8),
            Dtype::U16 => elements!(read_u16),
            Dtype::U32 => elements!(read_u32),
            _ => elements!(read_u64),
        };
        Tensor::new(dtype, shape, bytes).map_err(|error| problem(&error))
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

    /// That nothing is a group and a data set.
    fn check(&self, path: &str) -> Result<(), FormatError> {
        if let Some(name) = self.tensors.keys().find(|name| self.groups.contains_key(*name)) {
            return Err(wrong(format!("{path}{name} would be a data set, and a group of others")));
        }
        self.groups.iter().try_for_each(|(name, group)| group.check(&format!("{path}{name}/")))
    }

    fn write(&self, mut group: GroupBuilder, path: &str) -> Result<FinishedGroup, FormatError> {
        for (name, tensor) in &self.tensors {
            write(group.create_dataset(name), &format!("{path}/{name}"), tensor)?;
        }
        for (name, contents) in &self.groups {
            let inner = group.create_group(name);
            group.add_group(contents.write(inner, &format!("{path}/{name}"))?);
        }
        Ok(group.finish())
    }
}

fn write(set: &mut hdf5_pure::DatasetBuilder, path: &str, tensor: &Tensor) -> Result<(), FormatError> {
    // From their bytes: a conversion would change NaN.
    let set = match tensor.dtype() {
        Dtype::F64 => set.with_f64_data(&numbers(&tensor.to_bytes(), f64::from_le_bytes)),
        Dtype::F32 => set.with_f32_data(&numbers(&tensor.to_bytes(), f32::from_le_bytes)),
        dtype => return Err(wrong(format!("{path} is of {dtype}: convert it to f32, by `to_dtype`"))),
    };
    set.with_shape(&tensor.shape().iter().map(|&length| length as u64).collect::<Vec<_>>());
    Ok(())
}

/// The numbers in these bytes, of as many bytes each.
fn numbers<N, const BYTES: usize>(bytes: &[u8], number: fn([u8; BYTES]) -> N) -> Vec<N> {
    bytes.as_chunks().0.iter().map(|bytes| number(*bytes)).collect()
}
