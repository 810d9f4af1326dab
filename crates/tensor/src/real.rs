//! The numbers that networks are made of: `f32` and `f64`.

use std::fmt::{Debug, Display, LowerExp};
use std::iter::Sum;

use num_traits::{Float, NumAssign};

/// A floating-point number, `f32` or `f64`, with the functions that vectorise.
///
/// The `fast_` functions are polynomials without branches or calls, so that a loop over them becomes vector
/// instructions (see [`vector`](crate::vector)); `std`'s are calls, ten times slower in a loop. Their greatest
/// errors, in units in the last place, were measured over the whole range by the tests of this module.
pub trait Real:
    Float
    + NumAssign
    + Sum
    + Default
    + Debug
    + Display
    + LowerExp
    + Send
    + Sync
    + ndarray::ScalarOperand
    + crate::gemm::Product
    + 'static
{
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest number of this type.
    fn of(value: f64) -> Self;

    /// This number in double precision, exactly.
    fn as_f64(self) -> f64;

    /// `eˣ`, to 2 ulp.
    fn fast_exp(self) -> Self;

    /// `eˣ - 1` for `x >= 0`, to 3 ulp, exact in its leading digits where `x` is small.
    fn fast_exp_m1_of_positive(self) -> Self;

    /// `ln x`, to 2 ulp; subnormal `x` counts as 0.
    fn fast_ln(self) -> Self;

    /// `tanh x`, to 4 ulp.
    #[inline(always)]
    fn fast_tanh(self) -> Self {
        // tanh |x| = (e²ˣ - 1) / (e²ˣ - 1 + 2); beyond 20 it is 1 in both types.
        let twice = self.abs() + self.abs();
        let limit = Self::of(40.0);
        let e = (if twice > limit { limit } else { twice }).fast_exp_m1_of_positive();
        (e / (e + Self::of(2.0))).copysign(self)
    }

    /// `1 / (1 + e⁻ˣ)`, to 4 ulp.
    #[inline(always)]
    fn fast_sigmoid(self) -> Self {
        Self::one() / (Self::one() + (-self).fast_exp())
    }

    /// `ln(1 + x)` for `x > -1`, to 4 ulp, exact in its leading digits where `x` is small.
    #[inline(always)]
    fn fast_ln_1p(self) -> Self {
        // Goldberg 1991, theorem 4: the rounding error of 1 + x cancels in the quotient.
        let sum = Self::one() + self;
        let lost = sum - Self::one();
        if lost == Self::zero() { self } else { sum.fast_ln() * (self / lost) }
    }
}

/// Evaluates `c[0] + c[1] x + c[2] x² + ...` by Horner's rule.
macro_rules! horner {
    ($x:expr, $last:expr) => { $last };
    ($x:expr, $first:expr, $($rest:expr),+) => { $first + $x * horner!($x, $($rest),+) };
}

macro_rules! real {
    ($real:ident, $bits:ident, $int:ident, mantissa: $mantissa:literal, clamp: [$low:literal, $high:literal],
     ln2: [$ln2_high:literal, $ln2_low:literal], expm1: [$($e:expr),+], ln: [$($l:expr),+]) => {
        impl Real for $real {
            const NAME: &'static str = stringify!($real);

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $real
            }

            #[inline(always)]
            fn as_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn fast_exp(self) -> Self {
                let Reduced { rest, high, low } = Reduced::<$real>::of(self.clamp($low, $high));
                let tail = rest * horner!(rest, $($e),+);
                (1.0 + tail) * high * low
            }

            #[inline(always)]
            fn fast_exp_m1_of_positive(self) -> Self {
                let Reduced { rest, high, low } = Reduced::<$real>::of(self.clamp(0.0, $high));
                let tail = rest * horner!(rest, $($e),+);
                tail * high * low + (high * low - 1.0)
            }

            #[inline(always)]
            fn fast_ln(self) -> Self {
                // x = 2ⁿ m with m in [√½, √2); ln m = 2 artanh s with s = (m - 1) / (m + 1).
                const SQRT_HALF: $bits = (std::f64::consts::FRAC_1_SQRT_2 as $real).to_bits();
                let n = (self.to_bits().wrapping_sub(SQRT_HALF) as $int) >> $mantissa;
                let m = $real::from_bits((self.to_bits() as $int).wrapping_sub(n << $mantissa) as $bits);
                let f = m - 1.0;
                let s = f / (2.0 + f);
                let z = s * s;
                // f - f²/2 heads the series exactly; what follows is small, and so is its rounding.
                let half = 0.5 * f * f;
                let tail = s * (half + z * horner!(z, $($l),+));
                let n = n as i32 as $real;
                let ln = n * $ln2_high + (f - (half - (tail + n * $ln2_low)));
                let ln = if self < $real::INFINITY { ln } else { self };
                let small = if self >= 0.0 { $real::NEG_INFINITY } else { $real::NAN };
                if self >= $real::MIN_POSITIVE { ln } else { small }
            }
        }

        impl Reduced<$real> {
            #[inline(always)]
            fn of(x: $real) -> Self {
                // Adding 1.5 * 2^mantissa rounds to an integer and leaves it in the low bits.
                const ROUND: $real = 1.5 * (1u64 << $mantissa) as $real;
                const BIAS: $int = $real::MAX_EXP as $int - 1;
                let rounded = x * std::f64::consts::LOG2_E as $real + ROUND;
                let n = rounded - ROUND;
                let rest = x - n * $ln2_high - n * $ln2_low;
                let n = (rounded.to_bits() as $int).wrapping_sub(ROUND.to_bits() as $int);
                // In two factors, since n alone may exceed the exponents of normal numbers.
                let half = n >> 1;
                let power = |n: $int| $real::from_bits((n.wrapping_add(BIAS) << $mantissa) as $bits);
                Self { rest, high: power(half), low: power(n - half) }
            }
        }
    };
}

