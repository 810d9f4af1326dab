//! Tensors into a model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chainrule_core::{Description, Plan};
use chainrule_tensor::Real;
use chainrule_train::Model;

use crate::dtype::Dtype;
use crate::layout::{Layout, Layouts, Names, Part};
use crate::rename::Rename;
use crate::state_dict::StateDict;
use crate::tensor::Tensor;

/// How the tensors of a [`StateDict`] become the parameters of a model.
///
/// Every tensor is checked before a parameter is changed. Numbers of fewer bits are taken as they are; those of more are refused unless
/// they may be [`rounded`](Self::rounded).
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_interop::{Loading, Names, StateDict};
/// use chainrule_layers::Dense;
/// use chainrule_train::Model;
///
/// let model = |seed| Model::new([4], Sequential::new().then(Dense::new(3)), seed);
/// let (trained, mut other) = (model(1)?, model(2)?);
/// let dict = StateDict::of(&trained, Names::PyTorch);
/// Loading::new(Names::PyTorch).load(&dict, &mut other)?;
/// assert_eq!(other.parameters(), trained.parameters());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Loading {
    names: Names,
    strict: bool,
    rounded: bool,
    renames: Vec<Rename>,
}

impl Loading {
    /// Of tensors with these names: all those of the model, and no others.
    pub fn new(names: Names) -> Self {
        Self { names, strict: true, rounded: false, renames: Vec::new() }
    }

    /// Tensors may be missing, whose parameters stay as they are, and others are left out: see [`Loaded`]. Those of another shape are
    /// an error all the same.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self { strict: false, ..self }
    }

    /// Numbers of more bits than the parameters have are rounded to the nearest.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self { rounded: true, ..self }
    }

    /// Changes the names of the tensors before they are looked up, by the first pattern that matches.
    #[must_use]
    pub fn rename(mut self, rename: Rename) -> Self {
        self.renames.push(rename);
        self
    }

    /// Replaces the parameters of a model.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with all names that are missing, surplus, or of another shape or type. Then the model is unchanged.
    pub fn load<T: Real>(&self, dict: &StateDict, model: &mut Model<T>) -> Result<Loaded, LoadError> {
        let description = model.describe();
        let assignments = self.assignments::<T>(dict, &description, model.plan())?;
        Ok(assignments.apply(model.parameters_mut()))
    }

    /// Replaces the flat parameters of layers with this description and this plan.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    ///
    /// # Panics
    ///
    /// If there are fewer parameters than the plan has.
    pub fn load_parameters<T: Real>(
        &self,
        dict: &StateDict,
        (description, plan): (&Description, &Plan),
        parameters: &mut [T],
    ) -> Result<Loaded, LoadError> {
        Ok(self.assignments::<T>(dict, description, plan)?.apply(parameters))
    }

    fn assignments<'a, T: Real>(
        &self,
        dict: &'a StateDict,
        description: &Description,
        plan: &Plan,
    ) -> Result<Assignments<'a>, LoadError> {
        let layouts = Layouts::new(description, plan, self.names);
        let mut problems = LoadError::default();
        let mut found: BTreeMap<String, &Tensor> = BTreeMap::new();
        for (name, tensor) in dict.iter() {
            let renamed = self.renames.iter().find_map(|rename| rename.apply(name));
            let renamed = renamed.unwrap_or_else(|| name.to_owned());
            if found.insert(renamed.clone(), tensor).is_some() {
                problems.repeated.push(renamed);
            }
        }
        let parameters = Dtype::of_parameters(T::NAME);
        let mut assignments = Assignments { assigned: Vec::new(), loaded: Loaded::default() };
        for layout in layouts.tensors {
            let Some(tensor) = found.remove(&layout.name) else {
                assignments.loaded.missing.push(layout.name);
                continue;
            };
            let dtype = tensor.dtype();
            if tensor.shape() != layout.shape {
                let [expected, found] = [&*layout.shape, tensor.shape()].map(<[usize]>::to_vec);
                problems.shapes.push(WrongShape { name: layout.name, expected, found });
            } else if !(dtype.fits_in(parameters) || self.rounded && dtype.is_float()) {
                problems.types.push(WrongType { name: layout.name, expected: parameters, found: dtype });
            } else {
                assignments.assigned.push((layout, tensor));
            }
        }
        let ignored: BTreeSet<String> = layouts.ignored.into_iter().collect();
        // The variables of an optimizer are in Keras' files beside those of the layers.
        let of_optimizer = |name: &str| self.names == Names::KerasFile && name.starts_with("optimizer/");
        let is_surplus = |name: &String| !ignored.contains(name) && !of_optimizer(name);
        assignments.loaded.surplus = found.into_keys().filter(is_surplus).collect();
        if self.strict {
            problems.missing.clone_from(&assignments.loaded.missing);
            problems.surplus.clone_from(&assignments.loaded.surplus);
        }
        if problems == LoadError::default() { Ok(assignments) } else { Err(problems) }
    }
}

