//! Products of small matrices, sixteen at a time.
//!
//! A matrix of 17 by 17 fills one vector of sixteen numbers in each row, and wastes most of a second one; its softmax wastes as much, and
//! every product and every transposition of it takes a call. Where there are many such matrices of one shape, as an attention has for each
//! sample and head, the same value of sixteen of them is a vector: every instruction then has work for all of its lanes, and a
//! sum over a row or over a column adds whole vectors.

use std::marker::PhantomData;

use ndarray::{ArrayView2, ArrayViewMut2};
use num_traits::Zero;

use crate::real::Real;
use crate::simd::blocking::{EvenParts, with_constant};
use crate::simd::dispatch::Loop;
pub use crate::simd::interleaved_operands::{INTERLEAVED, Interleaved};
use crate::simd::interleaved_operands::{Interleave, Product, Separate, check};
use crate::simd::lanes::Lanes;
use crate::simd::level::{Level, level};

/// Whether products of interleaved matrices are faster than as many products, one by one.
///
/// ```
/// let _ = chainrule_tensor::interleaved::is_fast();
/// ```
pub fn is_fast() -> bool {
    level() != Level::Baseline
}

/// The shape of each of the matrices that are stored below each other.
fn shape_of_each((rows, columns): (usize, usize), values: usize) -> [usize; 2] {
    assert_eq!(rows % INTERLEAVED, 0, "{INTERLEAVED} matrices of one shape");
    let dim = [rows / INTERLEAVED, columns];
    check(values, dim);
    dim
}

/// Interleaves the matrices that are stored below each other in `from`.
///
/// ```
/// use chainrule_tensor::interleaved::{INTERLEAVED, interleave, separate};
/// use ndarray::Array2;
/// let matrices = Array2::from_shape_fn((INTERLEAVED, 2), |(matrix, column)| (10 * matrix + column) as f32);
/// let mut values = [0.0; 2 * INTERLEAVED];
/// interleave(matrices.view(), &mut values);
/// assert_eq!(values[INTERLEAVED..][..3], [1.0, 11.0, 21.0]);
/// let mut again = Array2::zeros((INTERLEAVED, 2));
/// separate(&values, again.view_mut());
/// assert_eq!(again, matrices);
/// ```
///
/// # Panics
///
/// If `to` does not have their number of values, or their rows are not contiguous.
pub fn interleave<T: Real>(from: ArrayView2<'_, T>, to: &mut [T]) {
    let dim = shape_of_each(from.dim(), to.len());
    assert!(from.is_empty() || dim[1] < 2 || from.strides()[1] == 1, "contiguous rows");
    if !to.is_empty() {
        let strides = [from.strides()[0], dim[0] as isize * from.strides()[0]];
        T::interleave(Interleave {
            dim,
            from: from.as_ptr(),
            strides,
            to: to.as_mut_ptr(),
            _operands: PhantomData,
        });
    }
}

/// The inverse of [`interleave`].
///
/// # Panics
///
/// As there.
pub fn separate<T: Real>(from: &[T], mut to: ArrayViewMut2<'_, T>) {
    let dim = shape_of_each(to.dim(), from.len());
    assert!(to.is_empty() || dim[1] < 2 || to.strides()[1] == 1, "contiguous rows");
    let row = to.strides()[0];
    if !from.is_empty() {
        let strides = [row, dim[0] as isize * row];
        T::separate(Separate {
            dim,
            from: from.as_ptr(),
            to: to.as_mut_ptr(),
            strides,
            _operands: PhantomData,
        });
    }
}

