//! A layer from two functions.

use std::fmt;

use chainrule_tensor::{Real, Shape, vector};

use crate::{Backward, Forward, Layer, Plan, ShapeError};

/// `a = f(z)` for each value, from a function and its derivative `f'(z, a)`, which is given the output too.
///
/// Run [`gradcheck::gradients`](crate::gradcheck::gradients) on it: nothing else says whether the second is the derivative of the first.
/// Mark long closures `#[inline(always)]`, so that they become vector instructions.
///
/// ```
/// use chainrule_core::{Lambda, gradcheck};
/// gradcheck::gradients(&Lambda::new("square", |z: f64| z * z, |z, _| 2.0 * z), [5])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Lambda<F, D> {
    name: &'static str,
    value: F,
    slope: D,
}

impl<F, D> Lambda<F, D> {
    /// The layer of this function and its derivative; the name stands for it in summaries and in model files.
    pub fn new<T: Real>(name: &'static str, value: F, slope: D) -> Self
    where
        F: Fn(T) -> T,
        D: Fn(T, T) -> T,
    {
        Self { name, value, slope }
    }
}

impl<F, D> fmt::Debug for Lambda<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lambda({})", self.name)
    }
}

impl<T: Real, F, D> Layer<T> for Lambda<F, D>
where
    F: Fn(T) -> T + Copy + Send + Sync + 'static,
    D: Fn(T, T) -> T + Copy + Send + Sync + 'static,
{
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    fn forward(&self, Forward { x, y, .. }: Forward<'_, T>) {
        vector::map(x, y, self.value); //                                             a = f(z)
    }

    fn backward(&self, Backward { x, y, dy, dx, .. }: Backward<'_, T>) {
        let (slope, Some(dx)) = (self.slope, dx) else { return };
        vector::map3(
            x,
            y,
            dy,
            dx,
            #[inline(always)]
            |z, a, da| da * slope(z, a), //                                           dz = da f'(z)
        );
    }
}
