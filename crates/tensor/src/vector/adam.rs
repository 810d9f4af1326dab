//! The update step of Adam, as a kernel.

use crate::Real;

/// The numbers of one step of Adam, the same for all parameters.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<T> {
    /// The share of the new gradient, and of its square, in the running means: `1 - β₁` and `1 - β₂`.
    pub one_minus_betas: [T; 2],
    /// The learning rate, with the bias corrections of both means.
    pub rate: T,
    /// The smallest denominator, with the bias correction of the second mean.
    pub epsilon: T,
    /// What the parameters are multiplied by first: 1 without weight decay.
    pub shrink: T,
}

/// One step of Adam by a kernel for this CPU and this type of number, which returns `true`; or `false` where there is none,
/// and nothing is done.
///
/// ```text
/// m ← m + (1 - β₁) (g - m)
/// v ← v + (1 - β₂) (g² - v)      no more than the largest finite number
/// p ← shrink p - rate m / (√v + epsilon)
/// ```
///
/// The formula belongs to the optimizer, which runs it as a closure where the answer is `false`. It has a kernel because a
/// root and a division for each parameter are slow: in single precision with AVX-512, an estimate of `1 / (√v + epsilon)` and
/// one step of Newton's method are as exact as a division to 2 ulp, and avoid the unit that root and division compete for.
///
/// # Panics
///
/// If the slices differ in length.
#[must_use = "`false` means that nothing was done"]
pub fn adam_kernel<T: Real>(step: AdamStep<T>, params: &mut [T], grads: &[T], means: [&mut [T]; 2]) -> bool {
    let len = params.len();
    assert!(
        grads.len() == len && means.iter().all(|mean| mean.len() == len),
        "a gradient and two means for each parameter"
    );
    T::adam(step, params, grads, means)
}

/// [`adam_kernel`] for slices of one length where the CPU has AVX-512; else `false`, and nothing is done.
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
    let AdamStep { one_minus_betas, rate, epsilon, shrink } = step;
    let [new_m, new_v] = one_minus_betas.map(|number| _mm512_set1_ps(number));
    let [rate, epsilon, shrink] = [rate, epsilon, shrink].map(|number| _mm512_set1_ps(number));
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
            let m = _mm512_fmadd_ps(new_m, _mm512_sub_ps(g, m), m);
            let v = _mm512_maskz_loadu_ps(lanes, squares.add(at));
            let v = _mm512_fmadd_ps(new_v, _mm512_fmsub_ps(g, g, v), v);
            // Of a NaN and a number the instruction takes the second.
            let v = _mm512_min_ps(most, v);
            let root = _mm512_add_ps(_mm512_sqrt_ps(v), epsilon);
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

    /// The formula, in double precision.
    fn formula(step: AdamStep<f64>, grads: &[f64], [p, m, v]: &mut [Vec<f64>; 3]) {
        let AdamStep { one_minus_betas: [new_m, new_v], rate, epsilon, shrink } = step;
        for (i, g) in grads.iter().enumerate() {
            m[i] += new_m * (g - m[i]);
            v[i] += new_v * (g * g - v[i]);
            p[i] = shrink * p[i] - rate * (m[i] / (v[i].sqrt() + epsilon));
        }
    }

    /// Some steps of the kernel, and of the formula beside them; `None` where this CPU has no kernel.
    fn trained(shrink: f64, grads: &[f64]) -> Option<[[Vec<f64>; 3]; 2]> {
        let (one_minus_betas, rate, epsilon) = ([0.1, 0.001], 0.01, 1e-8);
        let step = AdamStep {
            one_minus_betas: one_minus_betas.map(|number: f64| number as f32),
            rate: rate as f32,
            epsilon: epsilon as f32,
            shrink: shrink as f32,
        };
        let exact = AdamStep { one_minus_betas, rate, epsilon, shrink };
        let mut right = [1.0, 0.0, 0.0].map(|value| vec![value; grads.len()]);
        let mut found = [1.0f32, 0.0, 0.0].map(|value| vec![value; grads.len()]);
        for factor in [1.0, -0.5, 3.0, 0.0] {
            let grads: Vec<f64> = grads.iter().map(|g| g * factor).collect();
            let single: Vec<f32> = grads.iter().map(|&g| g as f32).collect();
            let [p, m, v] = &mut found;
            if !adam_kernel(step, p, &single, [m, v]) {
                return None;
            }
            formula(exact, &grads, &mut right);
        }
        Some([found.map(|values| values.into_iter().map(f64::from).collect()), right])
    }

    #[test]
    fn the_kernel_is_as_exact_as_the_formula() {
        let mut rng = crate::Seed(1).rng();
        for len in [0, 1, 15, 16, 17, 100] {
            let grads: Vec<f64> = (0..len).map(|i| rng.normal() * 10f64.powi(i % 12 - 8)).collect();
            for shrink in [1.0, 0.9] {
                let Some([found, right]) = trained(shrink, &grads) else { return };
                for (found, right) in found.iter().flatten().zip(right.iter().flatten()) {
                    assert!((found - right).abs() <= 1e-6 * right.abs(), "{found} {right}");
                }
            }
        }
    }

    #[test]
    fn numbers_at_the_ends_of_the_range() {
        // Squares beyond the range, none at all, and the smallest.
        let Some([[p, _, v], _]) = trained(1.0, &[1e25, 0.0, 1e-30]) else { return };
        assert!(p.iter().chain(&v).all(|value| value.is_finite()), "{p:?} {v:?}");
        assert_eq!((p[1], v[1]), (1.0, 0.0));
        let Some([[p, ..], _]) = trained(1.0, &[f64::NAN]) else { return };
        assert!(p[0].is_nan(), "a NaN is not hidden");
    }

    #[test]
    fn double_precision_is_left_to_the_formula() {
        let step = AdamStep { one_minus_betas: [0.1, 0.1], rate: 0.1, epsilon: 0.1, shrink: 1.0 };
        let (mut p, mut m, mut v) = ([1.0f64], [2.0], [3.0]);
        assert!(!adam_kernel(step, &mut p, &[1.0], [&mut m, &mut v]));
        assert_eq!([p, m, v], [[1.0], [2.0], [3.0]]);
    }

    #[test]
    #[should_panic(expected = "a gradient and two means")]
    fn slices_of_other_lengths() {
        let step = AdamStep { one_minus_betas: [0.1, 0.1], rate: 0.1, epsilon: 0.1, shrink: 1.0 };
        let _ = adam_kernel(step, &mut [0.0], &[0.0, 1.0], [&mut [0.0], &mut [0.0]]);
    }
}
