//! One axis as several.

use chainrule_core::{Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::Reshape;

/// Makes several axes of one, counted from 0 without the batch: the inverse of flattening it, PyTorch's `Unflatten`. The
/// values stay in row-major order, so it costs nothing.
///
/// One of the new axes may be `None`: it is what is left.
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

impl Unflatten {
    /// This axis as these: numbers, or options of them.
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
            let help = format!("the axis has {size}; at most one may be None, and six axes are allowed");
            plan.error(input, "samples whose axis has as many values as the new axes", &help)
        })?;
        Ok((output, ()))
    }

    same_values!();
}
