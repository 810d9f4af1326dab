//! Reductions of many numbers to one: the maximum, and sums of values, squares, products, terms and chunks.

use super::blocks::{BLOCK, BlockSums, CHAIN};
use super::lanes::LANES;
use super::largest::largest;
use super::operands::{add_to_lane, array, at, lane, part, set_lane};
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

/// The maxima of the values of each lane.
pub(super) struct MaxLanes<'a, T>(pub(super) &'a [T]);

impl<T: Real> Loop for MaxLanes<'_, T> {
    type Output = [T; LANES];
    #[inline(always)]
    fn run(self) -> [T; LANES] {
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let mut parts = [T::neg_infinity(); LANES];
        for chunk in chunks {
            for (part, &value) in parts.iter_mut().zip(chunk) {
                *part = larger(*part, value);
            }
        }
        for (part, &value) in parts.iter_mut().zip(rest) {
            *part = larger(*part, value);
        }
        parts
    }
}

/// The larger of two numbers: the first if the second is NaN.
#[inline(always)]
pub(super) fn larger<T: Real>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

/// The sum of the values.
#[inline]
pub fn sum<T: Real>(values: &[T]) -> T {
    let [sum] = sums(
        [values],
        #[inline(always)]
        |[value]| [value],
    );
    sum
}

/// The dot product, `Σ aᵢ bᵢ`.
///
/// # Panics
///
/// If `b` is shorter than `a`.
#[inline]
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let [sum] = sums(
        [a, b],
        #[inline(always)]
        |[a, b]| [a * b],
    );
    sum
}

/// The sum of values that are not stored one after the other.
pub fn sum_iter<T: Real>(values: impl IntoIterator<Item = T>) -> T {
    let mut values = values.into_iter();
    let mut totals = BlockSums::<T, 1>::zeros();
    let mut next = values.next();
    while next.is_some() {
        let block = next.into_iter().chain(values.by_ref().take(CHAIN - 1));
        totals.add([block.fold(T::zero(), |sum, value| sum + value)]);
        next = values.next();
    }
    let [total] = totals.totals();
    total
}

/// The maximum, -∞ if there are no values. NaN is ignored.
#[inline]
pub fn max<T: Real>(values: &[T]) -> T {
    if values.len() < LANES {
        return values.iter().copied().fold(T::neg_infinity(), larger);
    }
    run(MaxLanes(values)).into_iter().fold(T::neg_infinity(), larger)
}

struct SumSquares<'a, T>(&'a [T]);

impl<T: Real> Loop for SumSquares<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run(self) -> f64 {
        if self.0.len() <= BLOCK {
            return total(&squares(self.0));
        }
        let mut totals = BlockSums::zeros();
        for block in self.0.chunks(BLOCK) {
            totals.add(squares(block));
        }
        total(&totals.totals())
    }
}

/// The sums of the squares in a block, in one part for each lane.
#[inline(always)]
fn squares<T: Real>(block: &[T]) -> [f64; LANES] {
    let (chunks, rest) = block.as_chunks::<LANES>();
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
    parts
}

/// The sum of the squares, in double precision: without overflow, and without loss of precision over millions of values.
#[inline]
pub fn sum_squares<T: Real>(values: &[T]) -> f64 {
    run(SumSquares(values))
}

/// The Euclidean norm, `√Σ xᵢ²`, in double precision, also where the squares would overflow or vanish.
pub fn norm<T: Real>(values: &[T]) -> f64 {
    /// Below it, some of the squares may have lost digits.
    const SMALL: f64 = f64::MIN_POSITIVE / f64::EPSILON;
    let squares = sum_squares(values);
    if squares.is_nan() || (SMALL..f64::INFINITY).contains(&squares) {
        return squares.sqrt();
    }
    let largest = largest(values).as_f64();
    if largest == 0.0 || largest.is_infinite() {
        return largest;
    }
    let mut totals = BlockSums::<f64, 1>::zeros();
    for block in values.chunks(CHAIN) {
        totals.add([block.iter().map(|value| (value.as_f64() / largest).powi(2)).sum()]);
    }
    let [squares] = totals.totals();
    largest * squares.sqrt()
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
        if n <= BLOCK {
            return totals(&block(part(inputs, 0..n), &f));
        }
        long_sums(inputs, &f)
    }
}

/// [`Sums`] over more than one block. Not inlined, or short sums would be slower.
#[inline(never)]
fn long_sums<T, const N: usize, const K: usize, F>(inputs: [&[T]; N], f: &F) -> [T; K]
where
    T: Real,
    F: Fn([T; N]) -> [T; K],
{
    run(LongSums { inputs, f })
}

struct LongSums<'a, T, const N: usize, F> {
    inputs: [&'a [T]; N],
    f: &'a F,
}

impl<T, const N: usize, const K: usize, F> Loop for LongSums<'_, T, N, F>
where
    T: Real,
    F: Fn([T; N]) -> [T; K],
{
    type Output = [T; K];
    #[inline(always)]
    fn run(self) -> [T; K] {
        let Self { inputs, f } = self;
        let n = inputs[0].len();
        let mut sums = BlockSums::<T, LANES>::zeros_of::<K>();
        for start in (0..n).step_by(BLOCK) {
            let end = n.min(start + BLOCK);
            let parts = block(part(inputs, start..end), f);
            for k in 0..K {
                sums[k].add(parts[k]);
            }
        }
        totals(&BlockSums::totals_of(&sums))
    }
}

/// Whether this many numbers are more than one block.
#[inline(always)]
pub(super) fn long(n: usize) -> bool {
    n > BLOCK
}

