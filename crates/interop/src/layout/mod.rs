//! Where the tensors of a model are in its flat parameters: under our names, or as PyTorch has them.

mod attention;
mod families;
mod keras;
mod leaf;
mod recurrent;
mod transformer;
mod walk;

use chainrule_core::{Description, Plan};

use crate::indices::{Indices, row_major};

pub use families::{WeightForm, weight_forms};

/// The names and the layout of the tensors of a [`StateDict`](crate::StateDict).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Those of [`Plan::entries`], such as `0.weight`, `[inputs, units]` of a dense layer.
    #[default]
    Chainrule,
    /// Those of PyTorch's modules, of which `Sequential` here is `nn.Sequential`: `0.weight`, `[units, inputs]`, of `nn.Linear`.
    ///
    /// What PyTorch has no module for, such as positions that are learned, keeps its name and its layout. The page `interop.md` of the
    /// documentation lists all layers.
    PyTorch,
    /// Those of Keras' layers by their number, `0.kernel`, as the script of that page writes them.
    Keras,
    /// Those of the data sets in Keras' `.weights.h5`: `layers/dense/vars/0`, where `dense_1` is the second dense layer.
    ///
    /// They are known of layers in a sequence, and of sequences in it; what is in other containers, or has no layer in Keras, keeps its name.
    KerasFile,
}

/// A strided view of flat parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

impl View {
    /// A view of these axes in row-major order.
    pub(crate) fn contiguous(offset: usize, shape: Vec<usize>) -> Self {
        let strides = row_major(&shape);
        Self { offset, shape, strides }
    }

    /// The indices of its values in the flat parameters.
    pub(crate) fn indices(&self) -> Indices {
        Indices::new(&self.shape, &self.strides, self.offset)
    }
}

/// A part of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// Parameters.
    Values(View),
    /// A second bias, which here is added to the first: it is written as zeros, and what is read is added to these parameters.
    Added(View),
}

impl Part {
    pub(crate) fn view(&self) -> &View {
        match self {
            Self::Values(view) | Self::Added(view) => view,
        }
    }
}

/// A tensor of a file: its parts one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) parts: Vec<Part>,
}

/// All tensors of a model.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    pub(crate) tensors: Vec<Layout>,
    /// Names that a file may have besides, and that have no counterpart here: a count of batches, a second name of tied weights.
    pub(crate) ignored: Vec<String>,
}

impl Layouts {
    /// Those of the layers of this description, which have this plan.
    pub(crate) fn new(description: &Description, plan: &Plan, names: Names) -> Self {
        match names {
            Names::Chainrule => {
                let own = plan.entries().iter().map(|entry| leaf::whole(entry, entry.name.clone()));
                Self { tensors: own.collect(), ignored: Vec::new() }
            }
            Names::PyTorch | Names::Keras | Names::KerasFile => walk::layouts(description, plan, names),
        }
    }
}
