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

/// How many values a register holds.
const LANES: usize = 16;

/// How many rows of C a block has.
const ROWS: usize = 8;

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

/// `C = A B + beta C`, if `beta` is 0 or 1 and the sizes and layouts suit; else `false`, and nothing is done.
#[inline]
pub(crate) fn product(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) -> bool {
    let ((m, k), n) = (a.dim(), b.ncols());
    let suits = m >= FEWEST && n.saturating_mul(m.max(k)) <= LARGEST && (beta == 0.0 || beta == 1.0);
    // The stride of an axis with one place is never taken, and may be anything.
    let packed = |stride: isize, len: usize| stride == 1 || len == 1;
    if !suits || level() < Level::Avx512 || !packed(c.strides()[1], n) {
        return false;
    }
    let operands = Operands {
        rows: m,
        columns: n,
        depth: k,
        a: a.as_ptr(),
        a_strides: [a.strides()[0], a.strides()[1]],
        b: b.as_ptr(),
        b_strides: [b.strides()[0], b.strides()[1]],
        accumulate: beta == 1.0,
        c: c.as_mut_ptr(),
        c_stride: c.strides()[0],
    };
    // SAFETY: the CPU has AVX-512. Pointers and strides are those of views of just these sizes, and `c` is
    // borrowed mutably, so it overlaps neither of the others.
    unsafe {
        if packed(operands.b_strides[1], n) {
            operands.rows();
            true
        } else if packed(operands.b_strides[0], k)
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

/// The operands by pointer, and the distances, in values, from one row or column to the next. Those of C's
/// columns are 1.
#[derive(Clone, Copy)]
struct Operands {
    rows: usize,
    columns: usize,
    depth: usize,
    a: *const f32,
    a_strides: [isize; 2],
    b: *const f32,
    b_strides: [isize; 2],
    accumulate: bool,
    c: *mut f32,
    c_stride: isize,
}

impl Operands {
    /// The product where the columns of B lie side by side.
    ///
    /// # Safety
    ///
    /// Here and below: every value of the operands is in bounds, C may be written and overlaps nothing, and the
    /// CPU has AVX-512. The parts of the operands that are handed on are within them.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows(self) {
        for column in (0..self.columns).step_by(2 * LANES) {
            let left = self.columns - column;
            // SAFETY: these columns are some of the product's.
            unsafe {
                if left > LANES {
                    self.rows_of_columns(column, [!0, mask(left - LANES)]);
                } else {
                    self.rows_of_columns(column, [mask(left)]);
                }
            }
        }
    }

    /// All rows of the columns from `column` on that the masks tell.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows_of_columns<const V: usize>(self, column: usize, masks: [__mmask16; V]) {
        let mut row = 0;
        // SAFETY: each block's rows are some of the product's.
        unsafe {
            while self.rows - row >= ROWS {
                self.block::<ROWS, V>(row, column, masks);
                row += ROWS;
            }
            if self.rows - row >= 4 {
                self.block::<4, V>(row, column, masks);
                row += 4;
            }
            while row < self.rows {
                self.block::<1, V>(row, column, masks);
                row += 1;
            }
        }
    }

    /// `R` rows and `V` registers of columns.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn block<const R: usize, const V: usize>(self, row: usize, column: usize, masks: [__mmask16; V]) {
        // SAFETY: row and column lie in the operands, and a masked load touches only what its mask tells.
        unsafe {
            let a = self.a.offset(row as isize * self.a_strides[0]);
            let b = self.b.add(column);
            let load = |p: isize| -> [__m512; V] {
                let b = b.offset(p * self.b_strides[0]);
                std::array::from_fn(|v| _mm512_maskz_loadu_ps(masks[v], b.wrapping_add(v * LANES)))
            };
            let sums = sums::<R, V>(self.depth, a, self.a_strides, load);
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
    unsafe fn columns(self) {
        let mut panel = [const { MaybeUninit::<f32>::uninit() }; DEPTH * LANES];
        let panel: *mut f32 = panel.as_mut_ptr().cast();
        // SAFETY: the panel has room for `depth` rows of 16, and is written before it is read; blocks of rows
        // and columns are within the product.
        unsafe {
            for row in (0..self.rows).step_by(LANES) {
                let rows = (self.rows - row).min(LANES);
                self.transpose(row, rows, panel);
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

    /// Writes up to 16 rows of A to `panel` as columns.
    #[target_feature(enable = "avx512f")]
    unsafe fn transpose(self, row: usize, rows: usize, panel: *mut f32) {
        // SAFETY: rows beyond `rows` are not read, and the masks leave out columns beyond `depth`.
        unsafe {
            let a = self.a.offset(row as isize * self.a_strides[0]);
            for column in (0..self.depth).step_by(LANES) {
                let columns = (self.depth - column).min(LANES);
                let lines: [__m512; LANES] = std::array::from_fn(|r| match r < rows {
                    true => {
                        let a = a.offset(r as isize * self.a_strides[0]).add(column);
                        _mm512_maskz_loadu_ps(mask(columns), a)
                    }
                    false => _mm512_setzero_ps(),
                });
                for (c, line) in transposed(lines).into_iter().enumerate().take(columns) {
                    _mm512_storeu_ps(panel.add((column + c) * LANES), line);
                }
            }
        }
    }

    /// Up to 16 rows, which `panel` holds as columns, and `R` columns.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn block_of_columns<const R: usize>(
        self,
        row: usize,
        rows: usize,
        column: usize,
        panel: *const f32,
    ) {
        // SAFETY: row and column lie in the operands; the panel has `depth` rows of 16.
        unsafe {
            let b = self.b.offset(column as isize * self.b_strides[1]);
            let load = |p: isize| [_mm512_loadu_ps(panel.offset(p * LANES as isize))];
            let sums = sums::<R, 1>(self.depth, b, [self.b_strides[1], self.b_strides[0]], load);
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
    unsafe fn store(self, c: *mut f32, mask: __mmask16, mut sum: __m512) {
        // SAFETY: the lanes that the mask tells lie in C.
        unsafe {
            if self.accumulate {
                sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), sum);
            }
            _mm512_mask_storeu_ps(c, mask, sum);
        }
    }
}

/// For `R` rows, the sum over `depth` of the row's value times the registers that `load` gives.
///
/// # Safety
///
/// `values` has `R` rows of `depth` values at these strides; the CPU has AVX-512.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn sums<const R: usize, const V: usize>(
    depth: usize,
    values: *const f32,
    strides: [isize; 2],
    load: impl Fn(isize) -> [__m512; V],
) -> [[__m512; V]; R] {
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    for p in 0..depth as isize {
        let loaded = load(p);
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `r` is below `R` and `p` below `depth`.
            let value = unsafe { *values.offset(p * strides[1] + r as isize * strides[0]) };
            let value = _mm512_set1_ps(value);
            for v in 0..V {
                sums[v] = _mm512_fmadd_ps(value, loaded[v], sums[v]);
            }
        }
    }
    sums
}

/// The transposed of 16 by 16 values: first within pairs of rows, then fours, then between quarters.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed(rows: [__m512; LANES]) -> [__m512; LANES] {
    // After this, quarter q of `fours[4g + c]` holds column 4q + c of rows 4g to 4g + 3.
    let fours: [__m512; LANES] = std::array::from_fn(|i| {
        let (group, column) = (i / 4 * 4, i % 4);
        let pair = |first: usize| {
            let (a, b) = (rows[group + first], rows[group + first + 1]);
            _mm512_castps_pd(if column < 2 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) })
        };
        let (low, high) = (pair(0), pair(2));
        _mm512_castpd_ps(match column % 2 {
            0 => _mm512_unpacklo_pd(low, high),
            _ => _mm512_unpackhi_pd(low, high),
        })
    });
    std::array::from_fn(|column| {
        let (quarter, c) = (column / 4, column % 4);
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        // Quarters 0 and 2, or 1 and 3, of two groups of rows; then the one that is wanted of all four.
        match quarter {
            0 => _mm512_shuffle_f32x4::<0x88>(
                _mm512_shuffle_f32x4::<0x88>(a, b),
                _mm512_shuffle_f32x4::<0x88>(d, e),
            ),
            1 => _mm512_shuffle_f32x4::<0x88>(
                _mm512_shuffle_f32x4::<0xdd>(a, b),
                _mm512_shuffle_f32x4::<0xdd>(d, e),
            ),
            2 => _mm512_shuffle_f32x4::<0xdd>(
                _mm512_shuffle_f32x4::<0x88>(a, b),
                _mm512_shuffle_f32x4::<0x88>(d, e),
            ),
            _ => _mm512_shuffle_f32x4::<0xdd>(
                _mm512_shuffle_f32x4::<0xdd>(a, b),
                _mm512_shuffle_f32x4::<0xdd>(d, e),
            ),
        }
    })
}

/// The lowest `left` lanes, or all.
#[inline(always)]
fn mask(left: usize) -> __mmask16 {
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
                    assert!(product(&a, &b, beta, &mut room.slice_mut(s![.., n..])));
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
            assert!(product(&a.view(), &b, 0.0, &mut whole.view_mut()));
            for (rows, columns) in [(0..9, 0..50), (9..32, 0..21), (9..32, 21..50)] {
                let (a, b) = (a.slice(s![rows.clone(), ..]), b.slice(s![.., columns.clone()]));
                assert!(product(&a, &b, 0.0, &mut parts.slice_mut(s![rows, columns])));
            }
            assert_eq!(whole, parts);
        }
    }
}
