//! What a pickle may hold.

use crate::dtype::Dtype;
use crate::tensor::MAX_AXES;

/// The index of an object in its [`Heap`].
pub(super) type Id = usize;

/// An object.
#[derive(Clone, Debug)]
pub(super) enum Object {
    /// A number that is not whole, bytes, or a set: nothing that leads to a tensor.
    Other,
    None,
    Bool(bool),
    Int(i128),
    Text(String),
    /// A tuple or a list.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(RebuiltTensor),
}

/// What may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    /// `torch.Size`
    Size,
    RebuildTensor,
    RebuildParameter,
    StorageOf(Dtype),
}

impl Global {
    /// The thing of this name, if it may be named.
    pub(super) fn of(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch", "Size") => Self::Size,
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch" | "torch.storage", "HalfStorage") => Self::StorageOf(Dtype::F16),
            ("torch" | "torch.storage", "BFloat16Storage") => Self::StorageOf(Dtype::Bf16),
            ("torch" | "torch.storage", "FloatStorage") => Self::StorageOf(Dtype::F32),
            ("torch" | "torch.storage", "DoubleStorage") => Self::StorageOf(Dtype::F64),
            ("torch" | "torch.storage", "BoolStorage") => Self::StorageOf(Dtype::Bool),
            ("torch" | "torch.storage", "CharStorage") => Self::StorageOf(Dtype::I8),
            ("torch" | "torch.storage", "ShortStorage") => Self::StorageOf(Dtype::I16),
            ("torch" | "torch.storage", "IntStorage") => Self::StorageOf(Dtype::I32),
            ("torch" | "torch.storage", "LongStorage") => Self::StorageOf(Dtype::I64),
            ("torch" | "torch.storage", "ByteStorage") => Self::StorageOf(Dtype::U8),
            _ => return None,
        })
    }
}

/// The elements of tensors, which are outside of the pickle.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) dtype: Dtype,
    /// The number of its elements.
    pub(super) length: usize,
}

/// A tensor: a view of a storage.
#[derive(Clone, Debug)]
pub(super) struct RebuiltTensor {
    pub(super) storage: Id,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// All objects of a pickle. They refer to each other by index, so that one that contains itself or is of any depth does no harm.
#[derive(Debug, Default)]
pub(super) struct Heap(Vec<Object>);

impl Heap {
    pub(super) fn add(&mut self, object: Object) -> Id {
        self.0.push(object);
        self.0.len() - 1
    }

    pub(super) fn get(&self, id: Id) -> &Object {
        &self.0[id]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Object {
        &mut self.0[id]
    }

    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.0.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Object::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A list of numbers that are not negative, one for each axis.
    pub(super) fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        let list = self.list(id).filter(|list| list.len() <= MAX_AXES)?;
        list.iter().map(|&id| self.size(id)).collect()
    }
}
