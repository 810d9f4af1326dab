//! Softmax and its logarithm over many rows, and their gradients: the loops in which attention and classification spend their
//! time.
//!
//! Each works in place on contiguous rows of `classes` values, and panics if `classes` is 0. One call processes all rows, since a row
//! is often too short for a call of its own.

use super::lanes::LANES;
use super::reduce::{MaxLanes, Sums, larger};
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

/// About how many values go through the exponential in one loop: they stay in the first cache.
const BLOCK: usize = 1024;

/// The number of values from which on separate parts for each lane pay off.
const LONG: usize = 4 * LANES;

#[inline(always)]
fn max<T: Real>(row: &[T]) -> T {
    if row.len() < LONG {
        return row.iter().copied().fold(T::neg_infinity(), larger);
    }
    join(MaxLanes(row).run())
}

/// The maximum of the lanes. Not inlined, or the compiler would arrange the loop before it to suit this one.
#[inline(never)]
fn join<T: Real>(lanes: [T; LANES]) -> T {
    let (mut half, mut quarter) = ([T::zero(); 8], [T::zero(); 4]);
    for i in 0..8 {
        half[i] = larger(lanes[i], lanes[i + 8]);
    }
    for i in 0..4 {
        quarter[i] = larger(half[i], half[i + 4]);
    }
    larger(larger(quarter[0], quarter[2]), larger(quarter[1], quarter[3]))
}

/// `Σ f(aᵢ, bᵢ)`.
#[inline(always)]
fn sum<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    if a.len() < LONG {
        return a.iter().zip(b).fold(T::zero(), |sum, (&a, &b)| sum + f(a, b));
    }
    let [sum] = Sums::new(
        [a, b],
        #[inline(always)]
        |[a, b]: [T; 2]| [f(a, b)],
    )
    .run();
    sum
}

/// Rows of fewer values are added in one chain, and can be [interleaved](softmax_interleaved).
pub const SHORT_ROW: usize = LONG;

/// `zᵢ = zᵢ - max z` in each row.
#[inline(always)]
fn subtract_max<T: Real>(rows: &mut [T], classes: usize) {
    for row in rows.chunks_exact_mut(classes) {
        let max = max(row);
        for z in row {
            *z -= max;
        }
    }
}

struct Exponentials<'a, T> {
    values: &'a mut [T],
    classes: usize,
    maxima: &'a mut [T],
    sums: &'a mut [T],
}

impl<T: Real> Loop for Exponentials<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { values, classes, maxima, sums } = self;
        for (row, max) in values.chunks_exact_mut(classes).zip(maxima) {
            *max = self::max(row);
            for z in row {
                *z -= *max;
            }
        }
        for z in &mut *values {
            *z = z.fast_exp();
        }
        for (row, sum) in values.chunks_exact(classes).zip(sums) {
            *sum = self::sum(
                row,
                row,
                #[inline(always)]
                |e, _| e,
            );
        }
    }
}

/// `zᵢ = exp(zᵢ - max z)` in each row, with the maximum and the sum of these exponentials, from which a cross-entropy and its gradient
/// are computed.
///
/// # Panics
///
/// If there is not one maximum and one sum for each row.
#[inline]
pub fn exponentials<T: Real>(values: &mut [T], classes: usize, maxima: &mut [T], sums: &mut [T]) {
    let rows = values.len() / classes;
    assert!(maxima.len() == rows && sums.len() == rows, "a maximum and a sum for each row");
    run(Exponentials { values, classes, maxima, sums });
}

struct Softmax<'a, T> {
    values: &'a mut [T],
    classes: usize,
}

impl<T: Real> Loop for Softmax<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { values, classes } = self;
        for block in values.chunks_mut((BLOCK / classes).max(1) * classes) {
            subtract_max(block, classes);
            for z in &mut *block {
                *z = z.fast_exp();
            }
            for row in block.chunks_exact_mut(classes) {
                let sum = sum(
                    row,
                    row,
                    #[inline(always)]
                    |e, _| e,
                );
                for e in row {
                    *e /= sum;
                }
            }
        }
    }
}

