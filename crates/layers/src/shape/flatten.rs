//! Flattening, which costs nothing.

use chainrule_core::{Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

/// Turns samples of any shape into vectors. In a batch they already are: rows of a matrix in row-major order.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

impl<T: Real> Layer<T> for Flatten {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((Shape::from([input.size()]), ()))
    }

    same_values!();
}
