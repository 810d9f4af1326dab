//! What a pickle names, refers to and calls: only what makes tensors and dictionaries.

use super::super::object::{Global, Id, Object, RebuiltTensor, Storage};
use super::Machine;

impl Machine<'_> {
    pub(super) fn global(&mut self, module: &str, name: &str) -> Result<(), String> {
        let refused = || {
            format!(
                "it names {module}.{name}, which is neither a tensor nor a dictionary: it could be code, which is not run here; \
                 save a state dict, by torch.save(model.state_dict(), ...)"
            )
        };
        let global = Global::of(module, name).ok_or_else(refused)?;
        self.push(Object::Global(global));
        Ok(())
    }

    /// `("storage", type, key, location, length)`, in older files with something more.
    pub(super) fn persistent(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let heap = &self.heap;
        let storage = || {
            let &[kind, class, key, _, length, ..] = heap.list(id)? else { return None };
            let Object::Global(Global::StorageOf(dtype)) = *heap.get(class) else { return None };
            let key = heap.text(key)?.to_owned();
            (heap.text(kind)? == "storage").then_some(Storage { key, dtype, length: heap.size(length)? })
        };
        let storage = storage().ok_or("it refers to something outside that is no storage of a known type")?;
        self.copy(storage.key.len())?;
        self.push(Object::Storage(storage));
        Ok(())
    }

    pub(super) fn call(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Object::Global(global) = *self.heap.get(function) else {
            return Err("it calls what is no function".into());
        };
        let wrong = || format!("it calls {global:?} with other arguments than PyTorch does");
        let arguments = self.heap.list(arguments).ok_or_else(wrong)?;
        match (global, arguments) {
            (Global::OrderedDict, []) => self.push(Object::Dict(Vec::new())),
            (Global::OrderedDict, &[pairs]) => {
                let pair = |&id: &Id| match self.heap.list(id) {
                    Some(&[key, value]) => Some((key, value)),
                    _ => None,
                };
                let pairs: Option<Vec<_>> =
                    self.heap.list(pairs).and_then(|pairs| pairs.iter().map(pair).collect());
                let pairs = pairs.ok_or_else(wrong)?;
                self.copy(pairs.len())?;
                self.push(Object::Dict(pairs));
            }
            (Global::Size | Global::RebuildParameter, &[first, ..]) => self.stack.push(first),
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let heap = &self.heap;
                let sizes = heap.sizes(shape).zip(heap.sizes(strides)).zip(heap.size(offset));
                let ((shape, strides), offset) = sizes.ok_or_else(wrong)?;
                if !matches!(heap.get(storage), Object::Storage(_)) {
                    return Err(wrong());
                }
                self.copy(shape.len() + strides.len())?;
                self.push(Object::Tensor(RebuiltTensor { storage, offset, shape, strides }));
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }
}