/// `C = A B` for each of the matrices, or `C += A B` if it `accumulates`; the rows of C are contiguous.
///
/// The terms of a value are added in the order of K, each with one rounding, on every CPU: as in the products of
/// [`gemm`](crate::gemm()) with few terms.
///
/// ```
/// use chainrule_tensor::interleaved::{INTERLEAVED, Interleaved, product};
/// let (a, b) = ([2.0f32; 3 * INTERLEAVED], [5.0; 3 * INTERLEAVED]);
/// let mut c = [0.0; INTERLEAVED];
/// product(Interleaved::new(&a, [1, 3]), Interleaved::new(&b, [1, 3]).t(), false, &mut c);
/// assert_eq!(c, [30.0; INTERLEAVED]);
/// ```
///
/// # Panics
///
/// If the shapes do not fit.
pub fn product<T: Real>(a: Interleaved<'_, T>, b: Interleaved<'_, T>, accumulates: bool, c: &mut [T]) {
    assert_eq!(a.dim[1], b.dim[0], "the inner dimensions are equal");
    check(c.len(), [a.dim[0], b.dim[1]]);
    T::interleaved_product(Product { a, b, accumulates, c });
}

/// Interleaves by squares of one vector of numbers in each row.
///
/// # Safety
///
/// Here and below: the CPU has the instructions.
pub(crate) unsafe fn interleave_with<L: Lanes>(of: Interleave<'_, L::Number>) {
    // SAFETY: the caller's.
    unsafe { L::run(InterleaveSquares::<L>(of, PhantomData)) }
}

/// As [`interleave_with`].
///
/// # Safety
///
/// As there.
pub(crate) unsafe fn separate_with<L: Lanes>(of: Separate<'_, L::Number>) {
    // SAFETY: the caller's.
    unsafe { L::run(SeparateSquares::<L>(of, PhantomData)) }
}

/// The products of all matrices.
///
/// # Safety
///
/// As there.
pub(crate) unsafe fn multiply_with<L: Lanes>(of: Product<'_, L::Number>) {
    // SAFETY: the caller's.
    unsafe { L::run(Tiles::<L>(of, PhantomData)) }
}

struct InterleaveSquares<'a, L: Lanes>(Interleave<'a, L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for InterleaveSquares<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Interleave { dim: [rows, columns], from, strides: [row_stride, stride], to, .. } = self.0;
        let whole = columns / L::COUNT * L::COUNT;
        for row in 0..rows {
            // SAFETY: `interleave` has made this of a view and of a slice of just these values, and its caller has found the
            // instructions.
            unsafe {
                let from = from.offset(row as isize * row_stride);
                let to = to.add(row * columns * INTERLEAVED);
                for column in (0..whole).step_by(L::COUNT) {
                    for first in (0..INTERLEAVED).step_by(L::COUNT) {
                        let from = from.offset(first as isize * stride).add(column);
                        L::transpose(from, stride, to.add(column * INTERLEAVED + first), INTERLEAVED);
                    }
                }
                for column in whole..columns {
                    for matrix in 0..INTERLEAVED {
                        let from = from.offset(matrix as isize * stride).add(column);
                        *to.add(column * INTERLEAVED + matrix) = *from;
                    }
                }
            }
        }
    }
}

struct SeparateSquares<'a, L: Lanes>(Separate<'a, L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for SeparateSquares<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Separate { dim: [rows, columns], from, to, strides: [row_stride, stride], .. } = self.0;
        // The squares are written to rows that follow each other.
        let whole = if stride > 0 { columns / L::COUNT * L::COUNT } else { 0 };
        for row in 0..rows {
            // SAFETY: `separate` has made this of a slice and of a view of just these values, and its caller has found the
            // instructions.
            unsafe {
                let from = from.add(row * columns * INTERLEAVED);
                let to = to.offset(row as isize * row_stride);
                for column in (0..whole).step_by(L::COUNT) {
                    for first in (0..INTERLEAVED).step_by(L::COUNT) {
                        let to = to.offset(first as isize * stride).add(column);
                        let from = from.add(column * INTERLEAVED + first);
                        L::transpose(from, INTERLEAVED as isize, to, stride as usize);
                    }
                }
                for column in whole..columns {
                    for matrix in 0..INTERLEAVED {
                        let to = to.offset(matrix as isize * stride).add(column);
                        *to = *from.add(column * INTERLEAVED + matrix);
                    }
                }
            }
        }
    }
}

