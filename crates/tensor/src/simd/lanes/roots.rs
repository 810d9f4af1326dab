//! What formulas with roots need of vectors.

use super::Lanes;

/// Vectors with roots by an estimate and a step towards the root, which takes less time than the instruction for a root.
///
/// # Safety
///
/// As of [`Lanes`].
pub(crate) trait Roots: Lanes<Number = f32> {
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

    /// `1 / ∛x` for `x ≥ 0`, to a tenth: a third of the bits of `x`, which are about its logarithm, subtracted from [`CBRT_START`]. Of the bits,
    /// the upper half is enough.
    unsafe fn cbrt_estimate(x: Self::Vector) -> Self::Vector;

    /// These cube roots, but those of infinity and NaN, and of 0 if they are not 0: `r = x y²` is exact for them.
    unsafe fn with_own_roots(roots: Self::Vector, r: Self::Vector, x: Self::Vector) -> Self::Vector;

    /// `∛x` for `x ≥ 0`, to 2 ulp; of a subnormal `x` something from 0 to the root.
    ///
    /// `∛x = x y² (1 - e)^(-2/3)` with `e = 1 - x y³`, for the estimate `y`.
    #[inline(always)]
    unsafe fn cbrt(x: Self::Vector) -> Self::Vector {
        // SAFETY: the caller has found the instructions.
        unsafe {
            let y = Self::cbrt_estimate(x);
            let r = Self::mul(Self::mul(x, y), y);
            let e = Self::sub_product(Self::splat(1.0), r, y);
            let [a, b, c, d, f] = CBRT_TAIL.map(
                #[inline(always)]
                |number| Self::splat(number),
            );
            // Not by Horner's rule, which would be a longer chain.
            let square = Self::mul(e, e);
            let upper = Self::mul_add(square, f, Self::mul_add(e, d, c));
            let tail = Self::mul_add(square, upper, Self::mul_add(e, b, a));
            Self::with_own_roots(Self::mul_add(Self::mul(r, e), tail, r), r, x)
        }
    }
}

/// What a third of the bits of a number are subtracted from, for the bits of its inverse cube root.
#[cfg(target_arch = "x86_64")]
pub(super) const CBRT_START: i32 = 0x54a1_a800;

/// `((1 - e)^(-2/3) - 1) / e` for `|e| ≤ 0.105`, by powers of e: fitted at Chebyshev nodes, its error times e is 2e-8.
#[cfg(target_arch = "x86_64")]
const CBRT_TAIL: [f32; 5] = [0.666_666_75, 0.555_534_2, 0.493_786_33, 0.458_881_02, 0.429_897_87];
