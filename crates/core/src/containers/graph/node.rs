//! The nodes of a graph.

use std::sync::Arc;

use crate::containers::erased::Erased;

/// A node as it was added to the graph.
#[derive(Clone)]
pub(crate) struct Node<T> {
    pub(crate) name: String,
    /// The names of the inputs or nodes that it is applied to.
    pub(crate) inputs: Vec<String>,
    pub(crate) operation: Operation<T>,
}

/// What a node computes.
#[derive(Clone)]
pub(crate) enum Operation<T> {
    /// A layer or merge with weights of its own.
    Own(Arc<dyn Erased<T>>),
    /// The layer and the weights of the node with this name.
    Shared(String),
}

impl<T> Node<T> {
    /// The layer or merge, unless it is that of another node.
    pub(crate) fn own(&self) -> Option<&Arc<dyn Erased<T>>> {
        match &self.operation {
            Operation::Own(erased) => Some(erased),
            Operation::Shared(_) => None,
        }
    }
}
