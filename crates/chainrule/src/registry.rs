//! Everything that descriptions may name.

use chainrule_core::Registry;
use chainrule_tensor::Real;

/// A registry with everything in these crates, for models in `f32`, with the feature `registry`; for others see [`registry_of`].
///
/// ```
/// use chainrule::prelude::*;
///
/// let registry = chainrule::registry();
/// let optimizer: Box<dyn UpdateRule<f32>> = registry.build(&"clip_by_global_norm(1) then adam(lr=0.01)".parse()?)?;
/// let error = registry.build::<Box<dyn UpdateRule<f32>>>(&"adma".parse()?).unwrap_err();
/// assert_eq!(error.to_string(), "there is no optimizer named `adma`; the nearest name is `adam`");
/// # Ok::<(), chainrule::core::DescriptionError>(())
/// ```
#[cfg(feature = "registry")]
pub fn registry() -> Registry {
    registry_of::<f32>()
}

/// A registry with everything in these crates, for models of numbers `T`.
///
/// The targets of its losses and metrics are classes, [`ClassTarget`](chainrule_tensor::ClassTarget), or vectors of values, `Vec<T>`; those of other types are added with the
/// functions `register` of the crates, and types of a program's own with [`register!`](chainrule_core::register!). A program that
/// calls it compiles all layers, losses, metrics and optimizers, each time, for minutes; with the feature `registry`, those of `f32`
/// have been compiled with these crates.
pub fn registry_of<T: Real>() -> Registry {
    let mut registry = Registry::new();
    chainrule_optim::schedule::register_schedules(&mut registry);
    chainrule_layers::register_initializers(&mut registry);
    chainrule_core::register_containers::<T>(&mut registry);
    chainrule_losses::register_all::<T>(&mut registry);
    chainrule_metrics::register_all::<T>(&mut registry);
    chainrule_layers::register_layers::<T>(&mut registry);
    chainrule_optim::register_optimizers::<T>(&mut registry);
    chainrule_data::augment::register_augmentations(&mut registry);
    #[cfg(feature = "tables")]
    chainrule_tables::transform::register_transforms(&mut registry);
    registry
}
