//! What formulas with roots need of vectors.

use super::Lanes;

/// Vectors with roots by an estimate and a step towards the root, which takes less time than the instruction for a root.
///
/// # Safety
///
/// As of [`Lanes`].
pub(crate) trait Roots: Lanes {
    /// `a - b`
    unsafe fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a b`
    unsafe fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `c - a b` with one rounding.
    unsafe fn sub_product(c: Self::Vector, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a / b`
    unsafe fn div(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// The smaller of the two; NaN where `a` is NaN.
    unsafe fn at_most(a: Self::Vector, limit: Self::Vector) -> Self::Vector;

    /// The larger of the two; NaN where `a` is NaN.
    unsafe fn at_least(a: Self::Vector, limit: Self::Vector) -> Self::Vector;

    /// `√x` to 1 ulp, of all `x`.
    unsafe fn sqrt(x: Self::Vector) -> Self::Vector;

    /// `∛x` for `x ≥ 0`, to 2 ulp; of a subnormal `x` something from 0 to the root.
    unsafe fn cbrt(x: Self::Vector) -> Self::Vector;
}

/// `∛x = x y² (1 - e)^(-2/3)` with `e = 1 - x y³`, for an estimate `y` of `1 / ∛x`: a third of the bits of `x`, which are about its
/// logarithm, subtracted from this. Of the bits, the upper half is enough.
#[cfg(target_arch = "x86_64")]
pub(super) const CBRT_START: i32 = 0x54a1_a800;

/// `((1 - e)^(-2/3) - 1) / e` for `|e| ≤ 0.105`, by powers of e: fitted at Chebyshev nodes, its error times e is 2e-8.
#[cfg(target_arch = "x86_64")]
pub(super) const CBRT_TAIL: [f32; 5] = [0.666_666_75, 0.555_534_2, 0.493_786_33, 0.458_881_02, 0.429_897_87];
