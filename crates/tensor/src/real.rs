//! The numbers that networks are made of: `f32` and `f64`.

#[cfg(feature = "blas")]
use std::ffi::c_int;
use std::fmt::{Debug, Display, LowerExp};
use std::iter::Sum;

use num_traits::{Float, NumAssign};

use crate::simd::kernels::Kernels;

/// A floating-point number, `f32` or `f64`, with functions that vectorise.
///
/// The `fast_` functions are polynomials without branches or calls, so that a loop over them becomes vector instructions (see
/// [`vector`](crate::vector)); `std`'s are calls, ten times slower in a loop. The maximum errors stated here, in units in the
/// last place, are checked over the whole range by the tests of this module.
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
    + Kernels
    + 'static
{
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// This type's product in the C interface of BLAS.
    #[cfg(feature = "blas")]
    #[doc(hidden)]
    const CBLAS_GEMM: CblasGemm<Self>;

    /// The bits of an absolute value as an integer: it orders absolute values as they are, and NaN after infinity.
    #[doc(hidden)]
    type Magnitude: Copy + Default + Ord;

    /// The bits of `|x|`.
    #[doc(hidden)]
    fn magnitude(self) -> Self::Magnitude;

    /// The number that is not negative and has these bits.
    #[doc(hidden)]
    fn from_magnitude(bits: Self::Magnitude) -> Self;

    /// The nearest number of this type.
    fn of(value: f64) -> Self;

    /// This number in double precision, exactly.
    fn as_f64(self) -> f64;

    /// `eˣ`, to 2 ulp.
    fn fast_exp(self) -> Self;

    /// `eˣ - 1`, to 3 ulp, exact in its leading digits where `x` is small.
    fn fast_exp_m1(self) -> Self;

    /// `ln x`, to 2 ulp; subnormal `x` counts as 0.
    fn fast_ln(self) -> Self;

    /// The error function, `erf x = 2/√π ∫₀ˣ exp(-t²) dt`, to 2 ulp.
    fn fast_erf(self) -> Self;

    /// The complementary error function, `1 - erf x`, to 3 ulp however small it is, as long as it is a normal number.
    fn fast_erfc(self) -> Self;

    /// `tanh x`, to 4 ulp.
    #[inline(always)]
    fn fast_tanh(self) -> Self {
        // tanh |x| = (e²ˣ - 1) / (e²ˣ - 1 + 2); beyond 20 it is 1 in both types.
        let twice = self.abs() + self.abs();
        let limit = Self::of(40.0);
        let e = (if twice > limit { limit } else { twice }).fast_exp_m1();
        (e / (e + Self::of(2.0))).copysign(self)
    }

    /// `1 / (1 + e⁻ˣ)`, to 4 ulp.
    #[inline(always)]
    fn fast_sigmoid(self) -> Self {
        Self::one() / (Self::one() + (-self).fast_exp())
    }

    /// `∛x` for `x ≥ 0`, to 2 ulp; subnormal `x` counts as 0.
    fn fast_cbrt(self) -> Self;

    /// `ln(1 + x)` for `x > -1`, to 4 ulp, exact in its leading digits where `x` is small.
    #[inline(always)]
    fn fast_ln_1p(self) -> Self {
        // Goldberg 1991, theorem 4: the rounding error of 1 + x cancels in the quotient.
        let sum = Self::one() + self;
        let lost = sum - Self::one();
        let ln = sum.fast_ln() * (self / lost);
        if lost == Self::zero() { self } else { ln }
    }

    /// `ln(1 + eˣ)`, to 5 ulp.
    #[inline(always)]
    fn fast_softplus(self) -> Self {
        // x + ln(1 + e⁻ˣ) where x is positive, so that nothing overflows.
        let linear = if self < Self::zero() { Self::zero() } else { self };
        linear + (-self.abs()).fast_exp().fast_ln_1p()
    }
}

/// `cblas_sgemm` or `cblas_dgemm`.
#[cfg(feature = "blas")]
type CblasGemm<T> = unsafe extern "C" fn(
    cblas_sys::CBLAS_LAYOUT,
    cblas_sys::CBLAS_TRANSPOSE,
    cblas_sys::CBLAS_TRANSPOSE,
    c_int,
    c_int,
    c_int,
    T,
    *const T,
    c_int,
    *const T,
    c_int,
    T,
    *mut T,
    c_int,
);