/// The sums over a block, each in one part for each lane.
#[inline(always)]
pub(super) fn block<T: Real, const N: usize, const K: usize>(
    inputs: [&[T]; N],
    f: &impl Fn([T; N]) -> [T; K],
) -> [[T; LANES]; K] {
    let n = inputs[0].len();
    let inputs = part(inputs, 0..n);
    // Two sets of parts, since with one each addition would wait for the previous one.
    let (mut even, mut odd) = ([[T::zero(); LANES]; K], [[T::zero(); LANES]; K]);
    let pairs = n / (2 * LANES);
    for j in 0..pairs {
        let left = terms(array(&inputs, 2 * j * LANES), f);
        let right = terms(array(&inputs, (2 * j + 1) * LANES), f);
        for k in 0..K {
            for i in 0..LANES {
                even[k][i] += left[k][i];
                odd[k][i] += right[k][i];
            }
        }
    }
    if 2 * pairs < n / LANES {
        let left = terms(array(&inputs, 2 * pairs * LANES), f);
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
    for i in n - n % LANES..n {
        add_to_lane(&mut parts, i % LANES, f(at(&inputs, i)));
    }
    parts
}

/// `f` of each number of a chunk.
#[inline(always)]
fn terms<T: Real, const N: usize, const K: usize>(
    chunk: [[T; LANES]; N],
    f: &impl Fn([T; N]) -> [T; K],
) -> [[T; LANES]; K] {
    let mut terms = [[T::zero(); LANES]; K];
    for i in 0..LANES {
        set_lane(&mut terms, i, f(lane(&chunk, i)));
    }
    terms
}

/// The sum of the parts of each.
#[inline(always)]
fn totals<T: Real, const K: usize>(parts: &[[T; LANES]; K]) -> [T; K] {
    let mut totals = [T::zero(); K];
    for k in 0..K {
        totals[k] = total(&parts[k]);
    }
    totals
}

/// The sum of the parts. Not inlined, or the compiler would arrange the loop before it to suit this one.
#[inline(never)]
fn total<T: Real>(parts: &[T; LANES]) -> T {
    let mut parts = *parts;
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
            *sum += if size <= CHAIN * LANES { short_sum(values) } else { self::sum(values) };
        }
    }
}

/// The sum of values that are few enough for one chain in each lane.
#[inline(always)]
fn short_sum<T: Real>(values: &[T]) -> T {
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
    parts[0]
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
        for n in [0, 1, 15, 16, 17, 100, 1023, 1024, 1025, 5000] {
            let x: Vec<f64> = (1..=n).map(f64::from).collect();
            let n = f64::from(n);
            let squares = n * (n + 1.0) * (2.0 * n + 1.0) / 6.0;
            assert_eq!(sum(&x), n * (n + 1.0) / 2.0);
            assert_eq!((sum_iter(x.iter().copied()), sum_iter(x.iter().map(|x| x * x))), (sum(&x), squares));
            assert_eq!((dot(&x, &x), sum_squares(&x)), (squares, squares));
            assert_eq!(max(&x), if n > 0.0 { n } else { f64::NEG_INFINITY });
        }
    }

    #[test]
    fn several_sums_in_one_pass() {
        for n in [0, 1, 15, 16, 31, 32, 33, 48, 100, 1024, 1025, 2100] {
            let x: Vec<f64> = (0..n).map(f64::from).collect();
            let n = f64::from(n);
            let right = [n * (n - 1.0) / 2.0, n * (n - 1.0) * (2.0 * n - 1.0) / 6.0];
            assert_eq!(sums([&x, &x], |[a, b]| [a, a * b]), right);
        }
    }

    #[test]
    fn sums_of_chunks() {
        for (chunks, size) in [(1, 1), (3, 7), (2, 16), (5, 45), (2, 3000), (4, 0), (0, 0)] {
            let x: Vec<f64> = (0..chunks * size).map(|i| i as f64).collect();
            let mut sums = vec![0.5; chunks];
            sum_chunks(&x, &mut sums);
            let right = x.chunks_exact(size.max(1)).map(|chunk| 0.5 + chunk.iter().sum::<f64>());
            let right: Vec<_> = right.chain(std::iter::repeat(0.5)).take(chunks).collect();
            assert_eq!(sums, right, "{chunks} of {size}");
        }
    }

    #[test]
    fn a_maximum_beside_nan() {
        for n in [2, 15, 16, 40] {
            for at in 0..n {
                let mut x: Vec<f64> = (0..n).map(|i| i as f64).collect();
                x[at] = f64::NAN;
                assert_eq!(max(&x), if at == n - 1 { n - 2 } else { n - 1 } as f64, "{n} {at}");
            }
        }
        assert_eq!(max(&[f64::NAN; 20]), f64::NEG_INFINITY);
    }

    #[test]
    fn norms_without_overflow() {
        for scale in [1.0, 1e200, 1e-200, f64::MIN_POSITIVE, 1e307] {
            let found = norm(&[3.0 * scale, -4.0 * scale]);
            assert!((found / (5.0 * scale) - 1.0).abs() < 1e-15, "{scale}: {found}");
        }
        assert_eq!((norm::<f64>(&[]), norm(&[0.0, -0.0])), (0.0, 0.0));
        assert_eq!(norm(&[1.0, f64::NEG_INFINITY]), f64::INFINITY);
        assert!(norm(&[f64::INFINITY, f64::NAN]).is_nan());
        assert_eq!(norm(&[f32::MAX; 4]), 2.0 * f64::from(f32::MAX));
    }
}
