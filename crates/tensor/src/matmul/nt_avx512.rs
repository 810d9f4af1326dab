//! Products of rows with rows, `C = A Bᵀ` ("nt": not transposed, transposed), for AVX-512 in single precision.
//!
//! The terms of a value are contiguous in both operands: a value of C is the dot product of a row of A and a row of B. A block of
//! up to 24 such sums stays in registers, each in 16 interleaved parts, while the rows are read: neither operand is copied or
//! broadcast. The parts are added up once, at the end, which pays off for long rows.

use std::arch::x86_64::*;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::small_avx512;
use crate::simd::avx512::{LANES, mask};
use crate::simd::blocking::{even_parts, with_constant};
use crate::simd::level::{Level, level};
use crate::simd::operands::ImplicitWindows;

/// The maximum number of terms that are added in one chain, of which a value has [`LANES`].
const CHAIN: usize = 96;

/// The maximum number of sums of a block.
const MAX_SUMS: usize = 24;

/// [`ImplicitWindows::add_product_transposed`] for shapes that fit, if the CPU and the layout suit; otherwise `false`, and
/// nothing is done.
pub(crate) fn add_implicit_product_transposed(
    windows: ImplicitWindows<'_>,
    a: &ArrayView2<'_, f32>,
    values: &[f32],
    c: &mut ArrayViewMut2<'_, f32>,
) -> bool {
    let (a_rows, columns) = a.dim();
    // The stride of an axis of length 1 is never used, and may be anything.
    let packed = |stride: isize, len: usize| stride == 1 || len <= 1;
    if level() < Level::Avx512 || !packed(a.strides()[1], columns) {
        return false;
    }
    // Estimated cycles for each row of B. Here, 24 sums take 12 for each register of columns, and 50 at the end.
    let dot_products = a_rows * (12 * columns.div_ceil(LANES) + 50) / 24;
    // There, a register of rows of A takes half a cycle for each column, if enough sums are in progress.
    let registers = a_rows.div_ceil(LANES);
    let busy = 8usize.div_ceil(windows.rows.min(8) * registers.min(3));
    let broadcasts = registers * columns * busy * if registers == 1 { 10 } else { 8 } / 16;
    if broadcasts < dot_products && packed(c.strides()[0], a_rows) {
        small_avx512::add_implicit_product_transposed(windows, a, values, c);
        return true;
    }
    let operands = Operands {
        columns,
        a_rows,
        a: a.as_ptr(),
        a_stride: a.strides()[0],
        starts: windows.starts,
        b_rows: windows.rows,
        b: values.as_ptr(),
        b_stride: windows.pitch as isize,
        c: c.as_mut_ptr(),
        c_strides: [c.strides()[0], c.strides()[1]],
    };
    for (first, columns) in even_parts(columns, CHAIN * LANES) {
        let (a, b) = (operands.a.wrapping_add(first), operands.b.wrapping_add(first));
        // SAFETY: the CPU has AVX-512. All rows of `windows` are within `values`, and A and C have the sizes that go with
        // it; `c` is borrowed mutably, so it overlaps neither of the others.
        unsafe { Operands { columns, a, b, ..operands }.add() };
    }
    true
}

/// The operands by pointer, and their strides in values.
///
/// The rows of B come in groups, `b_stride` apart: row `i` of a group begins `starts[i]` after the group's start.
#[derive(Clone, Copy)]
struct Operands<'a> {
    columns: usize,
    a_rows: usize,
    a: *const f32,
    a_stride: isize,
    starts: &'a [usize],
    b_rows: usize,
    b: *const f32,
    b_stride: isize,
    c: *mut f32,
    c_strides: [isize; 2],
}

