//! `new` for containers in every element type.

use chainrule_tensor::Real;

use crate::containers::graph::Graph;
use crate::containers::sequential::Sequential;

/// `new()` of the containers that start empty, for element types other than `f32`.
///
/// `Sequential::new()` alone must choose an element type, since often nothing else in a program names one: losses,
/// optimizers, metrics and data sets all work with both. A single generic `new` would make Rust ask for an annotation
/// there. So `Sequential::new()` and `Graph::new()` without a type are inherent functions of the `f32` containers, which
/// Rust prefers, and this trait, which must be in scope, adds the other types:
///
/// ```
/// use chainrule_core::{Graph, New, Sequential};
/// let single = Sequential::new(); // f32
/// let double = Sequential::<f64>::new();
/// # let _: (Sequential<f32>, Sequential<f64>) = (single, double);
/// # let _: (Graph<f32>, Graph<f64>) = (Graph::new(), Graph::<f64>::new());
/// fn generic<T: chainrule_tensor::Real>() -> Sequential<T> {
///     Sequential::<T>::new()
/// }
/// # assert!(generic::<f64>().is_empty());
/// ```
///
/// Where the type follows from the context, `Sequential::default()` needs neither the trait nor an annotation.
pub trait New: Default {
    /// The empty container.
    fn new() -> Self {
        Self::default()
    }
}

impl<T: Real> New for Sequential<T> {}
impl<T: Real> New for Graph<T> {}
