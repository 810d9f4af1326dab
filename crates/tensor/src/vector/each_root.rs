//! Formulas with roots, in one pass over slices.

use super::each::each;
use super::operands::{part, part_mut};
use crate::matmul::choice;
use crate::real::Real;
use crate::simd::formula::{RootFormula, RootNumbers};
use crate::simd::operands::Choice;

impl<T: Real> RootNumbers for T {
    #[inline(always)]
    fn sqrt(self) -> Self {
        num_traits::Float::sqrt(self)
    }

    #[inline(always)]
    fn cbrt(self) -> Self {
        self.fast_cbrt()
    }

    #[inline(always)]
    fn at_most(self, limit: Self) -> Self {
        if self > limit { limit } else { self }
    }

    #[inline(always)]
    fn at_least(self, limit: Self) -> Self {
        if self < limit { limit } else { self }
    }
}

/// `[y₁, y₂, ...] = f(numbers, [x₁, x₂, ...], [y₁, y₂, ...])`, number by number, as [`each()`], for a formula with roots. See
/// [`each_root!`](crate::each_root!), which writes the formula.
///
/// The instruction for a root takes longer than reading and writing all that an update of parameters needs. In single precision with
/// AVX2 and AVX-512, roots are therefore estimates and one step of Newton's method or of a higher order, and a product and its sum
/// are rounded once; the last bits are those of the CPU's estimates. Where [products are portable](crate::PortableProducts), in double
/// precision and elsewhere, the formula runs as that of [`each()`], with the same bits on every CPU. In either case the result does not
/// depend on how slices are cut.
///
/// # Panics
///
/// If a slice is shorter than the first output.
#[inline]
pub fn each_root<T, F, const K: usize, const N: usize, const M: usize>(
    _formula: F,
    numbers: [T; K],
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
) where
    T: Real,
    F: RootFormula<K, N, M>,
{
    const { assert!(M > 0, "there is an output") };
    let n = outputs[0].len();
    let inputs = part(inputs, 0..n);
    let mut outputs = part_mut(outputs, n);
    if choice() != Choice::Portable && T::each_root::<F, K, N, M>(numbers, &inputs, &mut outputs) {
        return;
    }
    each(
        inputs,
        outputs,
        #[inline(always)]
        move |inputs, outputs| F::values(numbers, inputs, outputs),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PortableProducts;

    /// The square roots and the cube roots.
    fn roots(x: &[f32]) -> [Vec<f32>; 2] {
        let [mut square, mut cube] = [vec![0.0; x.len()], vec![0.0; x.len()]];
        crate::each_root!([square, cube] = |x;| [x.sqrt(), x.cbrt()]);
        [square, cube]
    }

    /// RootNumbers of every size, from subnormal ones to the largest.
    fn numbers(first: u32) -> impl Iterator<Item = f32> {
        let step = if cfg!(miri) { 20_000_003 } else { 20_011 };
        (first..f32::INFINITY.to_bits()).step_by(step).chain([f32::MAX.to_bits()]).map(f32::from_bits)
    }

    #[test]
    fn roots_are_as_exact_as_documented() {
        let error =
            |found: f32, right: f64| (f64::from(found) - right).abs() / (right * f64::from(f32::EPSILON));
        let x: Vec<f32> = numbers(f32::MIN_POSITIVE.to_bits()).collect();
        let [square, cube] = roots(&x);
        for (i, x) in x.iter().map(|&x| f64::from(x)).enumerate() {
            assert!(error(square[i], x.sqrt()) <= 1.0, "{x}: {}", square[i]);
            assert!(error(cube[i], x.cbrt()) <= 2.0, "{x}: {}", cube[i]);
        }
    }

    #[test]
    fn roots_of_subnormal_numbers() {
        let x: Vec<f32> = (1..f32::MIN_POSITIVE.to_bits()).step_by(10_007).map(f32::from_bits).collect();
        let [square, cube] = roots(&x);
        for (i, x) in x.into_iter().enumerate() {
            let right = f64::from(x).sqrt();
            assert!((f64::from(square[i]) - right).abs() <= 2e-7 * right, "{x}: {}", square[i]);
            assert!((0.0..=f64::from(x).cbrt() * 1.001).contains(&f64::from(cube[i])), "{x}: {}", cube[i]);
        }
    }

    #[test]
    fn roots_at_the_ends_of_the_range() {
        // In every lane, and among others: vectors with special numbers have a path of their own.
        for len in [1, 7, 8, 16, 17, 40] {
            for at in 0..len {
                for special in [0.0, -0.0, f32::INFINITY, f32::NAN, -1.0, f32::NEG_INFINITY] {
                    let mut x = vec![4.0; len];
                    x[at] = special;
                    let [square, cube] = roots(&x);
                    let right = special.sqrt();
                    let same =
                        square[at].to_bits() == right.to_bits() || square[at].is_nan() && right.is_nan();
                    assert!(same, "{special}: {}", square[at]);
                    if special.is_nan() || special >= 0.0 {
                        let right = special.cbrt();
                        assert!(
                            cube[at] == right || cube[at].is_nan() && right.is_nan(),
                            "{special}: {}",
                            cube[at]
                        );
                    }
                    let others = (0..len).filter(|&i| i != at);
                    others.for_each(|i| assert!(square[i] == 2.0 && (cube[i] - 4f32.cbrt()).abs() < 3e-7));
                }
            }
        }
    }

    /// An update as optimizers have them, whose epsilon may be 0.
    fn update<T: Real>(grads: &[T], [p, s]: [&mut [T]; 2], epsilon: T) {
        let (keep, rate, low, high) = (T::of(0.9), T::of(0.1), T::of(-2.0), T::of(2.0));
        crate::each_root!(
            [p, s] = |g: grads; keep, rate, low, high, epsilon| {
                let s = keep * s + g * g;
                [(p - rate * (g / (s.sqrt() + epsilon))).at_most(high).at_least(low), s]
            }
        );
    }

    fn updated<T: Real>(p: &[f64], grads: &[f64], s: &[f64], epsilon: f64) -> [Vec<f64>; 2] {
        let [mut p, g, mut s] = [p, grads, s].map(|x| x.iter().map(|&x| T::of(x)).collect::<Vec<_>>());
        update(&g, [&mut p, &mut s], T::of(epsilon));
        [p, s].map(|values| values.into_iter().map(T::as_f64).collect())
    }

    #[test]
    fn an_update_agrees_with_the_formula_number_by_number() {
        let ends = [0.0, 1e-30, 1e-10, 0.5, 3.0, 1e25, f64::INFINITY, f64::NAN];
        let cases = || ends.into_iter().flat_map(|g| ends.map(|s| [g, s]));
        let [grads, s]: [Vec<f64>; 2] =
            [cases().map(|[g, _]| g).collect(), cases().map(|[_, s]| s).collect()];
        let p = vec![1.0; s.len()];
        for epsilon in [0.0, 1e-10, 1e-8] {
            let found = updated::<f32>(&p, &grads, &s, epsilon);
            let right = {
                let _portable = PortableProducts::new(true);
                updated::<f32>(&p, &grads, &s, epsilon)
            };
            for (i, (found, right)) in found.iter().flatten().zip(right.iter().flatten()).enumerate() {
                let same = found == right || found.is_nan() && right.is_nan();
                assert!(
                    same || (found - right).abs() <= 3e-7 * right.abs(),
                    "{i} of {epsilon}: {found} {right}"
                );
            }
        }
    }

    #[test]
    fn the_result_does_not_depend_on_how_slices_are_cut() {
        let mut rng = crate::Seed(1).rng();
        let [grads, start]: [Vec<f32>; 2] = [0, 1].map(|_| (0..100).map(|_| rng.normal() as f32).collect());
        let whole = {
            let (mut p, mut s) = (start.clone(), vec![0.5; 100]);
            update(&grads, [&mut p, &mut s], 1e-8);
            [p, s]
        };
        for cut in [1, 7, 16, 33, 99] {
            let (mut p, mut s) = (start.clone(), vec![0.5; 100]);
            for range in [0..cut, cut..100] {
                update(&grads[range.clone()], [&mut p[range.clone()], &mut s[range]], 1e-8);
            }
            assert_eq!([p, s], whole, "{cut}");
        }
    }

    #[test]
    fn portable_and_double_numbers_are_those_of_each() {
        let values: Vec<f64> = (1..100).map(|i| f64::from(i) * 0.37).collect();
        let _portable = PortableProducts::new(true);
        for (found, x) in updated::<f32>(&values, &values, &values, 1e-8)[1].iter().zip(&values) {
            let x = *x as f32;
            assert_eq!(*found, f64::from(0.9 * x + x * x));
        }
        let [p, _] = updated::<f64>(&values, &values, &values, 1e-8);
        for (p, x) in p.into_iter().zip(values) {
            assert_eq!(p, (x - 0.1 * (x / ((0.9 * x + x * x).sqrt() + 1e-8))).clamp(-2.0, 2.0));
        }
    }
}
