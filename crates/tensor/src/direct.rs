//! Products in single precision without BLAS, for CPUs with AVX-512.
//!
//! BLAS copies its operands into an order that suits its kernel, which pays for large matrices. A training
//! step has products of a few dozen rows, where copying the weights takes as long as a third of the product.
//! The kernels here read the operands where they lie.
//!
//! - [`Rows`]: the columns of B lie side by side. A block of C of up to 8 rows and 32 columns stays in registers
//!   while K goes by: 16 sums, for two loads of B and 8 values of A, each spread over a register.
//! - [`Columns`]: the rows of B lie side by side, as in `dX = dZ Wᵀ`. With A transposed, 16 rows at a time, it
//!   is the same with the roles of A and B exchanged, and a block of 16 by 16 is transposed before it is stored.
//!
//! Rows and columns that do not fill a register are masked. A value's terms are added in the order of K, each
//! with one rounding, wherever it lies in C: so the bits do not depend on how a product is cut into others.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::isa::{Level, level};
use crate::transpose::{transpose, transposed};
use crate::{Onto, Taps};

/// How many values a register holds.
pub(crate) const LANES: usize = 16;

/// The greatest K of a product with a transposed right operand: 16 columns of it are kept on the stack, and
/// should fit into the first cache.
const DEPTH: usize = 512;

/// The greatest number of values in B and in C: larger ones do not stay in the second cache, and copying pays.
/// For 64 x 512 over 784 this takes 0.8 of the time that OpenBLAS takes, for 128 x 1024 over 1024 it takes 1.3.
const LARGEST: usize = 1 << 19;

/// The fewest rows: one or two are a matrix times a vector, which BLAS does otherwise.
const FEWEST: usize = 3;

/// The most rows where B is read by rows, since each 16 of them go through all of B.
const MOST: usize = 128;

/// Where sums start that start from nothing.
static ZERO: f32 = 0.0;

/// `C = Σ A B + beta C`, if `beta` is 0 or 1 and the sizes and layouts suit, which are those of the first where there are
/// several; else `false`, and nothing is done.
#[inline]
pub(crate) fn product<const N: usize>(
    parts: [(ArrayView2<'_, f32>, ArrayView2<'_, f32>); N],
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) -> bool {
    let Some((a, b)) = parts.first() else { return false };
    let (m, n) = c.dim();
    let k = parts.iter().map(|(a, _)| a.ncols()).max().unwrap_or(0);
    let alike = parts.iter().all(|(a2, b2)| a.strides() == a2.strides() && b.strides() == b2.strides());
    let suits = m >= FEWEST && n.saturating_mul(m.max(k)) <= LARGEST && (beta == 0.0 || beta == 1.0);
    // The stride of an axis with one place is never taken, and may be anything.
    let packed = |stride: isize, len: usize| stride == 1 || len == 1;
    if !suits || !alike || level() < Level::Avx512 || !packed(c.strides()[1], n) {
        return false;
    }
    let operands = Operands {
        rows: m,
        columns: n,
        starts: &[0],
        terms: &parts.map(|(a, b)| Term { a: a.as_ptr(), b: b.as_ptr(), depth: a.ncols() }),
        a_strides: [a.strides()[0], a.strides()[1]],
        b_strides: [b.strides()[0], b.strides()[1]],
        onto: if beta == 1.0 { Onto::This } else { Onto::Zeros },
        c: c.as_mut_ptr(),
        c_stride: c.strides()[0],
    };
    // SAFETY: the CPU has AVX-512. Pointers and strides are those of views of just these sizes, and `c` is
    // borrowed mutably, so it overlaps neither of the others.
    unsafe {
        if packed(operands.b_strides[1], n) {
            operands.rows();
            true
        } else if N == 1
            && packed(operands.b_strides[0], k)
            && packed(operands.a_strides[1], k)
            && m <= MOST
            && k <= DEPTH
        {
            operands.columns();
            true
        } else {
            false
        }
    }
}