struct Tiles<'a, L: Lanes>(Product<'a, L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for Tiles<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Product { a, b, accumulates, c } = self.0;
        let (columns, depth) = (b.dim[1], a.dim[1]);
        let blocks = EvenParts::new(a.dim[0], L::ROWS);
        let c = c.as_mut_ptr();
        for first in (0..INTERLEAVED).step_by(L::COUNT) {
            let of = Tile::<L> {
                a: a.values.as_ptr().wrapping_add(first),
                a_strides: a.strides,
                b: b.values.as_ptr().wrapping_add(first),
                b_strides: b.strides,
                depth,
                accumulates,
                c: c.wrapping_add(first),
                columns,
            };
            for block in 0..blocks.count {
                let (row, rows) = blocks.part(block);
                // SAFETY: `product` has compared the shapes, and its caller has found the instructions.
                unsafe {
                    with_constant!(rows, [1 2 3 4 5 6 7 8 9 10 11 12], |R| {
                        // Blocks of more rows are not compiled.
                        if const { R <= L::ROWS } {
                            of.rows::<R>(row);
                        }
                    });
                }
            }
        }
    }
}

/// The operands by pointer, for as many matrices as a vector has lanes. Strides are in groups.
struct Tile<L: Lanes> {
    a: *const L::Number,
    a_strides: [usize; 2],
    b: *const L::Number,
    b_strides: [usize; 2],
    depth: usize,
    accumulates: bool,
    c: *mut L::Number,
    columns: usize,
}

impl<L: Lanes> Tile<L> {
    /// `R` rows from this one on.
    #[inline(always)]
    unsafe fn rows<const R: usize>(&self, row: usize) {
        // SAFETY: the caller vouches for the rows.
        unsafe {
            let mut column = 0;
            while column + 2 <= self.columns {
                self.tile::<R, 2>(row, column);
                column += 2;
            }
            if column < self.columns {
                self.tile::<R, 1>(row, column);
            }
        }
    }

