//! A layer from two functions.

use std::fmt;

use chainrule_tensor::{Real, Shape, map};

use crate::error::ShapeError;
use crate::layer::{Backward, Forward, Layer};
use crate::plan::Plan;
use crate::{Described, Description, DescriptionError, Entry, Settings, Value, entry};

/// `a = f(z)` for each value, from a function and its derivative `f'(z, a)`, which receives the output too.
///
/// Test it with [`gradcheck::gradients`](crate::gradcheck::gradients): nothing else checks that the second function is the
/// derivative of the first. Mark long closures `#[inline(always)]`, so that they become vector instructions.
///
/// ```
/// use chainrule_core::{Lambda, gradcheck};
/// gradcheck::gradients(&Lambda::new("square", |z: f64| z * z, |z, _| 2.0 * z), [5])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Lambda<F, D> {
    name: &'static str,
    function: F,
    derivative: D,
}

impl<F, D> Lambda<F, D> {
    /// The layer of this function and its derivative. The name represents it in summaries and in model files.
    pub fn new<T: Real>(name: &'static str, function: F, derivative: D) -> Self
    where
        F: Fn(T) -> T,
        D: Fn(T, T) -> T,
    {
        Self { name, function, derivative }
    }
}

/// What is known of a [`Lambda`] by its name: that nothing can be made of it. It has no values.
#[derive(Debug)]
pub(crate) enum LambdaText {}

impl Described for LambdaText {
    const ENTRY: Entry = entry! {
        /// A function of each value and its derivative, which are code: it can be used in a program only.
        Lambda = "lambda";
        formula "a = f(z)";
        settings {
            /// The name that it was given.
            function: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let name: String = settings.get("function")?;
        Err(DescriptionError::Code { place: settings.place().path().to_owned(), name })
    }

    fn setting_values(&self) -> Vec<Value> {
        match *self {}
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

    fn description(&self) -> Description {
        LambdaText::ENTRY.description([self.name.into()])
    }

    fn forward(&self, Forward { x, y, .. }: Forward<'_, T>) {
        let f = self.function;
        map!(y = |z: x| f(z)); //                                                     a = f(z)
    }

    fn backward(&self, Backward { x, y, dy, dx, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        let derivative = self.derivative;
        map!(dx = |z: x, a: y, da: dy| da * derivative(z, a)); //                     dz = da f'(z)
    }
}
