//! The form before version 1.6: five pickles (a magic number, a version, the machine, the object, the keys of the storages), and then
//! the storages, each with the number of its elements.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::collect::{Storages, collect};
use super::object::Object;
use super::{pickle, wrong};
use crate::format::FormatError;
use crate::state_dict::StateDict;

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const VERSION: i128 = 1001;

/// The number of bytes of a number of elements.
const COUNT: usize = 8;

pub(super) fn read(bytes: &[u8]) -> Result<StateDict, FormatError> {
    let mut position = 0;
    let unlike = || wrong("it is neither a zip archive nor does it begin as the older form does");
    let (heap, magic) = pickle::load(bytes, &mut position).map_err(|_| unlike())?;
    if !matches!(heap.get(magic), Object::Int(MAGIC)) {
        return Err(unlike());
    }
    let (heap, version) = pickle::load(bytes, &mut position).map_err(wrong)?;
    if !matches!(heap.get(version), Object::Int(VERSION)) {
        return Err(wrong(format!("its form does not have the version {VERSION}")));
    }
    let (machine, of_machine) = pickle::load(bytes, &mut position).map_err(wrong)?;
    if let Object::Dict(entries) = machine.get(of_machine) {
        let big = |(key, value): &(usize, usize)| {
            machine.text(*key) == Some("little_endian") && matches!(machine.get(*value), Object::Bool(false))
        };
        if entries.iter().any(big) {
            return Err(wrong("its numbers are big-endian; save it on a machine that is little-endian"));
        }
    }
    let (heap, result) = pickle::load(bytes, &mut position).map_err(wrong)?;
    let (keys, list) = pickle::load(bytes, &mut position).map_err(wrong)?;
    let list = keys.list(list).ok_or_else(|| wrong("its storages have no list of keys"))?;
    let sizes: BTreeMap<&str, usize> =
        heap.storages().map(|storage| (&*storage.key, storage.dtype.size())).collect();
    let mut storages: Storages = BTreeMap::new();
    let mut rest = &bytes[position..];
    for &key in list {
        let short = || wrong("it ends within its storages");
        let key = keys.text(key).ok_or_else(|| wrong("the key of a storage is no text"))?;
        let (count, after) = rest.split_first_chunk::<COUNT>().ok_or_else(short)?;
        let size = *sizes.get(key).ok_or_else(|| wrong(format!("no tensor has the storage {key:?}")))?;
        let length = usize::try_from(u64::from_le_bytes(*count)).ok();
        let length = length.and_then(|count| count.checked_mul(size)).ok_or_else(short)?;
        let (elements, after) = after.split_at_checked(length).ok_or_else(short)?;
        if storages.insert(key.to_owned(), Arc::new(elements.to_vec())).is_some() {
            return Err(wrong(format!("the storage {key:?} is there twice")));
        }
        rest = after;
    }
    if !rest.is_empty() {
        return Err(wrong("something follows its storages"));
    }
    collect(&heap, result, &storages, position).map_err(wrong)
}