/// `eˣ = eʳ 2ⁿ`, n the integer nearest to `x / ln 2`: the rest `r`, and `2ⁿ` as a product.
struct Reduced<T> {
    rest: T,
    high: T,
    low: T,
}

real!(f32, u32, i32, mantissa: 23, clamp: [-104.0, 89.0], ln2: [0.693_359_4, -2.121_944_4e-4],
    expm1: [1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0],
    ln: [2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0, 2.0 / 11.0]);
real!(f64, u64, i64, mantissa: 52, clamp: [-746.0, 710.0],
    ln2: [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10],
    expm1: [1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0, 1.0 / 40_320.0,
        1.0 / 362_880.0, 1.0 / 3_628_800.0, 1.0 / 39_916_800.0, 1.0 / 479_001_600.0, 1.0 / 6_227_020_800.0],
    ln: [2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0, 2.0 / 11.0, 2.0 / 13.0, 2.0 / 15.0, 2.0 / 17.0,
        2.0 / 19.0, 2.0 / 21.0, 2.0 / 23.0]);

#[cfg(test)]
mod tests {
    use super::*;

    /// The greatest error of `f` over `points` in units in the last place of `exact`'s value.
    fn worst<T: Real>(points: impl Iterator<Item = f64>, f: fn(T) -> T, exact: fn(f64) -> f64) -> f64 {
        points
            .map(T::of)
            .map(|x| {
                let (found, right) = (f(x).as_f64(), exact(x.as_f64()));
                let ulp = (right.abs() * T::epsilon().as_f64()).max(T::min_positive_value().as_f64());
                assert!(found.is_finite(), "{x}: {found} for {right}");
                (found - right).abs() / ulp
            })
            .fold(0.0, f64::max)
    }

    fn range(low: f64, high: f64) -> impl Iterator<Item = f64> {
        let n = if cfg!(miri) { 100 } else { 200_000 };
        (0..=n).map(move |i| low + (high - low) * f64::from(i) / f64::from(n))
    }

    fn check<T: Real>(exp: f64) {
        let small = || range(-40.0, 0.0).map(|e| e.exp2());
        let slack = if T::NAME == "f64" { 1.0 } else { 0.0 }; // `std` itself is not exact
        let cases = [
            ("exp", worst(range(-exp, exp), T::fast_exp, f64::exp), 2.0),
            ("expm1", worst(range(0.0, 40.0).chain(small()), T::fast_exp_m1_of_positive, f64::exp_m1), 3.0),
            ("ln", worst(range(1e-9, 4.0).chain(range(1.0, 1e9)).chain(small()), T::fast_ln, f64::ln), 2.0),
            ("ln_1p", worst(range(-0.9, 50.0).chain(small()), T::fast_ln_1p, f64::ln_1p), 4.0),
            ("tanh", worst(range(-30.0, 30.0).chain(small()), T::fast_tanh, f64::tanh), 4.0),
            ("sigmoid", worst(range(-30.0, 30.0), T::fast_sigmoid, |x| 1.0 / (1.0 + (-x).exp())), 4.0),
        ];
        for (name, error, limit) in cases {
            assert!(error <= limit + slack, "{name} of {}: {error} ulp", T::NAME);
        }
    }

    #[test]
    fn errors_are_as_documented() {
        check::<f32>(85.0);
        check::<f64>(700.0);
    }

    fn edges<T: Real>() {
        let (inf, nan) = (T::infinity(), T::nan());
        assert_eq!(inf.fast_exp(), inf);
        assert_eq!((-inf).fast_exp(), T::zero());
        assert_eq!(T::zero().fast_exp(), T::one());
        assert_eq!(T::one().fast_ln(), T::zero());
        assert_eq!(T::zero().fast_ln(), -inf);
        assert_eq!(inf.fast_ln(), inf);
        assert!((-T::one()).fast_ln().is_nan());
        assert_eq!(inf.fast_tanh(), T::one());
        assert_eq!((-inf).fast_tanh(), -T::one());
        assert_eq!((-inf).fast_sigmoid(), T::zero());
        assert_eq!(inf.fast_sigmoid(), T::one());
        for f in [T::fast_exp, T::fast_ln, T::fast_tanh, T::fast_sigmoid, T::fast_ln_1p] {
            assert!(f(nan).is_nan());
        }
    }

    #[test]
    fn infinities_and_nan() {
        edges::<f32>();
        edges::<f64>();
    }
}
