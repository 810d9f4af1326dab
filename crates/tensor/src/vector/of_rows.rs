//! Arithmetic on the rows of matrices, with numbers of each row and of each column, as in a normalisation of rows.
//!
//! One call does all rows: a row is often too short for a call of its own, and the sums of many rows do not wait for each other.

use super::columns::{ColumnBlock, for_each_block};
use super::lanes::LANES;
use super::operands::{array, at, lane, part, set_lane};
use super::reduce::{Sums, block, long};
use super::transpose::transpose;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

/// What a formula gets of each row.
#[derive(Clone, Copy, Debug)]
pub enum RowInput<'a, T> {
    /// The numbers of that row of a matrix.
    Matrix(&'a [T]),
    /// The same numbers for every row.
    Row(&'a [T]),
}

impl<'a, T> RowInput<'a, T> {
    /// The numbers for a row of this size.
    #[inline(always)]
    fn row(self, row: usize, size: usize) -> &'a [T] {
        match self {
            Self::Matrix(values) => &values[row * size..(row + 1) * size],
            Self::Row(values) => &values[..size],
        }
    }
}

/// The numbers of each input for a row.
#[inline(always)]
fn row<'a, T: Real, const N: usize>(inputs: &[RowInput<'a, T>; N], row: usize, size: usize) -> [&'a [T]; N] {
    let mut slices: [&[T]; N] = [&[]; N];
    for k in 0..N {
        slices[k] = inputs[k].row(row, size);
    }
    slices
}

/// The rows whose sums are added up together.
const ROWS: usize = 32;

struct SumsOfRows<'a, T, const N: usize, const R: usize, const K: usize, F> {
    size: usize,
    inputs: [RowInput<'a, T>; N],
    of_rows: [&'a [T]; R],
    sums: [&'a mut [T]; K],
    f: F,
}

impl<T, const N: usize, const R: usize, const K: usize, F> Loop for SumsOfRows<'_, T, N, R, K, F>
where
    T: Real,
    F: Fn([T; N], [T; R]) -> [T; K],
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { size, inputs, of_rows, sums, f } = self;
        let count = sums[0].len();
        let of_rows = part(of_rows, 0..count);
        if long(size) {
            for r in 0..count {
                let numbers = at(&of_rows, r);
                let of_row = Sums::new(
                    row(&inputs, r, size),
                    #[inline(always)]
                    |x| f(x, numbers),
                );
                let totals = of_row.run();
                for k in 0..K {
                    sums[k][r] = totals[k];
                }
            }
            return;
        }
        let mut parts = [[[T::zero(); LANES]; ROWS]; K];
        for first in (0..count).step_by(ROWS) {
            let rows = (count - first).min(ROWS);
            for r in 0..rows {
                let numbers = at(&of_rows, first + r);
                let of_row = parts_of(
                    row(&inputs, first + r, size),
                    #[inline(always)]
                    |x| f(x, numbers),
                );
                for k in 0..K {
                    parts[k][r] = of_row[k];
                }
            }
            for k in 0..K {
                totals_of_rows(&parts[k][..rows], &mut sums[k][first..first + rows]);
            }
        }
    }
}

#[inline(always)]
fn parts_of<T: Real, const N: usize, const K: usize>(
    row: [&[T]; N],
    f: impl Fn([T; N]) -> [T; K],
) -> [[T; LANES]; K] {
    block(row, &f)
}

/// The sum of the parts of each row, in the order in which one row's are added. Not inlined, or the compiler would arrange the loop
/// before it to suit this one.
#[inline(never)]
fn totals_of_rows<T: Real>(parts: &[[T; LANES]], sums: &mut [T]) {
    let mut of_lanes = [[T::zero(); ROWS]; LANES];
    let shape = [parts.len(), LANES];
    transpose(shape, (parts.as_flattened(), LANES), (of_lanes.as_flattened_mut(), ROWS));
    run(Totals { of_lanes: &mut of_lanes });
    sums.copy_from_slice(&of_lanes[0][..sums.len()]);
}

