//! The descent of Adam, which has a kernel of its own.

use crate::Real;
use crate::isa::{Kernel, run};

/// The numbers of one step of [`adam`], the same for all parameters.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<T> {
    /// How much of the new gradient, and of its square, enters the running means: `1 - β₁` and `1 - β₂`.
    pub rests: [T; 2],
    /// The learning rate with the corrections of both means.
    pub rate: T,
    /// The least denominator, with the correction of the second mean.
    pub least: T,
    /// What parameters are multiplied with before: 1 without weight decay.
    pub shrink: T,
}

struct Plain<'a, T> {
    step: AdamStep<T>,
    params: &'a mut [T],
    grads: &'a [T],
    means: [&'a mut [T]; 2],
}

impl<T: Real> Kernel for Plain<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { step, params, grads, means: [m, v] } = self;
        let AdamStep { rests: [rest1, rest2], rate, least, shrink } = step;
        let most = T::max_value();
        for (((p, &g), m), v) in params.iter_mut().zip(grads).zip(m).zip(v) {
            *m += rest1 * (g - *m);
            let square = *v + rest2 * (g * g - *v);
            // So written, NaN stays NaN.
            *v = if square > most { most } else { square };
            *p = shrink * *p - rate * (*m / (v.sqrt() + least));
        }
    }
}

/// One step of Adam for every parameter `p` with its gradient `g` and the running means `m` and `v`:
///
/// ```text
/// m ← m + (1 - β₁) (g - m)
/// v ← v + (1 - β₂) (g² - v)      no more than the greatest finite number
/// p ← shrink p - rate m / (√v + least)
/// ```
///
/// Any other optimizer is a closure for [`update`](super::update). This one has a kernel, since a root and a division for
/// each parameter are slow: where the CPU has AVX-512, single precision takes an estimate of `1 / (√v + least)` with one
/// step of Newton's method, which is as exact as a division to 2 ulp and keeps clear of the unit that both would wait for.
///
/// # Panics
///
/// If the slices differ in length.
pub fn adam<T: Real>(step: AdamStep<T>, params: &mut [T], grads: &[T], means: [&mut [T]; 2]) {
    let len = params.len();
    assert!(
        grads.len() == len && means.iter().all(|mean| mean.len() == len),
        "a gradient and two means for each parameter"
    );
    let [m, v] = means;
    if !T::adam(step, params, grads, [&mut *m, &mut *v]) {
        run(Plain { step, params, grads, means: [m, v] });
    }
}

/// [`adam`] for slices of one length where the CPU has AVX-512; else `false`, and nothing is done.
#[cfg(target_arch = "x86_64")]
pub(crate) fn fast(step: AdamStep<f32>, params: &mut [f32], grads: &[f32], means: [&mut [f32]; 2]) -> bool {
    use crate::isa::{Level, level};
    if level() < Level::Avx512 {
        return false;
    }
    // SAFETY: the CPU has AVX-512, and the slices are of one length.
    unsafe {
        match step.shrink == 1.0 {
            true => descend::<false>(step, params, grads, means),
            false => descend::<true>(step, params, grads, means),
        }
    }
    true
}

