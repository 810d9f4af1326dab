//! Reductions of many numbers to one: the maximum, and sums of values, squares, terms and chunks.

use super::lanes::LANES;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

pub(super) struct FoldLanes<'a, T, F> {
    pub(super) values: &'a [T],
    pub(super) f: F,
}

impl<T: Real, F: Fn(T, T) -> T> Loop for FoldLanes<'_, T, F> {
    type Output = [T; LANES];
    #[inline(always)]
    fn run(self) -> [T; LANES] {
        let Self { values, f } = self;
        let (chunks, rest) = values.as_chunks::<LANES>();
        // Only called with enough values for all lanes.
        let Some((first, chunks)) = chunks.split_first() else { unreachable!("at least LANES values") };
        let mut parts = *first;
        for chunk in chunks {
            for (part, &value) in parts.iter_mut().zip(chunk) {
                *part = f(*part, value);
            }
        }
        for (part, &value) in parts.iter_mut().zip(rest) {
            *part = f(*part, value);
        }
        parts
    }
}

/// Folds with an associative `f`, in 16 interleaved parts; `empty` if there are no values.
#[inline(always)]
fn fold<T: Real>(values: &[T], empty: T, f: impl Fn(T, T) -> T + Copy) -> T {
    if values.len() < LANES {
        return values.iter().copied().reduce(f).unwrap_or(empty);
    }
    let parts = run(FoldLanes { values, f });
    parts.into_iter().reduce(f).unwrap_or(empty)
}

/// The sum of the values.
#[inline]
pub fn sum<T: Real>(values: &[T]) -> T {
    fold(
        values,
        T::zero(),
        #[inline(always)]
        |a, b| a + b,
    )
}

/// The maximum, -∞ if there are no values. NaN is ignored.
#[inline]
pub fn max<T: Real>(values: &[T]) -> T {
    fold(
        values,
        T::neg_infinity(),
        #[inline(always)]
        |a, b| if b > a { b } else { a },
    )
}

struct SumSquares<'a, T>(&'a [T]);

impl<T: Real> Loop for SumSquares<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run(self) -> f64 {
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let mut parts = [0.0f64; LANES];
        for chunk in chunks {
            for (part, value) in parts.iter_mut().zip(chunk) {
                let value = value.as_f64();
                *part += value * value;
            }
        }
        for (part, value) in parts.iter_mut().zip(rest) {
            let value = value.as_f64();
            *part += value * value;
        }
        parts.iter().sum()
    }
}

/// The sum of the squares, in double precision: without overflow, and without loss of precision over millions of values.
#[inline]
pub fn sum_squares<T: Real>(values: &[T]) -> f64 {
    run(SumSquares(values))
}

pub(super) struct Sums<'a, T, const N: usize, F> {
    inputs: [&'a [T]; N],
    f: F,
}

impl<'a, T, const N: usize, F> Sums<'a, T, N, F> {
    #[inline(always)]
    pub(super) fn new(inputs: [&'a [T]; N], f: F) -> Self {
        Self { inputs, f }
    }
}

impl<T, const N: usize, const K: usize, F> Loop for Sums<'_, T, N, F>
where
    T: Real,
    F: Fn([T; N]) -> [T; K],
{
    type Output = [T; K];
    #[inline(always)]
    fn run(self) -> [T; K] {
        let Self { inputs, f } = self;
        let n = inputs[0].len();
        let chunks = inputs.map(|input| input[..n].as_chunks::<LANES>());
        // Two sets of parts, since with one each addition would wait for the previous one.
        let (mut even, mut odd) = ([[T::zero(); LANES]; K], [[T::zero(); LANES]; K]);
        let pairs = n / (2 * LANES);
        for j in 0..pairs {
            let left = terms(chunks.map(|(chunks, _)| &chunks[2 * j]), &f);
            let right = terms(chunks.map(|(chunks, _)| &chunks[2 * j + 1]), &f);
            for k in 0..K {
                for i in 0..LANES {
                    even[k][i] += left[k][i];
                    odd[k][i] += right[k][i];
                }
            }
        }
        if 2 * pairs < n / LANES {
            let left = terms(chunks.map(|(chunks, _)| &chunks[2 * pairs]), &f);
            for k in 0..K {
                for i in 0..LANES {
                    even[k][i] += left[k][i];
                }
            }
        }
        let mut parts = [[T::zero(); LANES]; K];
        for k in 0..K {
            for i in 0..LANES {
                parts[k][i] = even[k][i] + odd[k][i];
            }
        }
        let rest = chunks.map(|(_, rest)| rest);
        for i in 0..n % LANES {
            let terms = f(rest.map(|rest| rest[i]));
            for k in 0..K {
                parts[k][i] += terms[k];
            }
        }
        parts.map(total)
    }
}

/// `f` of each number of a chunk.
#[inline(always)]
fn terms<T: Real, const N: usize, const K: usize>(
    chunk: [&[T; LANES]; N],
    f: &impl Fn([T; N]) -> [T; K],
) -> [[T; LANES]; K] {
    let mut terms = [[T::zero(); LANES]; K];
    for i in 0..LANES {
        let values = f(chunk.map(|chunk| chunk[i]));
        for k in 0..K {
            terms[k][i] = values[k];
        }
    }
    terms
}

/// The sum of the parts. Not inlined, or the compiler would arrange the loop before it to suit this one.
#[inline(never)]
fn total<T: Real>(mut parts: [T; LANES]) -> T {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            parts[i] += parts[i + half];
        }
    }
    parts[0]
}

