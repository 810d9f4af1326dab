//! A layer and the parameters that it declares, for the rules of its family.

use chainrule_core::{Description, ParamEntry, Value};

use super::{Layout, Part, View};

/// A layer whose parameters a rule lays out.
pub(crate) struct Leaf<'a> {
    pub(crate) description: &'a Description,
    /// What the names of its tensors begin with, with a dot at the end, or nothing.
    pub(crate) prefix: &'a str,
    /// Its parameters, with their names within it.
    pub(crate) entries: Vec<(&'a str, &'a ParamEntry)>,
}

impl<'a> Leaf<'a> {
    /// The parameter of this name.
    pub(crate) fn entry(&self, name: &str) -> Option<&'a ParamEntry> {
        self.entries.iter().find(|(own, _)| *own == name).map(|(_, entry)| *entry)
    }

    /// The name of a tensor of this layer.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A parameter as it is, under the name `as_name`.
    pub(crate) fn whole(&self, name: &str, as_name: &str) -> Option<Layout> {
        Some(whole(self.entry(name)?, self.name(as_name)))
    }

    /// A matrix transposed.
    pub(crate) fn transposed(&self, name: &str, as_name: &str) -> Option<Layout> {
        Some(one(self.name(as_name), transposed(self.entry(name)?)?))
    }

    /// All parameters as they are, under their own names.
    pub(crate) fn own(&self) -> Vec<Layout> {
        self.entries.iter().map(|(name, entry)| whole(entry, self.name(name))).collect()
    }

    pub(crate) fn flag(&self, setting: &str) -> bool {
        self.description.get(setting) == Some(&Value::Bool(true))
    }
}

/// A tensor of one part.
pub(crate) fn one(name: String, view: View) -> Layout {
    Layout { name, shape: view.shape.clone(), parts: vec![Part::Values(view)] }
}

/// A parameter as it is.
pub(crate) fn whole(entry: &ParamEntry, name: String) -> Layout {
    one(name, View::contiguous(entry.range.start, entry.shape.to_vec()))
}

/// The view of a matrix that swaps its axes.
pub(crate) fn transposed(entry: &ParamEntry) -> Option<View> {
    let &[rows, columns] = &*entry.shape else { return None };
    Some(View { offset: entry.range.start, shape: vec![columns, rows], strides: vec![1, columns] })
}

/// The view of some columns of a matrix that swaps its axes.
pub(crate) fn transposed_columns(entry: &ParamEntry, columns: std::ops::Range<usize>) -> Option<View> {
    let View { offset, shape, strides } = transposed(entry)?;
    let rows = *shape.get(1)?;
    Some(View { offset: offset + columns.start, shape: vec![columns.len(), rows], strides })
}
