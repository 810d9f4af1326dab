//! Activations that pull values towards 0.

use chainrule_tensor::Real;

use super::{Activation, one_if};

/// `z` where `|z| > λ`, else 0; λ is 0.5 by default.
#[derive(Clone, Copy, Debug)]
pub struct HardShrink {
    lambda: f64,
}

/// `z` made smaller by λ, and 0 where `|z| <= λ`: `sign(z) max(|z| - λ, 0)`; λ is 0.5 by default.
#[derive(Clone, Copy, Debug)]
pub struct SoftShrink {
    lambda: f64,
}

macro_rules! threshold {
    ($($name:ident)*) => {$(
        impl $name {
            /// With another λ.
            pub fn new(lambda: f64) -> Self {
                Self { lambda }
            }

            fn possible(self) -> Result<(), &'static str> {
                if self.lambda >= 0.0 { Ok(()) } else { Err("a lambda of at least 0") }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0.5)
            }
        }
    )*};
}
threshold!(HardShrink SoftShrink);

impl<T: Real> Activation<T> for HardShrink {
    #[inline(always)]
    fn value(self, z: T) -> T {
        if z.abs() <= T::of(self.lambda) { T::zero() } else { z }
    }

    #[inline(always)]
    fn slope(self, z: T, _: T) -> T {
        one_if(z.abs() > T::of(self.lambda))
    }

    fn settings(self) -> Result<(), &'static str> {
        self.possible()
    }
}

impl<T: Real> Activation<T> for SoftShrink {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let lambda = T::of(self.lambda);
        if z.abs() <= lambda { T::zero() } else { z - lambda.copysign(z) }
    }

    #[inline(always)]
    fn slope(self, z: T, _: T) -> T {
        one_if(z.abs() > T::of(self.lambda))
    }

    fn settings(self) -> Result<(), &'static str> {
        self.possible()
    }
}

/// `z - tanh z`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TanhShrink;

impl<T: Real> Activation<T> for TanhShrink {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z - z.fast_tanh()
    }

    #[inline(always)]
    fn slope(self, z: T, _: T) -> T {
        let tanh = z.fast_tanh();
        tanh * tanh
    }
}
