//! The kinds of things that can be named, with the entries of all things of each kind.

use std::sync::{Arc, LazyLock};

use chainrule::core::{
    AnyLayer, AnyMerge, DescriptionError, Entry, Initializer, Kind, Registry, nearest_name, same_name,
};
use chainrule::data::augment::AnyAugmentation;
use chainrule::layers::activations::AnyActivation;
use chainrule::prelude::{Loss, Measure, Schedule, UpdateRule};
use chainrule::tables::transform::Transform;
use chainrule::tensor::ClassTarget;

/// Everything of one kind.
pub struct Family {
    /// What lists call them: `optimizers`.
    pub names: &'static str,
    /// What errors call one of them.
    pub name: &'static str,
    /// In the order in which they were registered.
    pub entries: Vec<&'static Entry>,
}

impl Family {
    fn of<K: Kind>(registry: &Registry) -> Self {
        Self { names: K::KINDS, name: K::KIND, entries: registry.entries::<K>().collect() }
    }

    /// The one that users call so.
    ///
    /// # Errors
    ///
    /// If there is none, with the nearest name.
    pub fn entry(&self, name: &str) -> Result<&'static Entry, DescriptionError> {
        let found = self.entries.iter().find(|entry| entry.is_named(name));
        found.copied().ok_or_else(|| {
            let nearest = nearest_name(name, self.entries.iter().flat_map(|entry| entry.names()));
            DescriptionError::Name { kind: self.name, name: name.to_owned(), nearest }
        })
    }
}

/// Everything that has a name.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(chainrule::registry);
    &REGISTRY
}

/// All kinds.
pub fn families() -> Vec<Family> {
    let registry = registry();
    // Activations are layers; in lists they are a family of their own.
    let all = Family::of::<AnyLayer<f32>>(registry);
    let activations = Family::of::<AnyActivation<f32>>(registry);
    let is_activation = |entry: &&&Entry| activations.entries.iter().any(|other| other.name == entry.name);
    let layers = all.entries.iter().filter(|entry| !is_activation(entry)).copied().collect();
    vec![
        Family { entries: layers, ..all },
        activations,
        Family::of::<AnyMerge<f32>>(registry),
        Family::of::<Arc<dyn Initializer>>(registry),
        Family::of::<Box<dyn Loss<f32, ClassTarget<f32>>>>(registry),
        Family::of::<Box<dyn Measure<f32, ClassTarget<f32>>>>(registry),
        Family::of::<Box<dyn UpdateRule<f32>>>(registry),
        Family::of::<Arc<dyn Schedule>>(registry),
        Family::of::<Arc<dyn Transform>>(registry),
        Family::of::<AnyAugmentation>(registry),
    ]
}

/// The kind that users call so, in the singular or the plural.
///
/// # Errors
///
/// If there is none, with the nearest name.
pub fn family(name: &str) -> Result<Family, String> {
    let all = families();
    let known: Vec<&str> = all.iter().map(|family| family.names).collect();
    let nearest = nearest_name(name, known.iter().copied()).unwrap_or_default();
    let error =
        format!("there is no list of `{name}`, only of {}; the nearest is `{nearest}`", known.join(", "));
    let found = all.into_iter().find(|family| same_name(family.names, name) || same_name(family.name, name));
    found.ok_or(error)
}
