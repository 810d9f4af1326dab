//! The innermost loops of our products: blocks of C that stay in registers while K advances.

use std::marker::PhantomData;

use num_traits::Zero;

use crate::real::Real;
use crate::simd::blocking::{even_parts, with_constant};
use crate::simd::dispatch::Loop;
use crate::simd::lanes::Lanes;

/// How many vectors of columns a panel of these rows has at most: few rows leave registers for many columns.
pub(super) fn max_vectors(rows: usize) -> usize {
    if rows <= 3 { 4 } else { 2 }
}

/// A panel of C: rows of a few vectors of columns. `C = A B`, or `C += A B`, over `depth` terms.
///
/// All pointers are to the first value, all strides in values; the columns of B and of C have stride 1.
#[derive(Clone, Copy)]
pub(super) struct Panel<T> {
    pub(super) rows: usize,
    pub(super) vectors: usize,
    pub(super) depth: usize,
    pub(super) a: *const T,
    pub(super) a_strides: [isize; 2],
    pub(super) b: *const T,
    pub(super) b_stride: isize,
    pub(super) c: *mut T,
    pub(super) c_stride: isize,
    pub(super) accumulates: bool,
}

impl<T: Real> Panel<T> {
    /// Computes the panel.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions, `vectors` is 1, 2 or 4, and the pointers and strides are as described. C may be written and
    /// overlaps neither of the others.
    pub(super) unsafe fn compute<L: Lanes<Number = T>>(self) {
        // SAFETY: as the caller says.
        unsafe {
            match self.vectors {
                1 => L::run(OfVectors::<L, 1>(self, PhantomData)),
                2 => L::run(OfVectors::<L, 2>(self, PhantomData)),
                _ => L::run(OfVectors::<L, 4>(self, PhantomData)),
            }
        }
    }
}

/// A panel of `V` vectors of columns, which [`Panel::compute`] alone makes.
struct OfVectors<L: Lanes, const V: usize>(Panel<L::Number>, PhantomData<L>);

impl<L: Lanes, const V: usize> Loop for OfVectors<L, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let panel = self.0;
        // As many sums as fit into 16 registers, next to those for B and for a value of A.
        let max_rows = const { if V <= 2 { 6 } else { 3 } };
        for (row, rows) in even_parts(panel.rows, max_rows) {
            // SAFETY: `Panel::compute` has made the panel, and its caller vouches for it; the rows are some of the panel's.
            unsafe {
                if V <= 2 {
                    with_constant!(rows, [1 2 3 4 5 6], |R| tile::<L, R, V>(&panel, row));
                } else {
                    with_constant!(rows, [1 2 3], |R| tile::<L, R, V>(&panel, row));
                }
            }
        }
    }
}

/// `R` rows of `V` vectors of columns.
#[inline(always)]
unsafe fn tile<L: Lanes, const R: usize, const V: usize>(panel: &Panel<L::Number>, row: usize) {
    let Panel { a_strides: [a_row, a_column], b_stride, c_stride, .. } = *panel;
    let row = row as isize;
    // SAFETY: the caller vouches for the panel and that these are some of its rows.
    unsafe {
        let mut sums = [[L::splat(L::Number::zero()); V]; R];
        let mut a = [panel.a; R];
        let mut c = [panel.c; R];
        for r in 0..R {
            a[r] = panel.a.offset((row + r as isize) * a_row);
            c[r] = panel.c.offset((row + r as isize) * c_stride);
        }
        let mut b = panel.b;
        let mut at = 0;
        for _ in 0..panel.depth {
            let mut loaded = [L::splat(L::Number::zero()); V];
            for (v, loaded) in loaded.iter_mut().enumerate() {
                *loaded = L::load(b.add(v * L::COUNT));
            }
            for (a, sums) in a.into_iter().zip(&mut sums) {
                let value = L::splat(*a.offset(at));
                for (sum, loaded) in sums.iter_mut().zip(loaded) {
                    *sum = L::mul_add(value, loaded, *sum);
                }
            }
            at += a_column;
            b = b.wrapping_offset(b_stride);
        }
        if panel.accumulates {
            for (c, sums) in c.into_iter().zip(&mut sums) {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = L::add(L::load(c.add(v * L::COUNT)), *sum);
                }
            }
        }
        for (c, sums) in c.into_iter().zip(sums) {
            for (v, sum) in sums.into_iter().enumerate() {
                L::store(c.add(v * L::COUNT), sum);
            }
        }
    }
}