/// Evaluates `c[0] + c[1] x + c[2] x² + ...` by Horner's rule.
macro_rules! horner {
    ($x:expr, $last:expr) => { $last };
    ($x:expr, $first:expr, $($rest:expr),+) => { $first + $x * horner!($x, $($rest),+) };
}

macro_rules! real {
    ($real:ident, $bits:ident, $int:ident, gemm: $gemm:ident, mantissa: $mantissa:literal, clamp: [$low:literal, $high:literal],
     ln2: [$ln2_high:literal, $ln2_low:literal], cbrt: [$cbrt:literal; $steps:literal], expm1: [$($e:expr),+], ln: [$($l:expr),+],
     erf: [$($erf:expr),+], erfc up to $nothing:literal: [$($erfc:expr),+]) => {
        impl Real for $real {
            const NAME: &'static str = stringify!($real);

            #[cfg(feature = "blas")]
            const CBLAS_GEMM: CblasGemm<Self> = cblas_sys::$gemm;

            type Magnitude = $int;

            #[inline(always)]
            fn magnitude(self) -> $int {
                self.abs().to_bits() as $int
            }

            #[inline(always)]
            fn from_magnitude(bits: $int) -> Self {
                $real::from_bits(bits as $bits)
            }

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
            fn fast_exp_m1(self) -> Self {
                let Reduced { rest, high, low } = Reduced::<$real>::of(self.clamp($low, $high));
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

            #[inline(always)]
            fn fast_cbrt(self) -> Self {
                const REST: u32 = $bits::BITS - 32;
                // The bits of a number are about its logarithm, so this is y = 1 / ∛x, to 4 %. Newton's method squares the error.
                let third = ((self.to_bits() >> REST) as u32) / 3;
                let mut y = $real::from_bits((u32::wrapping_sub($cbrt, third) as $bits) << REST);
                for _ in 0..$steps {
                    y += y * ((1.0 - self * y * (y * y)) * (1.0 / 3.0));
                }
                // A last step for ∛x = x y² itself.
                let root = self * y * y;
                let root = root - (root * root * root - self) * (y * y * (1.0 / 3.0));
                let root = if self < $real::INFINITY { root } else { self };
                if self < $real::MIN_POSITIVE { 0.0 } else { root }
            }

            #[inline(always)]
            fn fast_erf(self) -> Self {
                // An odd polynomial up to 1, fitted at Chebyshev nodes; further out, nothing cancels in 1 - erfc.
                let near = self * horner!(self * self, $($erf),+);
                let far = (1.0 - self.abs().fast_erfc()).copysign(self);
                if self.abs() < 1.0 { near } else { far }
            }

            #[inline(always)]
            fn fast_erfc(self) -> Self {
                // Shepherd and Laframboise 1981: (1 + 2x) exp(x²) erfc x is smooth in (x - 3.75) / (x + 3.75) for all
                // x >= 0. The polynomial is fitted at Chebyshev nodes. Beyond the limit erfc is 0.
                let x = self.abs();
                let x = if x > $nothing { $nothing } else { x };
                let t = (x - 3.75) / (x + 3.75);
                // The exponential amplifies the rounding error of x². The upper half of x has an exact square.
                let square = x * x;
                let upper = $real::from_bits(x.to_bits() & ($bits::MAX << ($mantissa / 2 + 1)));
                let lower = x - upper;
                let lost = (upper * upper - square) + 2.0 * upper * lower + lower * lower;
                let e = (-square).fast_exp() * (1.0 - lost);
                let tail = e * (horner!(t, $($erfc),+) / (1.0 + 2.0 * x));
                if self < 0.0 { 2.0 - tail } else { tail }
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

real!(f32, u32, i32, gemm: cblas_sgemm, mantissa: 23, clamp: [-104.0, 89.0], ln2: [0.693_359_4, -2.121_944_4e-4], cbrt: [0x54a2_3220; 2],
    expm1: [1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0],
    ln: [2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0, 2.0 / 11.0],
    erf: [std::f32::consts::FRAC_2_SQRT_PI, -0.376_126_26, 0.112_835_94, -0.026_854_211, 0.005_189_087_2,
        -0.000_801_686_43, 7.875_875e-5],
    erfc up to 10.1: [1.237_512_6, -0.140_240_54, 0.003_584_656_2, 0.082_273_625, -0.108_790_24, 0.092_355_624,
        -0.058_751_225, 0.028_040_47, -0.009_871_568_5, 0.002_374_358, 0.001_119_274_2]);
real!(f64, u64, i64, gemm: cblas_dgemm, mantissa: 52, clamp: [-746.0, 710.0],
    ln2: [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10], cbrt: [0x553e_f0f0; 3],
    expm1: [1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0, 1.0 / 40_320.0,
        1.0 / 362_880.0, 1.0 / 3_628_800.0, 1.0 / 39_916_800.0, 1.0 / 479_001_600.0, 1.0 / 6_227_020_800.0],
    ln: [2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0, 2.0 / 11.0, 2.0 / 13.0, 2.0 / 15.0, 2.0 / 17.0,
        2.0 / 19.0, 2.0 / 21.0, 2.0 / 23.0],
    erf: [std::f64::consts::FRAC_2_SQRT_PI, -0.376_126_389_031_835_43, 0.112_837_916_709_450_06,
        -0.026_866_170_643_237_77, 0.005_223_977_607_116_422_5, -0.000_854_832_597_538_969_2,
        0.000_120_552_949_048_397_07, -1.492_473_690_741_966e-5, 1.644_742_470_331_736_2e-6,
        -1.620_848_380_187_170_5e-7, 1.372_006_454_677_768_6e-8, -7.795_898_827_002_142e-10],
    erfc up to 27.3: [1.237_512_630_837_827_5, -0.140_240_598_585_546_7, 0.003_585_415_485_463_439_6,
        0.082_276_738_490_113_37, -0.108_803_930_141_693_36, 0.092_304_321_161_495_6,
        -0.058_693_398_590_725_296, 0.028_362_277_400_827_144, -0.009_746_579_548_789_899,
        0.001_755_626_015_833_908_3, 0.000_293_713_636_550_851_93, -0.000_290_154_969_458_900_9,
        5.164_902_884_135_941_5e-5, 2.238_731_351_283_818_2e-5, -1.144_326_251_280_291_2e-5,
        -9.803_704_925_289_925e-7, 1.748_486_907_610_376_7e-6, -4.776_982_992_086_42e-8,
        -2.528_492_055_778_04e-7, 1.561_790_809_663_594_3e-8, 3.285_386_585_503_279_4e-8,
        -7.283_552_016_892_571e-10, -2.360_522_062_505_669e-9]);

#[cfg(test)]
mod tests {
    use super::*;

    /// The maximum error of `f` over `points` in units in the last place of `exact`'s value.
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
        let signed = || small().flat_map(|x| [x, -x]);
        let slack = if T::NAME == "f64" { 1.0 } else { 0.0 }; // `std` itself is not exact
        let cases = [
            ("exp", worst(range(-exp, exp), T::fast_exp, f64::exp), 2.0),
            ("expm1", worst(range(-40.0, 40.0).chain(signed()), T::fast_exp_m1, f64::exp_m1), 3.0),
            ("ln", worst(range(1e-9, 4.0).chain(range(1.0, 1e9)).chain(small()), T::fast_ln, f64::ln), 2.0),
            ("cbrt", worst(range(-1.4 * exp, 1.4 * exp).map(f64::exp2), T::fast_cbrt, f64::cbrt), 2.0),
            ("ln_1p", worst(range(-0.9, 50.0).chain(small()), T::fast_ln_1p, f64::ln_1p), 4.0),
            ("tanh", worst(range(-30.0, 30.0).chain(small()), T::fast_tanh, f64::tanh), 4.0),
            ("sigmoid", worst(range(-30.0, 30.0), T::fast_sigmoid, |x| 1.0 / (1.0 + (-x).exp())), 4.0),
            ("softplus", worst(range(-30.0, 30.0), T::fast_softplus, |x| x.exp().ln_1p()), 5.0),
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

    /// `(x, erf x, erfc x)` correctly rounded, by mpmath 1.3.
    #[rustfmt::skip]
    const ERF: [(f64, f64, f64); 28] = [
        (-6.5, -1.0, 2.0),
        (-3.3, -0.9999969422902035, 1.9999969422902035),
        (-1.7, -0.9837904585907745, 1.9837904585907746),
        (-0.7, -0.6778011938374184, 1.6778011938374184),
        (-0.2, -0.22270258921047847, 1.2227025892104786),
        (1e-10, 1.1283791670955126e-10, 0.999999999887162),
        (0.05, 0.05637197779701663, 0.9436280222029834),
        (0.17, 0.18999246120180882, 0.8100075387981912),
        (0.33, 0.359278654974359, 0.640721345025641),
        (0.5, 0.5204998778130465, 0.4795001221869535),
        (0.75, 0.7111556336535151, 0.28884436634648486),
        (0.9, 0.7969082124228322, 0.20309178757716786),
        (0.999, 0.8422852702064969, 0.15771472979350307),
        (1.0, 0.8427007929497149, 0.15729920705028513),
        (1.3, 0.9340079449406524, 0.06599205505934755),
        (1.8, 0.9890905016357308, 0.010909498364269283),
        (2.4, 0.999311486103355, 0.0006885138966450789),
        (3.1, 0.9999883513426328, 1.1648657367199589e-05),
        (3.9, 0.9999999652077514, 3.4792248597231765e-08),
        (4.8, 0.9999999999886479, 1.135214358492198e-11),
        (5.9, 0.9999999999999999, 7.190409783550478e-17),
        (7.3, 1.0, 5.502573750691923e-25),
        (9.1, 1.0, 6.696900427988607e-38),
        (11.3, 1.0, 1.7442148479967189e-57),
        (13.7, 1.0, 1.2613158337408749e-83),
        (16.9, 1.0, 3.047434563338118e-126),
        (20.3, 1.0, 2.985318180601636e-181),
        (26.4, 1.0, 4.4017768588035426e-305),
    ];

    #[test]
    fn the_error_function() {
        for (x, erf, erfc) in ERF {
            for (found, right, limit) in [(x.fast_erf(), erf, 2.0), (x.fast_erfc(), erfc, 3.0)] {
                let error = (found - right).abs() / (right.abs() * f64::EPSILON);
                assert!(error <= limit, "{x}: {found} for {right}, {error} ulp");
            }
        }
        // Single precision against double precision, which the table has just confirmed.
        let small = || range(-60.0, 0.0).map(|e| e.exp2());
        let erf = worst(range(-6.0, 6.0).chain(small()), f32::fast_erf, f64::fast_erf);
        let erfc = worst(range(-6.0, 9.0), f32::fast_erfc, f64::fast_erfc);
        assert!(erf <= 2.0 && erfc <= 3.0, "{erf} and {erfc} ulp");
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
        assert_eq!(T::zero().fast_cbrt(), T::zero());
        assert_eq!(inf.fast_cbrt(), inf);
        assert!(nan.fast_cbrt().is_nan());
        assert_eq!(inf.fast_tanh(), T::one());
        assert_eq!((-inf).fast_tanh(), -T::one());
        assert_eq!((-inf).fast_sigmoid(), T::zero());
        assert_eq!(inf.fast_sigmoid(), T::one());
        assert_eq!(inf.fast_exp_m1(), inf);
        assert_eq!((-inf).fast_exp_m1(), -T::one());
        assert_eq!(inf.fast_softplus(), inf);
        assert_eq!((-inf).fast_softplus(), T::zero());
        assert_eq!(inf.fast_erf(), T::one());
        assert_eq!((-inf).fast_erf(), -T::one());
        assert_eq!(inf.fast_erfc(), T::zero());
        assert_eq!((-inf).fast_erfc(), T::of(2.0));
        for f in [T::fast_exp, T::fast_exp_m1, T::fast_ln, T::fast_ln_1p, T::fast_tanh, T::fast_sigmoid] {
            assert!(f(nan).is_nan());
        }
        for f in [T::fast_softplus, T::fast_erf, T::fast_erfc] {
            assert!(f(nan).is_nan());
        }
    }

    #[test]
    fn infinities_and_nan() {
        edges::<f32>();
        edges::<f64>();
    }
}
