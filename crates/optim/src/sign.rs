//! The sign of a number, as optimizers take it.

use crate::Real;

/// 1, -1, or the number itself where it is 0 or NaN.
#[inline(always)]
pub(crate) fn sign<T: Real>(x: T) -> T {
    let below = if x < T::zero() { -T::one() } else { x };
    if x > T::zero() { T::one() } else { below }
}