/// `zᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)` in each row, computed from `z - max z`, so that nothing overflows.
#[inline]
pub fn softmax<T: Real>(values: &mut [T], classes: usize) {
    run(Softmax { values, classes });
}

struct InterleavedSoftmax<'a, T> {
    values: &'a mut [T],
    classes: usize,
    scale: T,
}

impl<T: Real> Loop for InterleavedSoftmax<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { values, classes, scale } = self;
        for rows in values.chunks_exact_mut(classes * LANES) {
            let mut max = [T::neg_infinity(); LANES];
            for z in rows.as_chunks_mut::<LANES>().0 {
                for i in 0..LANES {
                    z[i] = scale * z[i];
                    max[i] = larger(max[i], z[i]);
                }
            }
            let mut sum = [T::zero(); LANES];
            for z in rows.as_chunks_mut::<LANES>().0 {
                for i in 0..LANES {
                    z[i] = (z[i] - max[i]).fast_exp();
                    sum[i] += z[i];
                }
            }
            let sum = four_times(sum);
            let (fours, rest) = rows.as_chunks_mut::<FOUR>();
            for e in fours {
                for i in 0..FOUR {
                    e[i] /= sum[i];
                }
            }
            for (e, &sum) in rest.iter_mut().zip(&sum) {
                *e /= sum;
            }
        }
    }
}

/// Loops over interleaved values take four of each matrix at a time where nothing is added up: of a loop over one at a time the compiler
/// makes one that gathers those of a matrix.
const FOUR: usize = 4 * LANES;

#[inline(always)]
fn four_times<T: Real>(of_matrices: [T; LANES]) -> [T; FOUR] {
    let mut wide = [T::zero(); FOUR];
    for i in 0..FOUR {
        wide[i] = of_matrices[i % LANES];
    }
    wide
}

/// The [`softmax`] of `scale` times each row of [interleaved](crate::interleaved) matrices, with the same bits as one by one.
///
/// # Panics
///
/// If a row has [`SHORT_ROW`] classes or more.
#[inline]
pub fn softmax_interleaved<T: Real>(values: &mut [T], classes: usize, scale: T) {
    assert!(classes < SHORT_ROW, "longer rows are added in several chains");
    run(InterleavedSoftmax { values, classes, scale });
}

struct InterleavedGradient<'a, T> {
    a: &'a [T],
    d: &'a mut [T],
    classes: usize,
    scale: T,
}

impl<T: Real> Loop for InterleavedGradient<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, d, classes, scale } = self;
        assert_eq!(a.len(), d.len(), "one gradient for each value");
        let size = classes * LANES;
        for (a, d) in a.chunks_exact(size).zip(d.chunks_exact_mut(size)) {
            let mut mean = [T::zero(); LANES];
            for (a, d) in a.as_chunks::<LANES>().0.iter().zip(d.as_chunks::<LANES>().0) {
                for i in 0..LANES {
                    mean[i] += a[i] * d[i];
                }
            }
            let mean = four_times(mean);
            let (fours_of_a, rest_of_a) = a.as_chunks::<FOUR>();
            let (fours, rest) = d.as_chunks_mut::<FOUR>();
            for (a, d) in fours_of_a.iter().zip(fours) {
                for i in 0..FOUR {
                    d[i] = scale * (a[i] * (d[i] - mean[i]));
                }
            }
            for ((&a, d), &mean) in rest_of_a.iter().zip(rest).zip(&mean) {
                *d = scale * (a * (*d - mean));
            }
        }
    }
}

/// The gradient of the input of [`softmax_interleaved`], from its output `a` and the gradient of that.
///
/// # Panics
///
/// If a row has [`SHORT_ROW`] classes or more, or if `a` and `d` differ in length.
#[inline]
pub fn softmax_gradient_interleaved<T: Real>(a: &[T], d: &mut [T], classes: usize, scale: T) {
    assert!(classes < SHORT_ROW, "longer rows are added in several chains");
    run(InterleavedGradient { a, d, classes, scale });
}

struct LogSoftmax<'a, T> {
    values: &'a mut [T],
    classes: usize,
}