/// Adds up the lanes of each row, of which each lane has those of all rows.
struct Totals<'a, T> {
    of_lanes: &'a mut [[T; ROWS]; LANES],
}

impl<T: Real> Loop for Totals<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for half in [8, 4, 2, 1] {
            let (first, second) = self.of_lanes.split_at_mut(half);
            for (first, second) in first.iter_mut().zip(second) {
                for r in 0..ROWS {
                    first[r] += second[r];
                }
            }
        }
    }
}

/// `[s₁, s₂, ...]` of each row: the sums of `f([x₁, x₂, ...], [v₁, v₂, ...])` over its `size` numbers, where each v is a number of the
/// row. They are added in the order in which [`sums`](super::sums()) adds those of one row.
///
/// # Panics
///
/// If an input or a slice is too short.
#[inline]
pub fn sums_of_rows<T: Real, const N: usize, const R: usize, const K: usize>(
    size: usize,
    inputs: [RowInput<'_, T>; N],
    of_rows: [&[T]; R],
    sums: [&mut [T]; K],
    f: impl Fn([T; N], [T; R]) -> [T; K],
) {
    const { assert!(K > 0, "there is a sum") };
    assert!(sums.iter().all(|of_rows| of_rows.len() == sums[0].len()), "as many sums of each");
    run(SumsOfRows { size, inputs, of_rows, sums, f });
}

struct MapRows<'a, T, const N: usize, const R: usize, F> {
    size: usize,
    inputs: [RowInput<'a, T>; N],
    of_rows: [&'a [T]; R],
    output: &'a mut [T],
    f: F,
}

impl<T, const N: usize, const R: usize, F> Loop for MapRows<'_, T, N, R, F>
where
    T: Real,
    F: Fn([T; N], [T; R]) -> T,
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { size, inputs, of_rows, output, f } = self;
        for (r, output) in output.chunks_exact_mut(size).enumerate() {
            let numbers = at(&of_rows, r);
            let inputs = row(&inputs, r, size);
            for i in 0..size {
                output[i] = f(at(&inputs, i), numbers);
            }
        }
    }
}

