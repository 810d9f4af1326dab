//! The tensors of a model by name.

use std::collections::BTreeMap;

use chainrule_core::{Description, Plan};
use chainrule_tensor::Real;
use chainrule_train::Model;

use crate::dtype::Dtype;
use crate::layout::{Layout, Layouts, Names, Part};
use crate::tensor::Tensor;

/// The parameters and running statistics of a model as tensors with names, in their order: what files of other libraries hold.
///
/// [`Loading`](crate::Loading) puts one into a model.
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_interop::{Names, StateDict};
/// use chainrule_layers::Dense;
/// use chainrule_train::Model;
///
/// let model = Model::new([4], Sequential::new().then(Dense::new(3)), 0)?;
/// let dict = StateDict::of(&model, Names::PyTorch);
/// assert_eq!(dict.names().collect::<Vec<_>>(), ["0.weight", "0.bias"]);
/// assert_eq!(dict.get("0.weight").map(|weight| weight.shape()), Some(&[3, 4][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    tensors: Vec<(String, Tensor)>,
    index: BTreeMap<String, usize>,
}

impl StateDict {
    /// Without tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of a model, in the type of its parameters.
    pub fn of<T: Real>(model: &Model<T>, names: Names) -> Self {
        Self::of_parameters(&model.describe(), model.plan(), model.parameters(), names)
    }

    /// Those of layers with this description and this plan, whose flat parameters these are.
    ///
    /// # Panics
    ///
    /// If there are fewer parameters than the plan has.
    pub fn of_parameters<T: Real>(
        description: &Description,
        plan: &Plan,
        parameters: &[T],
        names: Names,
    ) -> Self {
        let dtype = Dtype::of_parameters(T::NAME);
        let mut dict = Self::new();
        for Layout { name, shape, parts } in Layouts::new(description, plan, names).tensors {
            let values = parts.iter().flat_map(|part| {
                let zero = matches!(part, Part::Added(_));
                part.view().indices().map(move |index| if zero { 0.0 } else { parameters[index].as_f64() })
            });
            dict.insert(name, Tensor::of_values(dtype, shape, values));
        }
        dict
    }

    /// Adds a tensor, in place of one of this name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        let name = name.into();
        match self.index.get(&name) {
            Some(&index) => self.tensors[index].1 = tensor,
            None => {
                self.index.insert(name.clone(), self.tensors.len());
                self.tensors.push((name, tensor));
            }
        }
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.index.get(name).map(|&index| &self.tensors[index].1)
    }

    /// The names and tensors, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (&**name, tensor))
    }

    /// The names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The same numbers in another type, rounded to the nearest: half the size with [`Dtype::F16`] or [`Dtype::Bf16`]. Whole numbers
    /// and truth values stay as they are.
    #[must_use]
    pub fn to_dtype(&self, dtype: Dtype) -> Self {
        let tensors = self.iter().map(|(name, tensor)| (name.to_owned(), tensor.to_dtype(dtype))).collect();
        Self { tensors, index: self.index.clone() }
    }

    /// The tensors whose names begin with this and a dot, under the rest of their names: those of the model in a checkpoint that holds
    /// an optimizer's too.
    #[must_use]
    pub fn within(&self, prefix: &str) -> Self {
        let mut dict = Self::new();
        for (name, tensor) in self.iter() {
            if let Some(rest) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) {
                dict.insert(rest, tensor.clone());
            }
        }
        dict
    }
}

impl<S: Into<String>> FromIterator<(S, Tensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (S, Tensor)>>(tensors: I) -> Self {
        let mut dict = Self::new();
        tensors.into_iter().for_each(|(name, tensor)| dict.insert(name, tensor));
        dict
    }
}