/// [`Taps::product`] for shapes that fit, if the CPU and the layout suit; else `false`, and nothing is done.
pub(crate) fn taps_product(
    taps: Taps<'_>,
    a: &ArrayView2<'_, f32>,
    values: &[f32],
    onto: Onto<'_, f32>,
    c: &mut ArrayViewMut2<'_, f32>,
) -> bool {
    let (m, n) = c.dim();
    if level() < Level::Avx512 || !(c.strides()[1] == 1 || n == 1) {
        return false;
    }
    let operands = Operands {
        rows: m,
        columns: n,
        starts: taps.starts,
        terms: &[Term { a: a.as_ptr(), b: values.as_ptr(), depth: taps.rows }],
        a_strides: [a.strides()[0], a.strides()[1]],
        b_strides: [taps.pitch as isize, 1],
        onto,
        c: c.as_mut_ptr(),
        c_stride: c.strides()[0],
    };
    // SAFETY: the CPU has AVX-512. The rows of `taps` are within `values`, and A, C and `onto` have the sizes that go
    // with it; `c` is borrowed mutably, so it overlaps neither of the others.
    unsafe { operands.rows() };
    true
}

/// [`Taps::product_transposed`] for shapes that fit, on a CPU with AVX-512, where A has contiguous rows and C contiguous
/// columns: the rows of A are turned into columns, some at a time, and stay in the first cache while B goes by.
pub(crate) fn taps_product_transposed(
    taps: Taps<'_>,
    a: &ArrayView2<'_, f32>,
    values: &[f32],
    c: &mut ArrayViewMut2<'_, f32>,
) {
    let mut panel = [const { MaybeUninit::<f32>::uninit() }; DEPTH * LANES];
    let panel: *mut f32 = panel.as_mut_ptr().cast();
    let ((m, n), stride, count) = (a.dim(), a.strides()[0], taps.starts.len() as isize);
    let (c, c_stride) = (c.as_mut_ptr(), c.strides()[1]);
    for (first, registers) in parts(m.div_ceil(LANES), 3) {
        let (first, width) = (first * LANES, registers * LANES);
        let rows = (m - first).min(width);
        for (column, columns) in parts(n, DEPTH * LANES / width) {
            // SAFETY: the CPU has AVX-512. The panel has room for all columns, and is written before it is read. Rows
            // of `taps` are within `values`, and A and C have the sizes that go with it; `c` is borrowed mutably, so it
            // overlaps neither of the others.
            unsafe {
                let a = a.as_ptr().offset(first as isize * stride).add(column);
                for row in (0..rows).step_by(LANES) {
                    let a = a.offset(row as isize * stride);
                    transpose(a, stride, [(rows - row).min(LANES), columns], panel.add(row), width);
                }
                for (tap, start) in taps.starts.iter().enumerate() {
                    Operands {
                        rows: taps.rows,
                        columns: rows,
                        starts: &[0],
                        terms: &[Term { a: values.as_ptr().add(start + column), b: panel, depth: columns }],
                        a_strides: [taps.pitch as isize, 1],
                        b_strides: [width as isize, 1],
                        onto: Onto::This,
                        c: c.offset(tap as isize * c_stride).add(first),
                        c_stride: count * c_stride,
                    }
                    .rows();
                }
            }
        }
    }
}

/// The operands by pointer, and the distances, in values, from one row or column to the next. Those of C's
/// columns are 1.
///
/// The rows of B come in groups, one after the other: a row of group `g` lies `starts[i]` beyond the group's beginning.
#[derive(Clone, Copy)]
struct Operands<'a> {
    rows: usize,
    columns: usize,
    starts: &'a [usize],
    terms: &'a [Term],
    a_strides: [isize; 2],
    b_strides: [isize; 2],
    onto: Onto<'a, f32>,
    c: *mut f32,
    c_stride: isize,
}

/// A product A B, of which C is the sum: the pointers, and how many groups of rows B has.
#[derive(Clone, Copy)]
struct Term {
    a: *const f32,
    b: *const f32,
    depth: usize,
}

/// Makes a constant of a number that is known only while the program runs, and is one of a few.
macro_rules! with_constant {
    ($value:expr, [$($n:literal)*], |$name:ident| $call:expr) => {
        match $value {
            $($n => {
                const $name: usize = $n;
                $call
            })*
            _ => unreachable!("a block is no larger"),
        }
    };
}
pub(crate) use with_constant;