impl<T: Real> Loop for LogSoftmax<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { values, classes } = self;
        let mut scratch = [T::zero(); BLOCK];
        // The exponentials of short rows are computed together; those of long rows while they are summed.
        let short = classes < LONG;
        let rows = (BLOCK / classes).max(1);
        for block in values.chunks_mut(rows * classes) {
            subtract_max(block, classes);
            if short {
                for (e, z) in scratch.iter_mut().zip(&*block) {
                    *e = z.fast_exp();
                }
            }
            for (index, row) in block.chunks_exact_mut(classes).enumerate() {
                let sum = if short {
                    sum(
                        &scratch[index * classes..][..classes],
                        row,
                        #[inline(always)]
                        |e, _| e,
                    )
                } else {
                    sum(
                        row,
                        row,
                        #[inline(always)]
                        |z, _| z.fast_exp(),
                    )
                };
                let ln = sum.fast_ln();
                for z in row {
                    *z -= ln;
                }
            }
        }
    }
}

/// `zᵢ = zᵢ - ln Σⱼ exp(zⱼ)` in each row: the logarithm of a [`softmax`], exact also where that is nearly 0.
#[inline]
pub fn log_softmax<T: Real>(values: &mut [T], classes: usize) {
    run(LogSoftmax { values, classes });
}

/// A loop over the rows of an output `a` and of its gradient `d`, which becomes that of the input.
struct Gradient<'a, T, F> {
    a: &'a [T],
    d: &'a mut [T],
    classes: usize,
    row: F,
}

impl<T: Real, F: Fn(&[T], &mut [T])> Loop for Gradient<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, d, classes, row } = self;
        assert_eq!(a.len(), d.len(), "one gradient for each value");
        for (a, d) in a.chunks_exact(classes).zip(d.chunks_exact_mut(classes)) {
            row(a, d);
        }
    }
}

#[inline(always)]
fn gradient<T: Real>(a: &[T], d: &mut [T], classes: usize, row: impl Fn(&[T], &mut [T])) {
    run(Gradient { a, d, classes, row });
}

/// `dᵢ = aᵢ (dᵢ - Σⱼ aⱼ dⱼ)` in each row: from the gradient of the output `a` of a [`softmax`], that of its input.
///
/// # Panics
///
/// If `a` and `d` differ in length.
#[inline]
pub fn softmax_gradient<T: Real>(a: &[T], d: &mut [T], classes: usize) {
    gradient(
        a,
        d,
        classes,
        #[inline(always)]
        |a, d| {
            let mean = sum(
                a,
                d,
                #[inline(always)]
                |a, d| a * d,
            );
            for (d, &a) in d.iter_mut().zip(a) {
                *d = a * (*d - mean);
            }
        },
    );
}

