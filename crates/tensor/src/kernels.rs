//! Which hand-written kernels serve which type of number: one place for all of them, which no other file imports.
//!
//! A kernel for vectors of another width is one more call in one of these functions.

#[cfg(not(target_arch = "x86_64"))]
impl crate::simd::kernels::Kernels for f64 {}

#[cfg(not(target_arch = "x86_64"))]
impl crate::simd::kernels::Kernels for f32 {}

#[cfg(target_arch = "x86_64")]
mod double {
    use ndarray::{ArrayView2, ArrayViewMut2};

    use crate::matmul::panels::{self, Operands};
    use crate::simd::kernels::Kernels;
    use crate::simd::lanes::Avx2Double;
    use crate::simd::level::{Level, level};

    /// # Safety
    ///
    /// That of [`Operands::compute`], and the CPU has AVX2.
    unsafe fn product_with_avx2(operands: &Operands<'_, f64>) {
        // SAFETY: the caller's.
        unsafe { operands.compute::<Avx2Double>() }
    }

    impl Kernels for f64 {
        #[inline]
        fn small_product<const N: usize>(
            products: [(ArrayView2<'_, f64>, ArrayView2<'_, f64>); N],
            beta: f64,
            c: &mut ArrayViewMut2<'_, f64>,
        ) -> bool {
            // SAFETY: the CPU has AVX2.
            level() == Level::Avx2 && unsafe { panels::product(products, beta, c, product_with_avx2) }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod single {
    use ndarray::{ArrayView2, ArrayViewMut2};

    use crate::conv::im2col_avx512;
    use crate::matmul::panels::{self, Operands};
    use crate::matmul::{nt_avx512, small_avx512};
    use crate::simd::adam_avx512;
    use crate::simd::kernels::Kernels;
    use crate::simd::lanes::Avx2;
    use crate::simd::level::{Level, level};
    use crate::simd::operands::{AdamStep, ImplicitWindows, Init, Rectangles};

    /// # Safety
    ///
    /// That of [`Operands::compute`], and the CPU has AVX2.
    unsafe fn product_with_avx2(operands: &Operands<'_, f32>) {
        // SAFETY: the caller's.
        unsafe { operands.compute::<Avx2>() }
    }

    impl Kernels for f32 {
        #[inline]
        fn small_product<const N: usize>(
            products: [(ArrayView2<'_, f32>, ArrayView2<'_, f32>); N],
            beta: f32,
            c: &mut ArrayViewMut2<'_, f32>,
        ) -> bool {
            match level() {
                Level::Avx512 => small_avx512::product(products, beta, c),
                // SAFETY: the CPU has AVX2.
                Level::Avx2 => unsafe { panels::product(products, beta, c, product_with_avx2) },
                Level::Baseline => false,
            }
        }

        fn has_implicit_products() -> bool {
            level() >= Level::Avx512
        }

        fn implicit_product(
            windows: ImplicitWindows<'_>,
            a: &ArrayView2<'_, f32>,
            values: &[f32],
            init: Init<'_, f32>,
            c: &mut ArrayViewMut2<'_, f32>,
        ) -> bool {
            small_avx512::implicit_product(windows, a, values, init, c)
        }

        fn add_implicit_product_transposed(
            windows: ImplicitWindows<'_>,
            a: &ArrayView2<'_, f32>,
            values: &[f32],
            c: &mut ArrayViewMut2<'_, f32>,
        ) -> bool {
            nt_avx512::add_implicit_product_transposed(windows, a, values, c)
        }

        fn im2col(rectangles: Rectangles<'_>, image: &[f32], patches: &mut [f32]) -> bool {
            im2col_avx512::im2col(rectangles, image, patches)
        }

        fn col2im(rectangles: Rectangles<'_>, patches: &[f32], image: &mut [f32]) -> bool {
            im2col_avx512::col2im(rectangles, patches, image)
        }

        fn adam(step: AdamStep<f32>, params: &mut [f32], grads: &[f32], means: [&mut [f32]; 2]) -> bool {
            adam_avx512::step(step, params, grads, means)
        }
    }
}
