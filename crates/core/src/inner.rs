//! Layers inside of layers.

use chainrule_tensor::{Real, Shape};

use crate::error::ShapeError;
use crate::layer::Layer;
use crate::merge::Merge;
use crate::plan::Plan;

/// What layers that contain others call.
impl Plan {
    /// Plans an inner layer under `name`; returns its output shape, its cache and the number of parameters that it
    /// declared. Every layer that contains others calls this for each of them.
    ///
    /// # Errors
    ///
    /// Those of the inner layer.
    pub fn inner<T: Real, L: Layer<T>>(
        &mut self,
        name: &str,
        layer: &L,
        input: Shape,
    ) -> Result<(Shape, L::Cache, usize), ShapeError> {
        self.nested(name, (layer, &layer.label()), input, |plan| layer.plan(input, plan))
    }

    /// Like [`inner`](Self::inner), for a layer with several inputs.
    ///
    /// # Errors
    ///
    /// Those of the inner layer.
    pub fn inner_merge<T: Real, M: Merge<T>>(
        &mut self,
        name: &str,
        merge: &M,
        inputs: &[Shape],
    ) -> Result<(Shape, M::Cache, usize), ShapeError> {
        let input = inputs.first().copied().unwrap_or(Shape::from([0]));
        self.nested(name, (merge, &merge.label()), input, |plan| merge.plan(inputs, plan))
    }
}
