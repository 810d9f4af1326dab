//! Activation functions.
//!
//! Most are elementwise, `a = f(z)`. Such an activation is a formula and its derivative, written in terms of the output `a`
//! where that is enough, because `backward` has the output at hand. To add one, implement [`Activation`] in a file of this
//! folder, name it in `activation_layers!` there and export it below. Closely related activations share a file.
//!
//! The others look at several values at once (the softmax family, gated units, maxout), have parameters (`Prelu`) or are random
//! (`Rrelu`).

mod any;
mod elu;
mod exponential;
mod gate_loops;
mod gated;
mod gelu;
mod hard;
mod identity;
mod maxout;
mod prelu;
mod relu;
mod rrelu;
mod shrink;
mod sigmoid;
mod silu;
mod softmax;
mod softmax2d;
mod softplus;
mod sparse;
mod sparsemax;

pub use any::AnyActivation;
pub(crate) use any::ElementWise;
pub use elu::{Celu, Elu, Selu};
pub use exponential::Exponential;
pub(crate) use gated::AnyGated;
pub use gated::{Gated, GeGlu, Glu, ReGlu, SwiGlu};
pub use gelu::{Gelu, GeluTanh};
pub use hard::{HardSigmoid, HardSwish, HardTanh};
pub use identity::Identity;
pub use maxout::Maxout;
pub use prelu::Prelu;
pub use relu::{LeakyRelu, Relu, Relu6, ReluSquared, Threshold, ThresholdedRelu};
pub use rrelu::Rrelu;
pub use shrink::{HardShrink, SoftShrink, TanhShrink};
pub use sigmoid::{Sigmoid, Softsign, Tanh};
pub use silu::{Mish, Silu, Silu as Swish};
pub use softmax::{LogSoftmax, Softmax, Softmin};
pub use softmax2d::Softmax2d;
pub use softplus::{LogSigmoid, Softplus, Squareplus};
pub use sparse::{SparsePlus, SparseSigmoid};
pub use sparsemax::Sparsemax;

use std::fmt::Debug;

use chainrule_core::{Description, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

/// An elementwise function and its derivative.
///
/// Where `z` is infinite, both should be the limit if there is one: written down as it stands, `z σ(z)` is NaN at -∞.
///
/// Both methods should be `#[inline(always)]` and free of branches and calls, so that the compiler vectorizes the loop over
/// them. An `if` that chooses between two values compiles to a selection; compute both values before it.
pub trait Activation<T: Real>: Clone + Copy + Debug + Send + Sync + 'static {
    /// `f(z)`.
    fn value(self, z: T) -> T;

    /// `f'(z)`, given `z` and `a = f(z)`.
    fn derivative(self, z: T, a: T) -> T;

    /// Checks the settings; `plan` reports the error.
    ///
    /// # Errors
    ///
    /// What the settings must be, such as `"a positive beta"`.
    fn settings(self) -> Result<(), &'static str> {
        Ok(())
    }

    /// Like [`Layer::description`](chainrule_core::Layer::description).
    fn description(&self) -> Description {
        Description::of_debug(self).with("debug", format!("{self:?}"))
    }
}

/// Makes layers of types that are an [`Activation`].
macro_rules! activation_layers {
    ($($name:ident)*) => {$(
        impl<T: Real> ::chainrule_core::Layer<T> for $name {
            type Cache = ();

            fn plan(
                &self,
                input: ::chainrule_tensor::Shape,
                plan: &mut ::chainrule_core::Plan,
            ) -> Result<(::chainrule_tensor::Shape, ()), ::chainrule_core::ShapeError> {
                super::check_settings(Activation::<T>::settings(*self), input, plan)?;
                Ok((input, ()))
            }

            ::chainrule_core::described!();

            fn forward(&self, ::chainrule_core::Forward { x, y, .. }: ::chainrule_core::Forward<'_, T>) {
                let f = *self;
                ::chainrule_tensor::map!(y = |z: x| f.value(z)); //                              a = f(z)
            }

            fn backward(&self, pass: ::chainrule_core::Backward<'_, T>) {
                let ::chainrule_core::Backward { x, y, dy, dx: Some(dx), .. } = pass else { return };
                let f = *self;
                ::chainrule_tensor::map!(dx = |z: x, a: y, da: dy| da * f.derivative(z, a)); //  dz = da f'(z)
            }
        }
    )*};
}
use activation_layers;

/// The error of an activation whose settings are invalid.
fn check_settings(settings: Result<(), &str>, input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    settings.map_err(|needed| plan.setting_error(input, needed, "choose other settings"))
}

/// `z` between -1000 and 1000, beyond which every smooth gate is 0 or 1 in both precisions: so -∞ times a gate of 0 is 0, not NaN,
/// and no power of a large number overflows. NaN stays NaN.
#[inline(always)]
fn bounded<T: Real>(z: T) -> T {
    clip(z, T::of(-1000.0), T::of(1000.0))
}

/// `z`, but at least -1000, as [`bounded`].
#[inline(always)]
fn bounded_below<T: Real>(z: T) -> T {
    let low = T::of(-1000.0);
    if z < low { low } else { z }
}

/// Whether a setting is a number in the model's precision.
fn is_finite<T: Real>(setting: f64) -> bool {
    T::of(setting).is_finite()
}

/// Whether a setting is above 0 in the model's precision, and so is its inverse, and both are numbers.
fn is_positive<T: Real>(setting: f64) -> bool {
    let is_normal = |value: f64| T::of(value) >= T::min_positive_value() && is_finite::<T>(value);
    is_normal(setting) && is_normal(1.0 / setting)
}

/// `min(max(z, low), high)`; NaN stays NaN.
#[inline(always)]
fn clip<T: Real>(z: T, low: T, high: T) -> T {
    let z = if z < low { low } else { z };
    if z > high { high } else { z }
}

/// 1 if the condition holds, else 0.
#[inline(always)]
fn one_if<T: Real>(condition: bool) -> T {
    if condition { T::one() } else { T::zero() }
}

/// Divides the length of an axis, the last one by default, by a factor.
///
/// Returns the new shape and the number of values per index of the axis, the product of the lengths of the axes after it.
/// Returns `None` if there is no such axis, if the factor does not divide its length, or if the sample is empty.
fn shorten(input: Shape, axis: Option<usize>, factor: usize) -> Option<(Shape, usize)> {
    let axis = axis.or_else(|| input.len().checked_sub(1))?;
    let length = *input.get(axis)?;
    if input.size() == 0 || factor == 0 || !length.is_multiple_of(factor) {
        return None;
    }
    let axes = |index: usize| if index == axis { length / factor } else { input[index] };
    let output: Vec<usize> = (0..input.len()).map(axes).collect();
    Some((Shape::new(&output)?, input[axis + 1..].iter().product()))
}