impl Operands<'_> {
    /// The product where the columns of B lie side by side.
    ///
    /// # Safety
    ///
    /// Here and below: every value of the operands is in bounds, C may be written and overlaps nothing, and the
    /// CPU has AVX-512. The parts of the operands that are handed on are within them.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows(&self) {
        // Few rows leave registers for many columns, and few columns for many rows.
        let most = match self.rows {
            ..3 => 8,
            3..7 => 4,
            _ => 3,
        };
        // What is known while compiling leaves a small product more of its time.
        let plain = self.starts.len() == 1 && !matches!(self.onto, Onto::Rows(_));
        for (first, registers) in parts(self.columns.div_ceil(LANES), most) {
            let column = first * LANES;
            // SAFETY: these columns are some of the product's.
            unsafe {
                match plain {
                    true => {
                        with_constant!(registers, [1 2 3 4 5 6 7 8], |V| self.rows_of_columns::<V, true>(column))
                    }
                    false => {
                        with_constant!(registers, [1 2 3 4 5 6 7 8], |V| self.rows_of_columns::<V, false>(column))
                    }
                }
            }
        }
    }

    /// All rows of `V` registers of columns, from `column` on.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows_of_columns<const V: usize, const PLAIN: bool>(&self, column: usize) {
        let masks = std::array::from_fn(|v| mask(self.columns - column - v * LANES));
        // As many sums as there are registers for, beside those for B and for a value of A.
        let most = const {
            match V {
                1 => 16,
                // More would take fewer loads, but a small product ends in many rows that are stored.
                2 if PLAIN => 8,
                2 => 12,
                3 => 8,
                4 => 6,
                _ => 2,
            }
        };
        for (row, rows) in parts(self.rows, most) {
            // SAFETY: each block's rows are some of the product's.
            unsafe {
                match V {
                    1 => with_constant!(rows, [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16], |R| self
                        .block::<R, V, PLAIN>(row, column, masks)),
                    2 => with_constant!(rows, [1 2 3 4 5 6 7 8 9 10 11 12], |R| self
                        .block::<R, V, PLAIN>(row, column, masks)),
                    3 => {
                        with_constant!(rows, [1 2 3 4 5 6 7 8], |R| self.block::<R, V, PLAIN>(row, column, masks))
                    }
                    4 => {
                        with_constant!(rows, [1 2 3 4 5 6], |R| self.block::<R, V, PLAIN>(row, column, masks))
                    }
                    _ => with_constant!(rows, [1 2], |R| self.block::<R, V, PLAIN>(row, column, masks)),
                }
            }
        }
    }

    /// `R` rows and `V` registers of columns; `PLAIN` if B has one row a group and no row has a first value.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn block<const R: usize, const V: usize, const PLAIN: bool>(
        &self,
        row: usize,
        column: usize,
        masks: [__mmask16; V],
    ) {
        // SAFETY: row and column lie in the operands, and a masked load touches only what its mask tells.
        unsafe {
            let load = |b: *const f32| -> [__m512; V] {
                let b = b.add(column);
                std::array::from_fn(|v| _mm512_maskz_loadu_ps(masks[v], b.wrapping_add(v * LANES)))
            };
            let mut sums = [[_mm512_setzero_ps(); V]; R];
            if PLAIN {
                for term in self.terms {
                    let a = term.a.offset(row as isize * self.a_strides[0]);
                    let b = term.b.add(self.starts[0]);
                    for group in 0..term.depth as isize {
                        let loaded = load(b.offset(group * self.b_strides[0]));
                        add(&mut sums, a.offset(group * self.a_strides[1]), self.a_strides[0], loaded);
                    }
                }
            } else {
                // Each sum starts from a number in memory, whichever it is: a choice here would cost the sums their
                // registers.
                let (first, step) = match self.onto {
                    Onto::Rows(rows) => (rows.as_ptr().add(row), 1),
                    _ => (&raw const ZERO, 0),
                };
                for (r, sums) in sums.iter_mut().enumerate() {
                    *sums = [_mm512_set1_ps(*first.add(r * step)); V];
                }
                for term in self.terms {
                    let mut a = term.a.offset(row as isize * self.a_strides[0]);
                    for group in 0..term.depth as isize {
                        let b = term.b.offset(group * self.b_strides[0]);
                        for &start in self.starts {
                            add(&mut sums, a, self.a_strides[0], load(b.add(start)));
                            a = a.wrapping_offset(self.a_strides[1]);
                        }
                    }
                }
            }
            for (r, sums) in sums.into_iter().enumerate() {
                let c = self.c.offset((row + r) as isize * self.c_stride).add(column);
                for (v, sum) in sums.into_iter().enumerate() {
                    self.store(c.wrapping_add(v * LANES), masks[v], sum);
                }
            }
        }
    }

    /// The product where the rows of B, and the columns of A, lie side by side.
    #[target_feature(enable = "avx512f")]
    unsafe fn columns(&self) {
        let mut panel = [const { MaybeUninit::<f32>::uninit() }; DEPTH * LANES];
        let panel: *mut f32 = panel.as_mut_ptr().cast();
        let [Term { a, b, depth }] = *self.terms else {
            unreachable!("only where rows lie side by side are there several")
        };
        // SAFETY: the panel has room for `depth` rows of 16, and is written before it is read; blocks of rows
        // and columns are within the product.
        unsafe {
            for row in (0..self.rows).step_by(LANES) {
                let rows = (self.rows - row).min(LANES);
                let a = a.offset(row as isize * self.a_strides[0]);
                transpose(a, self.a_strides[0], [rows, depth], panel, LANES);
                let panel = Term { a: panel, b, depth };
                let mut column = 0;
                while self.columns - column >= LANES {
                    self.block_of_columns::<LANES>(row, rows, column, panel);
                    column += LANES;
                }
                while self.columns - column >= 4 {
                    self.block_of_columns::<4>(row, rows, column, panel);
                    column += 4;
                }
                while column < self.columns {
                    self.block_of_columns::<1>(row, rows, column, panel);
                    column += 1;
                }
            }
        }
    }

    /// Up to 16 rows, which A of `panel` holds as columns, and `R` columns.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn block_of_columns<const R: usize>(&self, row: usize, rows: usize, column: usize, panel: Term) {
        // SAFETY: row and column lie in the operands; the panel has `depth` rows of 16.
        unsafe {
            let b = panel.b.offset(column as isize * self.b_strides[1]);
            let mut sums = [[_mm512_setzero_ps()]; R];
            for p in 0..panel.depth as isize {
                let loaded = [_mm512_loadu_ps(panel.a.offset(p * LANES as isize))];
                add(&mut sums, b.offset(p * self.b_strides[0]), self.b_strides[1], loaded);
            }
            let lines = std::array::from_fn(|r| if r < R { sums[r][0] } else { _mm512_setzero_ps() });
            for (r, line) in transposed(lines).into_iter().enumerate().take(rows) {
                let c = self.c.offset((row + r) as isize * self.c_stride).add(column);
                self.store(c, mask(R), line);
            }
        }
    }

    /// Writes the lanes of the mask, or adds to what is there.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store(&self, c: *mut f32, mask: __mmask16, mut sum: __m512) {
        // SAFETY: the lanes that the mask tells lie in C.
        unsafe {
            if matches!(self.onto, Onto::This) {
                sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), sum);
            }
            _mm512_mask_storeu_ps(c, mask, sum);
        }
    }
}

