//! The tensors of what a pickle has made.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::object::{Heap, Id, Object, RebuiltTensor};
use crate::state_dict::StateDict;
use crate::tensor::Tensor;

/// The bytes of the storages, by their keys.
pub(super) type Storages = BTreeMap<String, Arc<Vec<u8>>>;

/// How deep dictionaries may be in each other.
const MAX_DEPTH: usize = 32;

/// All tensors that are reached from this object, each under the keys that lead to it. `limit` is how many objects may be looked at: a
/// pickle can refer to one object so often that they would be more than any memory.
pub(super) fn collect(heap: &Heap, from: Id, storages: &Storages, limit: usize) -> Result<StateDict, String> {
    let mut collected = Collected { heap, storages, left: limit.saturating_mul(2), dict: StateDict::new() };
    collected.object(from, String::new(), 0)?;
    if collected.dict.is_empty() {
        return Err("it holds no tensors".into());
    }
    Ok(collected.dict)
}

struct Collected<'a> {
    heap: &'a Heap,
    storages: &'a Storages,
    left: usize,
    dict: StateDict,
}

impl Collected<'_> {
    fn object(&mut self, id: Id, name: String, depth: usize) -> Result<(), String> {
        // A long name counts as several.
        let cost = 1 + name.len() / 64;
        self.left =
            self.left.checked_sub(cost).ok_or("it repeats its objects far more often than it has bytes")?;
        if depth > MAX_DEPTH {
            return Err(format!("its dictionaries are more than {MAX_DEPTH} deep"));
        }
        let within = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
        match self.heap.get(id) {
            Object::Dict(entries) => {
                for &(key, value) in entries {
                    let key = match self.heap.get(key) {
                        Object::Text(text) => within(text),
                        Object::Int(number) => within(&number.to_string()),
                        _ => return Err("it has a key that is neither a text nor a whole number".into()),
                    };
                    self.object(value, key, depth + 1)?;
                }
            }
            Object::List(items) => {
                for (index, &item) in items.iter().enumerate() {
                    self.object(item, within(&index.to_string()), depth + 1)?;
                }
            }
            Object::Tensor(tensor) => self.tensor(tensor, name)?,
            Object::Other | Object::None | Object::Bool(_) | Object::Int(_) | Object::Text(_) => {}
            Object::Global(_) | Object::Storage(_) => {}
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &RebuiltTensor, name: String) -> Result<(), String> {
        let RebuiltTensor { storage, offset, shape, strides } = tensor.clone();
        let Object::Storage(storage) = self.heap.get(storage) else {
            return Err(format!("{name} has no storage"));
        };
        let bytes =
            self.storages.get(&storage.key).ok_or_else(|| format!("the storage of {name} is missing"))?;
        let size = storage.dtype.size();
        if bytes.len() / size != storage.length || bytes.len() % size != 0 {
            return Err(format!(
                "the storage of {name} has {} bytes instead of {} elements of {size}",
                bytes.len(),
                storage.length
            ));
        }
        let start = offset.checked_mul(size).ok_or_else(|| format!("{name} begins after its storage"))?;
        let tensor = Tensor::strided(storage.dtype, shape, strides, Arc::clone(bytes), start);
        let tensor = tensor.map_err(|error| format!("{name}: {error}"))?;
        if self.dict.get(&name).is_some() {
            return Err(format!("it has two tensors with the name {name:?}"));
        }
        self.dict.insert(name, tensor);
        Ok(())
    }
}