/// `y = f([x₁, x₂, ...], [v₁, v₂, ...])` for each of the `size` numbers of each row, where each v is a number of the row.
///
/// # Panics
///
/// If an input or a slice is too short, or `size` is 0.
#[inline]
pub fn map_rows<T: Real, const N: usize, const R: usize>(
    size: usize,
    inputs: [RowInput<'_, T>; N],
    of_rows: [&[T]; R],
    output: &mut [T],
    f: impl Fn([T; N], [T; R]) -> T,
) {
    run(MapRows { size, inputs, of_rows, output, f });
}

struct MapAndSumRows<'a, T, const N: usize, const R: usize, const K: usize, F> {
    rows: usize,
    size: usize,
    inputs: [RowInput<'a, T>; N],
    of_rows: [&'a [T]; R],
    output: &'a mut [T],
    sums: [&'a mut [T]; K],
    f: F,
}

impl<T, const N: usize, const R: usize, const K: usize, F> ColumnBlock for MapAndSumRows<'_, T, N, R, K, F>
where
    T: Real,
    F: Fn([T; N], [T; R]) -> (T, [T; K]),
{
    const WIDEST: usize = 4 * LANES;

    #[inline(always)]
    fn run<const W: usize>(&mut self, first: usize) {
        let Self { rows, size, inputs, of_rows, output, sums, f } = self;
        let mut totals = [[T::zero(); W]; K];
        for k in 0..K {
            totals[k].copy_from_slice(&sums[k][first..first + W]);
        }
        for r in 0..*rows {
            let numbers = at(of_rows, r);
            let x = array::<T, W, N>(&row(inputs, r, *size), first);
            let output = &mut output[r * *size + first..][..W];
            let mut terms = [[T::zero(); W]; K];
            for i in 0..W {
                let (y, of_sums) = f(lane(&x, i), numbers);
                output[i] = y;
                set_lane(&mut terms, i, of_sums);
            }
            for k in 0..K {
                for i in 0..W {
                    totals[k][i] += terms[k][i];
                }
            }
        }
        for k in 0..K {
            sums[k][first..first + W].copy_from_slice(&totals[k]);
        }
    }
}

impl<T, const N: usize, const R: usize, const K: usize, F> Loop for MapAndSumRows<'_, T, N, R, K, F>
where
    T: Real,
    F: Fn([T; N], [T; R]) -> (T, [T; K]),
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for_each_block(self.size, self);
    }
}

/// [`map_rows`] with a formula that also returns a term for each of some sums over the rows, one in each column: it is added to them,
/// row by row.
///
/// # Panics
///
/// If an input or a slice is too short, or `size` is 0.
#[inline]
pub fn map_and_sum_rows<T: Real, const N: usize, const R: usize, const K: usize>(
    size: usize,
    inputs: [RowInput<'_, T>; N],
    of_rows: [&[T]; R],
    output: &mut [T],
    sums: [&mut [T]; K],
    f: impl Fn([T; N], [T; R]) -> (T, [T; K]),
) {
    let rows = output.len() / size;
    run(MapAndSumRows { rows, size, inputs, of_rows, output, sums, f });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::{each, sums};

    fn check<T: Real>(rows: usize, size: usize) {
        let mut rng = Seed(5).rng();
        let mut random = |len: usize| -> Vec<T> { (0..len).map(|_| T::of(rng.normal())).collect() };
        let (x, dy, w) = (random(rows * size), random(rows * size), random(size));
        let (mean, inv) = (random(rows), random(rows));
        let inputs = [RowInput::Matrix(&x[..]), RowInput::Matrix(&dy), RowInput::Row(&w)];
        let (mut first, mut second) = (vec![T::nan(); rows], vec![T::nan(); rows]);
        sums_of_rows(
            size,
            inputs,
            [&mean],
            [&mut first, &mut second],
            #[inline(always)]
            |[x, dy, w], [mean]| [(x - mean) * w, dy * w],
        );
        let mut y = vec![T::nan(); rows * size];
        map_rows(
            size,
            inputs,
            [&mean, &inv],
            &mut y,
            #[inline(always)]
            |[x, dy, w], [mean, inv]| (x - mean) * inv * w + dy,
        );
        let mut dx = vec![T::nan(); rows * size];
        let mut totals = [w.clone(), w.clone()];
        let [dw, db] = &mut totals;
        map_and_sum_rows(
            size,
            inputs,
            [&inv],
            &mut dx,
            [dw, db],
            #[inline(always)]
            |[x, dy, w], [inv]| (dy * w * inv, [dy * x, dy]),
        );
        let (mut dw, mut db) = (w.clone(), w.clone());
        for row in 0..rows {
            let of_row = row * size..(row + 1) * size;
            let (x, dy, mean, inv) = (&x[of_row.clone()], &dy[of_row.clone()], mean[row], inv[row]);
            assert_eq!([first[row], second[row]], sums!(|x, dy, w| [(x - mean) * w, dy * w]), "{size}");
            let mut right = vec![T::zero(); size];
            each!(right = |x, dy, w| (x - mean) * inv * w + dy);
            assert_eq!(y[of_row.clone()], right);
            each!([right, dw, db] = |x, dy, w| [dy * w * inv, dw + dy * x, db + dy]);
            assert_eq!(dx[of_row], right);
        }
        assert_eq!(totals, [dw, db], "{rows} {size}");
    }

    #[test]
    fn many_rows_are_as_one_by_one() {
        for (rows, size) in [(1, 1), (3, 7), (33, 64), (70, 100), (5, 16), (4, 1500), (0, 3)] {
            check::<f32>(rows, size);
            check::<f64>(rows, size);
        }
    }
}
