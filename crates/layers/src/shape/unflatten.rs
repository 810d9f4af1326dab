//! One axis split into several.

use chainrule_core::{Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};

use super::reshape::Reshape;

/// Splits one axis, counted from 0 without the batch, into several: the inverse of flattening it (PyTorch's `Unflatten`). The
/// values stay in row-major order, so it costs nothing.
///
/// One of the new axes may be `None`, which stands for the number that is left.
///
/// ```
/// use chainrule_core::{Layer, Plan};
/// use chainrule_layers::Unflatten;
/// let (shape, ()) = Layer::<f32>::plan(&Unflatten::new(1, [Some(4), None]), [3, 20].into(), &mut Plan::new())?;
/// assert_eq!(shape, [3, 4, 5].into());
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Unflatten {
    axis: usize,
    axes: Vec<Option<usize>>,
}

describe! {
    /// One axis as several.
    Unflatten = "unflatten";
    settings {
        /// The axis.
        axis ("dim"): required;
        /// The lengths of the new axes; one may be `none`, for what remains.
        axes ("unflattened_size"): required;
    }
}

impl Unflatten {
    /// Splits this axis into these: numbers, or options of them.
    pub fn new(axis: usize, axes: impl IntoIterator<Item = impl Into<Option<usize>>>) -> Self {
        Self { axis, axes: axes.into_iter().map(Into::into).collect() }
    }
}

impl<T: Real> Layer<T> for Unflatten {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let Some(&size) = input.get(self.axis) else {
            let expected = format!("samples with an axis {}", self.axis);
            return Err(plan.error(input, &expected, "axes count from 0, without the batch"));
        };
        let output = Reshape::new(self.axes.iter().copied())
            .shape(size)
            .and_then(|axes| Shape::new(&[&input[..self.axis], &*axes, &input[self.axis + 1..]].concat()));
        let output = output.ok_or_else(|| {
            let help = format!("the axis has {size} values; use at most six axes, of which one may be None");
            plan.error(input, "samples whose axis has the number of values of the new axes", &help)
        })?;
        Ok((output, ()))
    }

    described!();

    identity_passes!();
}