impl Operands<'_> {
    /// Adds the products to C.
    ///
    /// # Safety
    ///
    /// Here and below: every value of the operands is in bounds, C may be written and overlaps nothing, and the
    /// CPU has AVX-512. The parts of the operands that are passed on are within them.
    #[target_feature(enable = "avx512f")]
    unsafe fn add(self) {
        // With the values of a column of A and one of B, the sums fill the registers.
        let (max_a_rows, max_b_rows) = match self.a_rows {
            ..=3 => (3, 8),
            5 | 6 => (6, 4),
            _ => (4, 6),
        };
        for (b_row, b_rows) in even_parts(self.starts.len() * self.b_rows, max_b_rows) {
            // SAFETY: these rows are some of the product's.
            unsafe {
                with_constant!(b_rows, [1 2 3 4 5 6 7 8], |Q| self.rows::<Q>(b_row, max_a_rows));
            }
        }
    }

    /// All rows of A, no more than `max_a_rows` at a time, times `Q` rows of B.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows<const Q: usize>(self, b_row: usize, max_a_rows: usize) {
        let mut offsets = [0; Q];
        for q in 0..Q {
            let (group, i) = ((b_row + q) / self.starts.len(), (b_row + q) % self.starts.len());
            offsets[q] = group as isize * self.b_stride + self.starts[i] as isize;
        }
        for (a_row, a_rows) in even_parts(self.a_rows, max_a_rows) {
            // SAFETY: the block is within the product.
            unsafe {
                with_constant!(a_rows, [1 2 3 4 5 6], |R| {
                    // Larger blocks are not compiled.
                    if const { R * Q <= MAX_SUMS } {
                        self.block::<R, Q>(a_row, b_row, offsets);
                    }
                });
            }
        }
    }

    /// `R` rows of A times `Q` rows of B, which begin at these offsets.
    #[target_feature(enable = "avx512f")]
    unsafe fn block<const R: usize, const Q: usize>(self, a_row: usize, b_row: usize, offsets: [isize; Q]) {
        let whole = self.columns / LANES * LANES;
        let rest = self.columns - whole;
        let mut sums = [[_mm512_setzero_ps(); Q]; R];
        // SAFETY: all rows are within their operands, and a masked load touches only the lanes of its mask.
        unsafe {
            let a = self.a.offset(a_row as isize * self.a_stride);
            let mut a_rows = [a; R];
            for r in 0..R {
                a_rows[r] = a.offset(r as isize * self.a_stride);
            }
            let mut b_rows = [self.b; Q];
            for q in 0..Q {
                b_rows[q] = self.b.offset(offsets[q]);
            }
            let mut a = [_mm512_setzero_ps(); R];
            for column in (0..whole).step_by(LANES) {
                for r in 0..R {
                    a[r] = _mm512_loadu_ps(a_rows[r].add(column));
                }
                for q in 0..Q {
                    let b = _mm512_loadu_ps(b_rows[q].add(column));
                    for r in 0..R {
                        sums[r][q] = _mm512_fmadd_ps(a[r], b, sums[r][q]);
                    }
                }
            }
            if rest > 0 {
                for r in 0..R {
                    a[r] = _mm512_maskz_loadu_ps(mask(rest), a_rows[r].add(whole));
                }
                for q in 0..Q {
                    let b = _mm512_maskz_loadu_ps(mask(rest), b_rows[q].add(whole));
                    for r in 0..R {
                        sums[r][q] = _mm512_fmadd_ps(a[r], b, sums[r][q]);
                    }
                }
            }
            // Indexed by constants alone, or the sums above would be kept in memory.
            let mut half = [[_mm512_setzero_ps(); LANES]; 2];
            for r in 0..R {
                for q in 0..Q {
                    half[(r * Q + q) / LANES][(r * Q + q) % LANES] = sums[r][q];
                }
            }
            let mut totals = [0.0; 2 * LANES];
            _mm512_storeu_ps(totals.as_mut_ptr(), lane_sums(half[0]));
            if R * Q > LANES {
                _mm512_storeu_ps(totals.as_mut_ptr().add(LANES), lane_sums(half[1]));
            }
            for r in 0..R {
                let c = self.c.offset((a_row + r) as isize * self.c_strides[0]);
                for q in 0..Q {
                    *c.offset((b_row + q) as isize * self.c_strides[1]) += totals[r * Q + q];
                }
            }
        }
    }
}

/// The sum of the lanes of each of 16 registers: of the i-th in lane i.
#[target_feature(enable = "avx512f")]
#[inline]
fn lane_sums(rows: [__m512; LANES]) -> __m512 {
    // Each step adds one half of the lanes to the other, and packs two registers into one.
    let mut pairs = [_mm512_setzero_pd(); 8];
    for i in 0..8 {
        let (a, b) = (rows[2 * i], rows[2 * i + 1]);
        pairs[i] = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
    }
    let mut fours = [_mm512_setzero_ps(); 4];
    for i in 0..4 {
        let (a, b) = (pairs[2 * i], pairs[2 * i + 1]);
        let (low, high) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
        fours[i] = _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high));
    }
    // Now lane l of a quarter belongs to row l of four.
    let mut eights = [_mm512_setzero_ps(); 2];
    for i in 0..2 {
        let (a, b) = (fours[2 * i], fours[2 * i + 1]);
        eights[i] = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
    }
    let [a, b] = eights;
    _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b))
}