/// The sums of `f([x₁, x₂, ...])` over the numbers of the inputs: several sums in one pass. See [`sums!`](crate::sums!).
///
/// # Panics
///
/// If an input is shorter than the first.
#[inline]
pub fn sums<T: Real, const N: usize, const K: usize>(
    inputs: [&[T]; N],
    f: impl Fn([T; N]) -> [T; K],
) -> [T; K] {
    const { assert!(N > 0, "there is an input") };
    run(Sums::new(inputs, f))
}

/// Adds the sum of each chunk of `values` to one of `sums`.
struct SumChunks<'a, T> {
    values: &'a [T],
    sums: &'a mut [T],
}

impl<T: Real> Loop for SumChunks<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { values, sums } = self;
        let size = values.len() / sums.len();
        for (values, sum) in values.chunks_exact(size).zip(sums) {
            let (chunks, rest) = values.as_chunks::<LANES>();
            let mut parts = [T::zero(); LANES];
            for chunk in chunks {
                for i in 0..LANES {
                    parts[i] += chunk[i];
                }
            }
            for i in 0..rest.len() {
                parts[i] += rest[i];
            }
            let mut half = LANES / 2;
            while half > 0 {
                for i in 0..half {
                    parts[i] += parts[i + half];
                }
                half /= 2;
            }
            *sum += parts[0];
        }
    }
}

/// Adds to each of `sums` the sum of its chunk of `values`, which has one chunk for each sum: the gradient of a bias for each channel
/// of a sample.
///
/// # Panics
///
/// If the values cannot be split into that number of equal chunks.
#[inline]
pub fn sum_chunks<T: Real>(values: &[T], sums: &mut [T]) {
    let fits = if sums.is_empty() { values.is_empty() } else { values.len().is_multiple_of(sums.len()) };
    assert!(fits, "equal chunks, one for each sum");
    if !values.is_empty() {
        run(SumChunks { values, sums });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length() {
        for n in [0, 1, 15, 16, 17, 100] {
            let x: Vec<f64> = (1..=n).map(f64::from).collect();
            let n = f64::from(n);
            assert_eq!(sum(&x), n * (n + 1.0) / 2.0);
            assert_eq!(sum_squares(&x), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
            assert_eq!(max(&x), if n > 0.0 { n } else { f64::NEG_INFINITY });
        }
    }

    #[test]
    fn several_sums_in_one_pass() {
        for n in [0, 1, 15, 16, 31, 32, 33, 48, 100] {
            let x: Vec<f64> = (0..n).map(f64::from).collect();
            let n = f64::from(n);
            let right = [n * (n - 1.0) / 2.0, n * (n - 1.0) * (2.0 * n - 1.0) / 6.0];
            assert_eq!(sums([&x, &x], |[a, b]| [a, a * b]), right);
        }
    }

    #[test]
    fn sums_of_chunks() {
        for (chunks, size) in [(1, 1), (3, 7), (2, 16), (5, 45), (4, 0), (0, 0)] {
            let x: Vec<f64> = (0..chunks * size).map(|i| i as f64).collect();
            let mut sums = vec![0.5; chunks];
            sum_chunks(&x, &mut sums);
            let right = x.chunks_exact(size.max(1)).map(|chunk| 0.5 + chunk.iter().sum::<f64>());
            let right: Vec<_> = right.chain(std::iter::repeat(0.5)).take(chunks).collect();
            assert_eq!(sums, right, "{chunks} of {size}");
        }
    }
}
