//! Activations: the functions between the layers that have weights.
//!
//! Most act on each value by itself, `a = f(z)`. Such a one is a formula and its derivative, written in terms of the
//! output `a` where that is enough, since the output is at hand in `backward`: [`Activation`] is all it takes to add
//! one. Near relatives share a file. The others look at several values at once: the softmax family, gated units
//! and maxout; `Prelu` has parameters and `Rrelu` is random.

mod elu;
mod exponential;
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

pub use elu::{Celu, Elu, Selu};
pub use exponential::Exponential;
pub use gated::{Gated, GeGlu, Glu, ReGlu, SwiGlu};
pub use gelu::{Gelu, GeluTanh};
pub use hard::{HardSigmoid, HardSwish, HardTanh};
pub use identity::Identity;
pub use maxout::{Maxout, Winners};
pub use prelu::{Prelu, Slopes};
pub use relu::{LeakyRelu, Relu, Relu6, ReluSquared, Threshold, ThresholdedRelu};
pub use rrelu::{DrawnSlopes, Rrelu};
pub use shrink::{HardShrink, SoftShrink, TanhShrink};
pub use sigmoid::{Sigmoid, Softsign, Tanh};
pub use silu::{Mish, Silu, Silu as Swish};
pub use softmax::{Classes, LogSoftmax, Softmax, Softmin};
pub use softmax2d::{ByPlace, Softmax2d};
pub use softplus::{LogSigmoid, Softplus, Squareplus};
pub use sparse::{SparsePlus, SparseSigmoid};
pub use sparsemax::Sparsemax;

use std::fmt::Debug;

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};

/// A function of single values, and its derivative. The macro below makes a layer of it.
///
/// Both methods are to be `#[inline(always)]` and free of branches and calls, so that the loop over them
/// becomes vector instructions. An `if` that chooses between two values is a selection; compute both before it.
pub trait Activation<T: Real>: Clone + Copy + Debug + Send + Sync + 'static {
    /// `f(z)`.
    fn value(self, z: T) -> T;

    /// `f'(z)`, given `z` and `a = f(z)`.
    fn slope(self, z: T, a: T) -> T;

    /// Whether the settings are possible.
    ///
    /// # Errors
    ///
    /// What they must be, such as `"a positive beta"`; `plan` says it to the user.
    fn settings(self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// The two passes of a layer that applies an [`Activation`] to each value.
macro_rules! each {
    ($($name:ident)*) => {$(
        impl<T: Real> Layer<T> for $name {
            type Cache = ();

            fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
                possible(Activation::<T>::settings(*self), input, plan)?;
                Ok((input, ()))
            }

            fn forward(&self, Forward { x, y, .. }: Forward<'_, T>) {
                let f = *self;
                vector::map(x, y, #[inline(always)] move |z| f.value(z)); //                           a = f(z)
            }

            fn backward(&self, Backward { x, y, dy, dx, .. }: Backward<'_, T>) {
                let (f, Some(dx)) = (*self, dx) else { return };
                vector::map3(x, y, dy, dx, #[inline(always)] move |z, a, da| da * f.slope(z, a)); //   dz = da f'(z)
            }
        }
    )*};
}

each!(Celu Elu Selu);
each!(Exponential);
each!(Gelu GeluTanh);
each!(HardSigmoid HardSwish HardTanh);
each!(LeakyRelu Relu Relu6 ReluSquared Threshold ThresholdedRelu);
each!(HardShrink SoftShrink TanhShrink);
each!(Sigmoid Softsign Tanh);
each!(Mish Silu);
each!(LogSigmoid Softplus Squareplus);
each!(SparsePlus SparseSigmoid);

/// The error of an activation whose settings are impossible.
fn possible(settings: Result<(), &str>, input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    settings
        .map_err(|needed| plan.error(input, &format!("{needed} and any samples,"), "choose other settings"))
}

/// `z`, or the nearer limit if it is beyond. NaN passes.
#[inline(always)]
fn clip<T: Real>(z: T, low: T, high: T) -> T {
    let z = if z < low { low } else { z };
    if z > high { high } else { z }
}

/// 1 where it holds, else 0.
#[inline(always)]
fn one_if<T: Real>(condition: bool) -> T {
    if condition { T::one() } else { T::zero() }
}

/// An axis of a sample that is to become shorter by a factor: the last axis, unless another is named.
///
/// Returns the shape afterwards, and how many values lie side by side at each place of the axis; `None` if there is
/// no such axis, if the factor is not in it, or if the sample is empty.
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