    /// `R` rows and `V` columns: their sums stay in registers.
    #[inline(always)]
    unsafe fn tile<const R: usize, const V: usize>(&self, row: usize, column: usize) {
        let Self { a, a_strides: [a_row, a_column], b, b_strides: [b_row, b_column], .. } = *self;
        // SAFETY: the caller vouches for the rows and columns.
        unsafe {
            let mut sums = [[L::splat(L::Number::zero()); V]; R];
            // Without terms there may be no values.
            let a = a.wrapping_add(row * a_row * INTERLEAVED);
            let b = b.wrapping_add(column * b_column * INTERLEAVED);
            for term in 0..self.depth {
                let a = a.add(term * a_column * INTERLEAVED);
                let b = b.add(term * b_row * INTERLEAVED);
                let mut loaded = [L::splat(L::Number::zero()); V];
                for v in 0..V {
                    loaded[v] = L::load(b.add(v * b_column * INTERLEAVED));
                }
                for r in 0..R {
                    let value = L::load(a.add(r * a_row * INTERLEAVED));
                    for v in 0..V {
                        sums[r][v] = L::mul_add(value, loaded[v], sums[r][v]);
                    }
                }
            }
            for r in 0..R {
                for v in 0..V {
                    let c = self.c.add(((row + r) * self.columns + column + v) * INTERLEAVED);
                    let sum = sums[r][v];
                    L::store(c, if self.accumulates { L::add(L::load(c), sum) } else { sum });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm;
    use crate::matmul::PortableProducts;
    use ndarray::{Array2, ArrayView2, s};

    /// Matrices below each other.
    fn random<T: Real>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
        let mut rng = crate::Seed(seed).rng();
        Array2::from_shape_simple_fn((INTERLEAVED * rows, columns), || T::of(rng.normal()))
    }

    fn of<T: Real>(matrices: ArrayView2<'_, T>) -> Vec<T> {
        let mut values = vec![T::zero(); matrices.len()];
        interleave(matrices, &mut values);
        values
    }

    fn products_are_those_one_by_one<T: Real>() {
        let _portable = PortableProducts::new(true);
        for [m, n, k] in
            [[1, 1, 1], [17, 17, 16], [17, 16, 17], [3, 5, 2], [25, 2, 9], [2, 33, 40], [4, 4, 0]]
        {
            let (a, at) = (random::<T>(m, k, 1), random::<T>(k, m, 2));
            let (b, bt, before) = (random::<T>(k, n, 3), random::<T>(n, k, 4), random::<T>(m, n, 5));
            let [all_a, all_at, all_b, all_bt] = [&a, &at, &b, &bt].map(|matrices| of(matrices.view()));
            for transposed in 0..4 {
                let a_all = match transposed & 1 {
                    0 => Interleaved::new(&all_a, [m, k]),
                    _ => Interleaved::new(&all_at, [k, m]).t(),
                };
                let b_all = match transposed & 2 {
                    0 => Interleaved::new(&all_b, [k, n]),
                    _ => Interleaved::new(&all_bt, [n, k]).t(),
                };
                for accumulates in [false, true] {
                    let mut c = of(before.view());
                    product(a_all, b_all, accumulates, &mut c);
                    let mut found = random::<T>(m, n, 6);
                    separate(&c, found.view_mut());
                    let mut right = before.clone();
                    for i in 0..INTERLEAVED {
                        let rows = |len: usize| i * len..(i + 1) * len;
                        let a = match transposed & 1 {
                            0 => a.slice(s![rows(m), ..]),
                            _ => at.slice(s![rows(k), ..]).reversed_axes(),
                        };
                        let b = match transposed & 2 {
                            0 => b.slice(s![rows(k), ..]),
                            _ => bt.slice(s![rows(n), ..]).reversed_axes(),
                        };
                        let beta = if accumulates { T::one() } else { T::zero() };
                        gemm(T::one(), a, b, beta, right.slice_mut(s![rows(m), ..]));
                    }
                    assert_eq!(found, right, "{} {m} {n} {k} {transposed} {accumulates}", T::NAME);
                }
            }
        }
    }

    #[test]
    fn products_have_the_bits_of_products_one_by_one() {
        products_are_those_one_by_one::<f32>();
        products_are_those_one_by_one::<f64>();
    }

    fn every_layout<T: Real>() {
        for (rows, columns) in [(1, 1), (3, 16), (2, 37), (5, 7)] {
            let wide = random::<T>(rows, columns + 4, 1);
            let from = wide.slice(s![.., 3..3 + columns]);
            for from in [from, from.slice(s![..;-1, ..])] {
                let values = of(from);
                for ((row, column), &value) in from.indexed_iter() {
                    let (matrix, row) = (row / rows, row % rows);
                    assert_eq!(values[(row * columns + column) * INTERLEAVED + matrix], value);
                }
                let mut to = wide.clone();
                to.slice_mut(s![.., 3..3 + columns]).fill(T::zero());
                separate(&values, to.slice_mut(s![.., 3..3 + columns]));
                assert_eq!(to.slice(s![.., 3..3 + columns]), from, "{} {rows} {columns}", T::NAME);
                assert_eq!(to.slice(s![.., ..3]), wide.slice(s![.., ..3]));
                assert_eq!(to.slice(s![.., 3 + columns..]), wide.slice(s![.., 3 + columns..]));
                let mut back = Array2::zeros(from.dim());
                separate(&values, back.slice_mut(s![..;-1, ..]));
                assert_eq!(back.slice(s![..;-1, ..]), from);
            }
        }
    }

    #[test]
    fn matrices_of_every_layout() {
        every_layout::<f32>();
        every_layout::<f64>();
    }

    #[test]
    #[should_panic(expected = "the values of 16 matrices of 2 by 3")]
    fn another_number_of_values() {
        Interleaved::new(&[0.0f32; 17], [2, 3]);
    }

    #[test]
    #[should_panic(expected = "the inner dimensions are equal")]
    fn shapes_that_do_not_fit() {
        let a = [0.0f32; 2 * INTERLEAVED];
        product(Interleaved::new(&a, [1, 2]), Interleaved::new(&a, [1, 2]), false, &mut [0.0; INTERLEAVED]);
    }
}