/// Adds to the sums of `R` rows the row's value times what was loaded.
///
/// # Safety
///
/// `values` has `R` values, `stride` from each other; the CPU has AVX-512.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn add<const R: usize, const V: usize>(
    sums: &mut [[__m512; V]; R],
    values: *const f32,
    stride: isize,
    loaded: [__m512; V],
) {
    for (r, sums) in sums.iter_mut().enumerate() {
        // SAFETY: `r` is below `R`.
        let value = _mm512_set1_ps(unsafe { *values.offset(r as isize * stride) });
        for v in 0..V {
            sums[v] = _mm512_fmadd_ps(value, loaded[v], sums[v]);
        }
    }
}

/// Cuts `0..total` into as few parts as there can be of no more than `most`, all of nearly one length: the start
/// and the length of each.
#[inline]
pub(crate) fn parts(total: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = total.div_ceil(most);
    let (least, longer) = (total / count.max(1), total % count.max(1));
    let mut end = 0;
    (0..count).map(move |i| {
        let len = least + usize::from(i < longer);
        end += len;
        (end - len, len)
    })
}

/// The lowest `left` lanes, or all.
#[inline(always)]
pub(crate) fn mask(left: usize) -> __mmask16 {
    if left >= LANES { !0 } else { (1 << left) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, linalg::general_mat_mul, s};

    fn random(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
        let mut rng = crate::Seed(seed).rng();
        Array2::from_shape_simple_fn((rows, columns), || rng.normal() as f32)
    }

    #[test]
    fn every_size_of_block_and_mask() {
        if level() < Level::Avx512 {
            return;
        }
        for (m, n, k) in
            [(3, 1, 1), (7, 15, 3), (8, 16, 16), (13, 17, 33), (16, 32, 5), (21, 49, 40), (40, 70, 17)]
        {
            let (a, b, at, bt) = (random(m, k, 1), random(k, n, 2), random(k, m, 3), random(n, k, 4));
            let wide = random(2 * m, 2 * k, 5);
            for (a, b) in [
                (a.view(), b.view()),
                (at.t(), b.view()),
                (wide.slice(s![..m, k..]), b.view()),
                (wide.slice(s![..;2, ..;2]), b.view()),
                (a.view(), bt.t()),
                (wide.slice(s![m.., ..k]), bt.t()),
            ] {
                for beta in [0.0, 1.0] {
                    let mut room = random(m, 2 * n, 6);
                    let before = room.clone();
                    let mut right = room.slice(s![.., n..]).to_owned();
                    general_mat_mul(1.0, &a, &b, beta, &mut right);
                    assert!(product([(a, b)], beta, &mut room.slice_mut(s![.., n..])));
                    for (found, right) in room.slice(s![.., n..]).iter().zip(&right) {
                        assert!(
                            (found - right).abs() < 1e-4 * (1.0 + right.abs()),
                            "{m} {n} {k}: {found} {right}"
                        );
                    }
                    assert_eq!(room.slice(s![.., ..n]), before.slice(s![.., ..n]), "nothing else is touched");
                }
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_how_a_product_is_cut() {
        if level() < Level::Avx512 {
            return;
        }
        let (a, b, bt) = (random(32, 100, 1), random(100, 50, 2), random(50, 100, 3));
        for b in [b.view(), bt.t()] {
            let (mut whole, mut parts) = (Array2::zeros((32, 50)), Array2::zeros((32, 50)));
            assert!(product([(a.view(), b)], 0.0, &mut whole.view_mut()));
            for (rows, columns) in [(0..9, 0..50), (9..32, 0..21), (9..32, 21..50)] {
                let (a, b) = (a.slice(s![rows.clone(), ..]), b.slice(s![.., columns.clone()]));
                assert!(product([(a, b)], 0.0, &mut parts.slice_mut(s![rows, columns])));
            }
            assert_eq!(whole, parts);
        }
    }

    #[test]
    fn two_products_are_one_of_operands_put_together() {
        if level() < Level::Avx512 {
            return;
        }
        let (x, dy) = (random(21, 40, 1), random(21, 50, 2));
        let part = |rows: std::ops::Range<usize>| {
            (x.slice(s![rows.clone(), ..]).reversed_axes(), dy.slice(s![rows, ..]))
        };
        for beta in [0.0, 1.0] {
            let (mut whole, mut pair) = (random(40, 50, 3), random(40, 50, 3));
            assert!(product([part(0..21)], beta, &mut whole.view_mut()));
            assert!(product([part(0..8), part(8..21)], beta, &mut pair.view_mut()));
            assert_eq!(whole, pair);
        }
        let other = (random(40, 8, 4), random(8, 50, 5));
        let parts = [part(0..8), (other.0.view(), other.1.view())];
        assert!(
            !product(parts, 0.0, &mut Array2::zeros((40, 50)).view_mut()),
            "layouts that differ are left"
        );
    }
}