/// Tensors that have been checked, each with where its values belong.
struct Assignments<'a> {
    assigned: Vec<(Layout, &'a Tensor)>,
    loaded: Loaded,
}

impl Assignments<'_> {
    fn apply<T: Real>(self, parameters: &mut [T]) -> Loaded {
        // What is added comes after what it is added to, whose order in a file may be any.
        for added in [false, true] {
            for (layout, tensor) in &self.assigned {
                let mut values = tensor.values().into_iter().flatten();
                for part in &layout.parts {
                    let own = matches!(part, Part::Added(_)) == added;
                    for (index, value) in part.view().indices().zip(&mut values) {
                        let parameter = &mut parameters[index];
                        match (own, added) {
                            (false, _) => {}
                            (true, false) => *parameter = T::of(value),
                            // Adding 0 would change the sign of -0.
                            (true, true) if value == 0.0 => {}
                            (true, true) => *parameter += T::of(value),
                        }
                    }
                }
            }
        }
        self.loaded
    }
}

/// What was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The names of the model that the tensors do not have, whose parameters are unchanged.
    pub missing: Vec<String>,
    /// The names of the tensors that the model does not have.
    pub surplus: Vec<String>,
}

/// A tensor of another shape than its parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongShape {
    /// Its name.
    pub name: String,
    /// The shape that the model has.
    pub expected: Vec<usize>,
    /// That of the tensor.
    pub found: Vec<usize>,
}

/// A tensor whose numbers are not those of the parameters, and may not be rounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// Its name.
    pub name: String,
    /// The type that the model has.
    pub expected: Dtype,
    /// That of the tensor.
    pub found: Dtype,
}

/// Tensors that are not those of a model: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadError {
    /// The names of the model that the tensors do not have.
    pub missing: Vec<String>,
    /// The names of the tensors that the model does not have.
    pub surplus: Vec<String>,
    /// The tensors of another shape.
    pub shapes: Vec<WrongShape>,
    /// The tensors of a type that does not fit.
    pub types: Vec<WrongType>,
    /// The names that several tensors have after they were renamed.
    pub repeated: Vec<String>,
}

/// How many names an error lists of a kind.
const MAX_NAMES: usize = 20;

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tensors are not those of the model")?;
        let mut list = |what: &str, names: Vec<String>| {
            if names.is_empty() {
                return Ok(());
            }
            write!(f, "; {what}: {}", names[..names.len().min(MAX_NAMES)].join(", "))?;
            match names.len().checked_sub(MAX_NAMES) {
                Some(more @ 1..) => write!(f, " and {more} more"),
                _ => Ok(()),
            }
        };
        let Self { missing, surplus, shapes, types, repeated } = self;
        let shape = |WrongShape { name, expected, found }: &WrongShape| {
            format!("{name} {found:?} instead of {expected:?}")
        };
        let wrong =
            |WrongType { name, expected, found }: &WrongType| format!("{name} {found} instead of {expected}");
        list("missing", missing.clone())?;
        list("surplus", surplus.clone())?;
        list("of another shape", shapes.iter().map(shape).collect())?;
        list(
            "of a type that would have to be rounded (`Loading::rounded`) or is not a floating-point number",
            types.iter().map(wrong).collect(),
        )?;
        list("several tensors of one name", repeated.clone())?;
        if missing.is_empty() && surplus.is_empty() {
            return Ok(());
        }
        f.write_str(": rename them by patterns (`Loading::rename`), or leave out what does not match (`Loading::lenient`)")
    }
}

impl std::error::Error for LoadError {}
