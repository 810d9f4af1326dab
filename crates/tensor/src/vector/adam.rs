//! The update step of Adam, as a kernel.

use crate::matmul::choice;
use crate::real::Real;
use crate::simd::operands::{AdamStep, Choice};

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
/// one step of Newton's method are as exact as a division to 2 ulp, and avoid the unit that root and division compete for. Where
/// [products are portable](crate::PortableProducts), it is not used.
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
    choice() != Choice::Portable && T::adam(step, params, grads, means)
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

    /// Some steps of the kernel, and the same steps of the formula; `None` where this CPU has no kernel.
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
        let mut rng = crate::seed::Seed(1).rng();
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
