//! Reshaping.

use chainrule_core::{Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};

/// Gives samples another shape; the values stay in row-major order, so it costs nothing.
///
/// One axis may be `None`, which stands for the number that is left.
///
/// ```
/// use chainrule_core::{Layer, Plan};
/// use chainrule_layers::Reshape;
/// let (shape, ()) = Layer::<f32>::plan(&Reshape::new([Some(4), None]), [28, 28].into(), &mut Plan::new())?;
/// assert_eq!(shape, [4, 196].into());
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reshape {
    axes: Vec<Option<usize>>,
}

describe! {
    /// The values of a sample in another shape.
    Reshape = "reshape";
    settings {
        /// The lengths of the axes; one may be `none`, for what remains.
        axes ("target_shape"): required;
    }
}

impl Reshape {
    /// To this shape: numbers, or options of them.
    pub fn new(axes: impl IntoIterator<Item = impl Into<Option<usize>>>) -> Self {
        Self { axes: axes.into_iter().map(Into::into).collect() }
    }

    /// The shape for `size` values, if it has exactly that many.
    pub(super) fn shape(&self, size: usize) -> Option<Shape> {
        let known: Vec<usize> = self.axes.iter().flatten().copied().collect();
        let rest = match self.axes.len() - known.len() {
            0 => None,
            1 => Some(size.checked_div(Shape::new(&known)?.size())?),
            _ => return None,
        };
        let axes: Vec<usize> = self.axes.iter().map(|axis| axis.or(rest)).collect::<Option<_>>()?;
        Shape::new(&axes).filter(|shape| shape.size() == size)
    }
}

impl<T: Real> Layer<T> for Reshape {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let shape = self.shape(input.size()).ok_or_else(|| {
            let help = format!(
                "the sample has {} values; use at most six axes, of which one may be None",
                input.size()
            );
            plan.error(input, "samples with the number of values of the new shape", &help)
        })?;
        Ok((shape, ()))
    }

    described!();

    identity_passes!();
}
