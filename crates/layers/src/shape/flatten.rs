//! Flattening.

use chainrule_core::{Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};

/// Turns samples of any shape into vectors. This costs nothing, since a batch is a matrix with a row for each sample.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

describe! {
    /// Samples of any shape as vectors.
    Flatten = "flatten";
}

impl<T: Real> Layer<T> for Flatten {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((Shape::from([input.size()]), ()))
    }

    described!();

    identity_passes!();
}
