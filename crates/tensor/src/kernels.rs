//! Which hand-written kernels serve which type of number: one place for all of them, which no other file imports.
//!
//! A kernel for vectors of another width is one more call in one of these functions.

use ndarray::{ArrayView2, ArrayViewMut2};

#[cfg(target_arch = "x86_64")]
use crate::conv::im2col_avx512;
use crate::matmul::interleaved;
use crate::matmul::panels::{self, Compute};
#[cfg(target_arch = "x86_64")]
use crate::matmul::{nt_avx512, small_avx512};
use crate::real::Real;
#[cfg(target_arch = "x86_64")]
use crate::simd::adam_avx512;
#[cfg(target_arch = "x86_64")]
use crate::simd::formula::RootFormula;
#[cfg(target_arch = "x86_64")]
use crate::simd::formula_lanes::root_lanes;
use crate::simd::interleaved_operands::{Interleave, Product, Separate};
use crate::simd::kernels::Kernels;
#[cfg(target_arch = "x86_64")]
use crate::simd::lanes::{Avx2, Avx2Double, Avx512, Avx512Double};
use crate::simd::lanes::{Lanes, Plain};
#[cfg(target_arch = "aarch64")]
use crate::simd::lanes::{Neon, NeonDouble};
use crate::simd::level::{Level, level};
#[cfg(target_arch = "x86_64")]
use crate::simd::operands::{AdamStep, Rectangles};
use crate::simd::operands::{Choice, ImplicitWindows, Init, Transpose, Used};
use crate::vector::{convert, copy_squares};

/// The lanes for one type of number at each level. Those of another architecture are plain ones, which nothing runs.
trait Vectors: Real {
    type Avx2: Lanes<Number = Self>;
    type Avx512: Lanes<Number = Self>;
    type Neon: Lanes<Number = Self>;
}

#[cfg(target_arch = "x86_64")]
impl Vectors for f32 {
    type Avx2 = Avx2;
    type Avx512 = Avx512;
    type Neon = Plain<f32>;
}

#[cfg(target_arch = "x86_64")]
impl Vectors for f64 {
    type Avx2 = Avx2Double;
    type Avx512 = Avx512Double;
    type Neon = Plain<f64>;
}

#[cfg(target_arch = "aarch64")]
impl Vectors for f32 {
    type Avx2 = Plain<f32>;
    type Avx512 = Plain<f32>;
    type Neon = Neon;
}

#[cfg(target_arch = "aarch64")]
impl Vectors for f64 {
    type Avx2 = Plain<f64>;
    type Avx512 = Plain<f64>;
    type Neon = NeonDouble;
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
impl<T: Real> Vectors for T {
    type Avx2 = Plain<T>;
    type Avx512 = Plain<T>;
    type Neon = Plain<T>;
}

/// The lanes for products of one type of number on this CPU.
fn best_lanes<T: Vectors>(choice: Choice) -> Option<Compute<T>> {
    // SAFETY: the CPU has the instructions, and the plain numbers need none.
    unsafe {
        match (level(), choice) {
            (Level::Baseline, Choice::Faster) => None,
            // Accelerate has a unit of Apple's CPUs for products.
            (Level::Neon, Choice::Faster) if cfg!(feature = "accelerate") => None,
            (Level::Baseline, Choice::Always | Choice::Portable) => Some(Compute::with::<Plain<T>>()),
            (Level::Avx2, _) => Some(Compute::with::<T::Avx2>()),
            (Level::Avx512, _) => Some(Compute::with::<T::Avx512>()),
            (Level::Neon, _) => Some(Compute::with::<T::Neon>()),
        }
    }
}

/// Calls a function for the lanes of this CPU.
macro_rules! with_lanes {
    ($T:ident, $($function:ident)::+, $of:expr) => {
        // SAFETY: the CPU has the instructions, and the plain numbers need none.
        unsafe {
            match level() {
                Level::Baseline => $($function)::+::<Plain<$T>>($of),
                Level::Avx2 => $($function)::+::<<$T as Vectors>::Avx2>($of),
                Level::Avx512 => $($function)::+::<<$T as Vectors>::Avx512>($of),
                Level::Neon => $($function)::+::<<$T as Vectors>::Neon>($of),
            }
        }
    };
}

impl Kernels for f64 {
    fn transpose(of: Transpose<'_, f64>) {
        with_lanes!(f64, copy_squares, of);
    }

    fn interleave(of: Interleave<'_, f64>) {
        with_lanes!(f64, interleaved::interleave_with, of);
    }

    fn separate(of: Separate<'_, f64>) {
        with_lanes!(f64, interleaved::separate_with, of);
    }

    fn interleaved_product(of: Product<'_, f64>) {
        with_lanes!(f64, interleaved::multiply_with, of);
    }

    fn from_u8(bytes: &[u8], values: &mut [f64], scale: f64) {
        convert(bytes, values, scale);
    }

    fn product(
        choice: Choice,
        alpha: f64,
        products: &[(ArrayView2<'_, f64>, ArrayView2<'_, f64>)],
        used: Used<'_>,
        beta: f64,
        c: &mut ArrayViewMut2<'_, f64>,
    ) -> bool {
        best_lanes(choice)
            .is_some_and(|compute| panels::product(choice, alpha, products, used, beta, c, compute))
    }