/// `dᵢ = dᵢ - exp(aᵢ) Σⱼ dⱼ` in each row: from the gradient of the output `a` of a [`log_softmax`], that of its
/// input.
///
/// # Panics
///
/// If `a` and `d` differ in length.
#[inline]
pub fn log_softmax_gradient<T: Real>(a: &[T], d: &mut [T], classes: usize) {
    gradient(
        a,
        d,
        classes,
        #[inline(always)]
        |a, d| {
            let sum = sum(
                d,
                d,
                #[inline(always)]
                |d, _| d,
            );
            for (d, &a) in d.iter_mut().zip(a) {
                *d -= a.fast_exp() * sum;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// Row by row, as the formulas say.
    fn check<T: Real>(classes: usize, rows: usize) {
        let mut rng = Seed(7).rng();
        let mut random = || -> Vec<T> { (0..rows * classes).map(|_| T::of(3.0 * rng.normal())).collect() };
        let (z, d) = (random(), random());
        let (mut a, mut l) = (z.clone(), z.clone());
        softmax(&mut a, classes);
        log_softmax(&mut l, classes);
        let (mut e, mut maxima, mut sums) = (z.clone(), vec![T::zero(); rows], vec![T::zero(); rows]);
        exponentials(&mut e, classes, &mut maxima, &mut sums);
        let (mut da, mut dl) = (d.clone(), d.clone());
        softmax_gradient(&a, &mut da, classes);
        log_softmax_gradient(&l, &mut dl, classes);
        let close = |found: T, right: f64| {
            let error = (found.as_f64() - right).abs();
            assert!(error <= 40.0 * T::epsilon().as_f64() * right.abs().max(1.0), "{found} {right}");
        };
        for row in 0..rows {
            let of = |values: &[T]| -> Vec<f64> {
                values[row * classes..][..classes].iter().map(|v| v.as_f64()).collect()
            };
            let (z, d, a, l) = (of(&z), of(&d), of(&a), of(&l));
            let total: f64 = z.iter().map(|z| z.exp()).sum();
            let max = z.iter().copied().fold(f64::MIN, f64::max);
            assert_eq!(maxima[row].as_f64(), max);
            close(sums[row], total / max.exp());
            let product: f64 = a.iter().zip(&d).map(|(a, d)| a * d).sum();
            let sum: f64 = d.iter().sum();
            for i in 0..classes {
                close(T::of(a[i]), z[i].exp() / total);
                close(T::of(l[i]), z[i] - total.ln());
                close(e[row * classes + i], (z[i] - max).exp());
                close(da[row * classes + i], a[i] * (d[i] - product));
                close(dl[row * classes + i], d[i] - l[i].exp() * sum);
            }
        }
    }

    #[test]
    fn rows_of_any_length() {
        for (classes, rows) in [(1, 5), (2, 700), (10, 3), (16, 2), (63, 1), (64, 2), (100, 30), (1500, 2)] {
            check::<f32>(classes, rows);
            check::<f64>(classes, rows);
        }
    }

    fn check_interleaved<T: Real>(classes: usize, rows: usize) {
        let mut rng = Seed(8).rng();
        let mut random =
            || -> Vec<T> { (0..rows * classes * LANES).map(|_| T::of(3.0 * rng.normal())).collect() };
        let (z, dy, scale) = (random(), random(), T::of(0.3));
        let (mut a, mut d) = (z.clone(), dy.clone());
        softmax_interleaved(&mut a, classes, scale);
        softmax_gradient_interleaved(&a, &mut d, classes, scale);
        for matrix in 0..LANES {
            let of = |values: &[T]| -> Vec<T> { values[matrix..].iter().step_by(LANES).copied().collect() };
            let mut one: Vec<T> = of(&z).into_iter().map(|z| scale * z).collect();
            softmax(&mut one, classes);
            assert_eq!(of(&a), one, "{} {classes}", T::NAME);
            let mut gradient = of(&dy);
            softmax_gradient(&one, &mut gradient, classes);
            gradient.iter_mut().for_each(|d| *d = scale * *d);
            assert_eq!(of(&d), gradient, "{} {classes}", T::NAME);
        }
    }

    #[test]
    fn interleaved_rows_have_the_same_bits() {
        for classes in [1, 2, 16, 17, SHORT_ROW - 1] {
            check_interleaved::<f32>(classes, 3);
            check_interleaved::<f64>(classes, 3);
        }
    }

    #[test]
    #[should_panic(expected = "several chains")]
    fn long_interleaved_rows() {
        softmax_interleaved(&mut [0.0f32; SHORT_ROW * LANES], SHORT_ROW, 1.0);
    }

    #[test]
    fn nothing_overflows() {
        let inf = f32::INFINITY;
        let mut a = [1e4, 1e4, -1e4, -inf, 3e38, -3e38, 0.0, -inf];
        let mut l = a;
        softmax(&mut a, 4);
        assert_eq!(a, [0.5, 0.5, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        log_softmax(&mut l, 4);
        let half = -std::f32::consts::LN_2;
        assert_eq!(l, [half, half, -2e4 + half, -inf, 0.0, -inf, -3e38, -inf]);
        let mut d = [1.0; 8];
        log_softmax_gradient(&l, &mut d, 4);
        assert_eq!(d, [-1.0, -1.0, 1.0, 1.0, -3.0, 1.0, 1.0, 1.0]);
    }
}