/// # Safety
///
/// The CPU has AVX-512, and no slice is shorter than the parameters.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn descend<const SHRINKS: bool>(
    step: AdamStep<f32>,
    params: &mut [f32],
    grads: &[f32],
    [m, v]: [&mut [f32]; 2],
) {
    use std::arch::x86_64::*;

    use crate::direct::{LANES, mask};
    let AdamStep { rests, rate, least, shrink } = step;
    let [rest1, rest2] = rests.map(|number| _mm512_set1_ps(number));
    let [rate, least, shrink] = [rate, least, shrink].map(|number| _mm512_set1_ps(number));
    let [one, most] = [1.0, f32::MAX].map(|number| _mm512_set1_ps(number));
    let len = params.len();
    let (params, grads, means, squares) =
        (params.as_mut_ptr(), grads.as_ptr(), m.as_mut_ptr(), v.as_mut_ptr());
    let mut at = 0;
    while at < len {
        let lanes = mask(len - at);
        // SAFETY: the lanes of the mask are within all four slices, and a masked access touches no others.
        unsafe {
            let g = _mm512_maskz_loadu_ps(lanes, grads.add(at));
            let m = _mm512_maskz_loadu_ps(lanes, means.add(at));
            let m = _mm512_fmadd_ps(rest1, _mm512_sub_ps(g, m), m);
            let v = _mm512_maskz_loadu_ps(lanes, squares.add(at));
            let v = _mm512_fmadd_ps(rest2, _mm512_fmsub_ps(g, g, v), v);
            // Of a NaN and a number the instruction takes the second.
            let v = _mm512_min_ps(most, v);
            let root = _mm512_add_ps(_mm512_sqrt_ps(v), least);
            // Newton: if q ≈ 1 / root with an error of e = 1 - q root, then m q (1 + e) has one of e².
            let q = _mm512_rcp14_ps(root);
            let e = _mm512_fnmadd_ps(root, q, one);
            let d = _mm512_mul_ps(m, q);
            let d = _mm512_fmadd_ps(e, d, d);
            let mut p = _mm512_maskz_loadu_ps(lanes, params.add(at));
            if SHRINKS {
                p = _mm512_mul_ps(shrink, p);
            }
            _mm512_mask_storeu_ps(params.add(at), lanes, _mm512_fnmadd_ps(rate, d, p));
            _mm512_mask_storeu_ps(means.add(at), lanes, m);
            _mm512_mask_storeu_ps(squares.add(at), lanes, v);
        }
        at += LANES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some steps from zeros, in this type.
    fn trained<T: Real>(step: AdamStep<f64>, grads: &[f64], kernel: bool) -> [Vec<T>; 3] {
        let AdamStep { rests, rate, least, shrink } = step;
        let [rate, least, shrink] = [rate, least, shrink].map(T::of);
        let step = AdamStep { rests: rests.map(T::of), rate, least, shrink };
        let len = grads.len();
        let [mut p, mut m, mut v] = [1.0, 0.0, 0.0].map(|value| vec![T::of(value); len]);
        for factor in [1.0, -0.5, 3.0, 0.0] {
            let grads: Vec<T> = grads.iter().map(|&g| T::of(g * factor)).collect();
            match kernel {
                true => adam(step, &mut p, &grads, [&mut m, &mut v]),
                false => Plain { step, params: &mut p, grads: &grads, means: [&mut m, &mut v] }.run(),
            }
        }
        [p, m, v]
    }

    #[test]
    fn the_kernel_is_as_exact_as_the_formula() {
        let mut rng = crate::Seed(1).rng();
        for len in [0, 1, 15, 16, 17, 100] {
            let grads: Vec<f64> = (0..len).map(|i| rng.normal() * 10f64.powi(i % 12 - 8)).collect();
            for shrink in [1.0, 0.9] {
                let step = AdamStep { rests: [0.1, 0.001], rate: 0.01, least: 1e-8, shrink };
                let right = trained::<f64>(step, &grads, false);
                for kernel in [true, false] {
                    let found = trained::<f32>(step, &grads, kernel);
                    for (found, right) in found.iter().flatten().zip(right.iter().flatten()) {
                        let error = (f64::from(*found) - right).abs();
                        assert!(error <= 1e-6 * right.abs(), "{found} {right} {kernel}");
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_at_the_ends_of_the_range() {
        let step = AdamStep { rests: [0.1, 0.001], rate: 0.01, least: 1e-8, shrink: 1.0 };
        for kernel in [true, false] {
            // Squares above the range, none at all, and the least.
            let [p, _, v] = trained::<f32>(step, &[1e25, 0.0, 1e-30], kernel);
            assert!(p.iter().chain(&v).all(|value| value.is_finite()), "{p:?} {v:?}");
            assert_eq!((p[1], v[1]), (1.0, 0.0));
            let [p, ..] = trained::<f32>(step, &[f64::NAN], kernel);
            assert!(p[0].is_nan(), "what is no number is not hidden");
        }
    }

    #[test]
    #[should_panic(expected = "a gradient and two means")]
    fn slices_of_other_lengths() {
        let step = AdamStep { rests: [0.1, 0.1], rate: 0.1, least: 0.1, shrink: 1.0 };
        adam(step, &mut [0.0], &[0.0, 1.0], [&mut [0.0], &mut [0.0]]);
    }
}
