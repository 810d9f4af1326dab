//! The sign of a number, as optimizers take it.

use crate::Real;

/// 1, -1, or the number itself where it is 0 or NaN.
#[inline(always)]
pub(crate) fn sign<T: Real>(x: T) -> T {
    if x.abs() > T::zero() { T::one().copysign(x) } else { x }
}