    fn has_implicit_products(choice: Choice) -> bool {
        best_lanes::<Self>(choice).is_some()
    }

    fn implicit_product(
        choice: Choice,
        windows: ImplicitWindows<'_>,
        a: &ArrayView2<'_, f64>,
        values: &[f64],
        init: Init<'_, f64>,
        c: &mut ArrayViewMut2<'_, f64>,
    ) -> bool {
        best_lanes(choice)
            .is_some_and(|compute| panels::implicit_product(windows, a, values, init, c, compute))
    }

    fn add_implicit_product_transposed(
        choice: Choice,
        windows: ImplicitWindows<'_>,
        a: &ArrayView2<'_, f64>,
        values: &[f64],
        c: &mut ArrayViewMut2<'_, f64>,
    ) -> bool {
        best_lanes(choice)
            .is_some_and(|compute| panels::add_implicit_product_transposed(windows, a, values, c, compute))
    }
}

/// Whether the kernels for AVX-512 may be used, whose sums have another order.
#[cfg(target_arch = "x86_64")]
fn is_avx512(choice: Choice) -> bool {
    level() == Level::Avx512 && choice != Choice::Portable
}

impl Kernels for f32 {
    fn transpose(of: Transpose<'_, f32>) {
        with_lanes!(f32, copy_squares, of);
    }

    fn interleave(of: Interleave<'_, f32>) {
        with_lanes!(f32, interleaved::interleave_with, of);
    }

    fn separate(of: Separate<'_, f32>) {
        with_lanes!(f32, interleaved::separate_with, of);
    }

    fn interleaved_product(of: Product<'_, f32>) {
        with_lanes!(f32, interleaved::multiply_with, of);
    }

    fn from_u8(bytes: &[u8], values: &mut [f32], scale: f32) {
        convert(bytes, values, scale);
    }

    fn product(
        choice: Choice,
        alpha: f32,
        products: &[(ArrayView2<'_, f32>, ArrayView2<'_, f32>)],
        used: Used<'_>,
        beta: f32,
        c: &mut ArrayViewMut2<'_, f32>,
    ) -> bool {
        #[cfg(target_arch = "x86_64")]
        if is_avx512(choice) && alpha == 1.0 && small_avx512::product(products, used, beta, c) {
            return true;
        }
        best_lanes(choice)
            .is_some_and(|compute| panels::product(choice, alpha, products, used, beta, c, compute))
    }

    fn has_implicit_products(choice: Choice) -> bool {
        best_lanes::<Self>(choice).is_some()
    }

    #[cfg(target_arch = "x86_64")]
    fn has_masked_products(choice: Choice) -> bool {
        is_avx512(choice)
    }

    fn implicit_product(
        choice: Choice,
        windows: ImplicitWindows<'_>,
        a: &ArrayView2<'_, f32>,
        values: &[f32],
        init: Init<'_, f32>,
        c: &mut ArrayViewMut2<'_, f32>,
    ) -> bool {
        #[cfg(target_arch = "x86_64")]
        if is_avx512(choice) && small_avx512::implicit_product(windows, a, values, init, c) {
            return true;
        }
        best_lanes(choice)
            .is_some_and(|compute| panels::implicit_product(windows, a, values, init, c, compute))
    }

    fn add_implicit_product_transposed(
        choice: Choice,
        windows: ImplicitWindows<'_>,
        a: &ArrayView2<'_, f32>,
        values: &[f32],
        c: &mut ArrayViewMut2<'_, f32>,
    ) -> bool {
        #[cfg(target_arch = "x86_64")]
        if is_avx512(choice) && nt_avx512::add_implicit_product_transposed(windows, a, values, c) {
            return true;
        }
        best_lanes(choice)
            .is_some_and(|compute| panels::add_implicit_product_transposed(windows, a, values, c, compute))
    }

    #[cfg(target_arch = "x86_64")]
    fn im2col(rectangles: Rectangles<'_>, image: &[f32], patches: &mut [f32]) -> bool {
        im2col_avx512::im2col(rectangles, image, patches)
    }

    #[cfg(target_arch = "x86_64")]
    fn col2im(rectangles: Rectangles<'_>, patches: &[f32], image: &mut [f32]) -> bool {
        im2col_avx512::col2im(rectangles, patches, image)
    }

    #[cfg(target_arch = "x86_64")]
    fn adam(step: AdamStep<f32>, params: &mut [f32], grads: &[f32], means: [&mut [f32]; 2]) -> bool {
        adam_avx512::step(step, params, grads, means)
    }

    #[cfg(target_arch = "x86_64")]
    fn each_root<F: RootFormula<K, N, M>, const K: usize, const N: usize, const M: usize>(
        numbers: [f32; K],
        inputs: &[&[f32]; N],
        outputs: &mut [&mut [f32]; M],
    ) -> bool {
        match level() {
            // SAFETY: here and below, the CPU has the instructions.
            Level::Avx512 => unsafe { root_lanes::<Avx512, F, K, N, M>(numbers, inputs, outputs) },
            // SAFETY: as above.
            Level::Avx2 => unsafe { root_lanes::<Avx2, F, K, N, M>(numbers, inputs, outputs) },
            Level::Baseline | Level::Neon => return false,
        }
        true
    }
}
