//! Everything that descriptions may name.

use chainrule_core::Registry;
use chainrule_tensor::Real;

/// A registry with everything in these crates, in `f32` and `f64`: `registry().build(&"adam(lr=0.01)".parse()?)`.
///
/// The targets of its losses and metrics are classes, `u8`, or vectors of values, `Vec<f32>` and `Vec<f64>`; those of other types
/// are added with the functions `register` of the crates. Types of a program's own are added with [`register!`](chainrule_core::register!).
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
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    chainrule_optim::schedule::register_schedules(&mut registry);
    chainrule_layers::register_initializers(&mut registry);
    of_type::<f32>(&mut registry);
    of_type::<f64>(&mut registry);
    registry
}

/// What depends on the type of the numbers.
fn of_type<T: Real>(registry: &mut Registry) {
    chainrule_core::register_containers::<T>(registry);
    chainrule_losses::register::<T, u8>(registry);
    chainrule_losses::register::<T, Vec<T>>(registry);
    chainrule_metrics::register::<T, u8>(registry);
    chainrule_metrics::register::<T, Vec<T>>(registry);
    chainrule_layers::register_layers::<T>(registry);
    chainrule_optim::register_optimizers::<T>(registry);
}
