//! The activations that act on each value by itself: `a = f(z)`.
//!
//! Each is a formula and its derivative, written in terms of the output `a` where that is enough, since the
//! output is at hand in `backward`. [`Activation`] is all it takes to add one.

mod softmax;

pub use softmax::Softmax;

use std::fmt::Debug;

use chainrule_layer::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};

/// A function of single values, and its derivative. The macro below makes a layer of it.
///
/// Both methods are to be `#[inline(always)]` and free of branches and calls, so that the loop over them
/// becomes vector instructions.
pub trait Activation<T: Real>: Clone + Copy + Debug + Send + Sync + 'static {
    /// `f(z)`.
    fn value(self, z: T) -> T;

    /// `f'(z)`, given `z` and `a = f(z)`.
    fn slope(self, z: T, a: T) -> T;
}

/// The two passes of a layer that applies an [`Activation`] to each value.
macro_rules! each {
    ($($name:ident)*) => {$(
        impl<T: Real> Layer<T> for $name {
            type Cache = ();

            fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
                Ok((input, ()))
            }

            fn forward(&self, Forward { x, y, .. }: Forward<'_, T>) {
                let f = *self;
                vector::map(x, y, #[inline(always)] |z| f.value(z)); //                           a = f(z)
            }

            fn backward(&self, Backward { x, y, dy, dx, .. }: Backward<'_, T>) {
                let (f, Some(dx)) = (*self, dx) else { return };
                vector::map3(x, y, dy, dx, #[inline(always)] |z, a, da| da * f.slope(z, a)); //   dz = da f'(z)
            }
        }
    )*};
}

each!(Sigmoid Tanh Relu LeakyRelu);

/// The logistic sigmoid, `1 / (1 + e⁻ᶻ)`.
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;

impl<T: Real> Activation<T> for Sigmoid {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z.fast_sigmoid()
    }

    #[inline(always)]
    fn slope(self, _: T, a: T) -> T {
        a * (T::one() - a)
    }
}

/// The hyperbolic tangent.
#[derive(Clone, Copy, Debug)]
pub struct Tanh;

impl<T: Real> Activation<T> for Tanh {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z.fast_tanh()
    }

    #[inline(always)]
    fn slope(self, _: T, a: T) -> T {
        T::one() - a * a
    }
}

/// The rectified linear unit, `max(z, 0)`; its derivative at 0 is 0, as in PyTorch and Keras.
#[derive(Clone, Copy, Debug)]
pub struct Relu;

impl<T: Real> Activation<T> for Relu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        // NaN is not below 0, so it passes.
        if z < T::zero() { T::zero() } else { z }
    }

    #[inline(always)]
    fn slope(self, _: T, a: T) -> T {
        if a > T::zero() { T::one() } else { T::zero() }
    }
}

/// `z` where it is positive, else `slope z` (Maas et al. 2013). The default slope is 0.01, as in PyTorch;
/// Keras' default is 0.3.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    slope: f64,
}

impl LeakyRelu {
    /// With another slope for negative values.
    pub fn new(slope: f64) -> Self {
        Self { slope }
    }
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl<T: Real> Activation<T> for LeakyRelu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        if z < T::zero() { T::of(self.slope) * z } else { z }
    }

    #[inline(always)]
    fn slope(self, z: T, _: T) -> T {
        if z > T::zero() { T::one() } else { T::of(self.slope) }
    }
}
