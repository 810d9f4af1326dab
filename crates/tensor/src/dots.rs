//! Products in single precision whose terms lie side by side in both operands, for CPUs with AVX-512.
//!
//! In `C = A Bᵀ` a value of C is the product of a row of A and a row of B. A block of up to 24 such sums stays in
//! registers, each in 16 interleaved parts, while the rows go by: neither operand is copied or spread. The parts
//! are added up once, at the end, which pays for long rows.

use std::arch::x86_64::*;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::Taps;
use crate::direct::{LANES, mask, parts, with_constant};
use crate::isa::{Level, level};

/// [`Taps::product_transposed`] for shapes that fit, if the CPU and the layout suit; else `false`, and nothing is done.
pub(crate) fn taps_product_transposed(
    taps: Taps<'_>,
    a: &ArrayView2<'_, f32>,
    values: &[f32],
    c: &mut ArrayViewMut2<'_, f32>,
) -> bool {
    let (a_rows, columns) = a.dim();
    // The stride of an axis with one place is never taken, and may be anything.
    let packed = |stride: isize, len: usize| stride == 1 || len <= 1;
    if level() < Level::Avx512 || !packed(a.strides()[1], columns) {
        return false;
    }
    // Estimated cycles for each row of B. Here, 24 sums take 12 for each register of columns, and 50 at the end.
    let dots = a_rows * (12 * columns.div_ceil(LANES) + 50) / 24;
    // There, a register of rows of A takes half of one for each column, if enough sums are under way.
    let registers = a_rows.div_ceil(LANES);
    let busy = 8usize.div_ceil(taps.rows.min(8) * registers.min(3));
    let spread = registers * columns * busy * if registers == 1 { 10 } else { 8 } / 16;
    if spread < dots && packed(c.strides()[0], a_rows) {
        crate::direct::taps_product_transposed(taps, a, values, c);
        return true;
    }
    let dots = Dots {
        columns,
        a_rows,
        a: a.as_ptr(),
        a_stride: a.strides()[0],
        starts: taps.starts,
        b_rows: taps.rows,
        b: values.as_ptr(),
        b_stride: taps.pitch as isize,
        c: c.as_mut_ptr(),
        c_strides: [c.strides()[0], c.strides()[1]],
    };
    // SAFETY: the CPU has AVX-512. The rows of `taps` are within `values`, and A and C have the sizes that go with
    // it; `c` is borrowed mutably, so it overlaps neither of the others.
    unsafe { dots.add() };
    true
}

/// The operands by pointer, with the distances, in values, from one row to the next.
///
/// The rows of B come in groups, `b_stride` from each other: a row lies `starts[i]` beyond its group's beginning.
#[derive(Clone, Copy)]
struct Dots<'a> {
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

impl Dots<'_> {
    /// Adds the products to C.
    ///
    /// # Safety
    ///
    /// Here and below: every value of the operands is in bounds, C may be written and overlaps nothing, and the
    /// CPU has AVX-512. The parts of the operands that are handed on are within them.
    #[target_feature(enable = "avx512f")]
    unsafe fn add(self) {
        // With the values of a column of A and one of B, the sums fill the registers.
        let (a_most, b_most) = match self.a_rows {
            ..=3 => (3, 8),
            5 | 6 => (6, 4),
            _ => (4, 6),
        };
        for (b_row, b_rows) in parts(self.starts.len() * self.b_rows, b_most) {
            // SAFETY: these rows are some of the product's.
            unsafe {
                with_constant!(b_rows, [1 2 3 4 5 6 7 8], |Q| self.rows::<Q>(b_row, a_most));
            }
        }
    }

    /// All rows of A, no more than `a_most` at a time, times `Q` rows of B.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows<const Q: usize>(self, b_row: usize, a_most: usize) {
        let places: [isize; Q] = std::array::from_fn(|q| {
            let (group, i) = ((b_row + q) / self.starts.len(), (b_row + q) % self.starts.len());
            group as isize * self.b_stride + self.starts[i] as isize
        });
        for (a_row, a_rows) in parts(self.a_rows, a_most) {
            // SAFETY: the block is within the product.
            unsafe {
                match Q {
                    ..5 => {
                        with_constant!(a_rows, [1 2 3 4 5 6], |R| self.block::<R, Q>(a_row, b_row, places))
                    }
                    5 | 6 => with_constant!(a_rows, [1 2 3 4], |R| self.block::<R, Q>(a_row, b_row, places)),
                    _ => with_constant!(a_rows, [1 2 3], |R| self.block::<R, Q>(a_row, b_row, places)),
                }
            }
        }
    }

    /// `R` rows of A times `Q` rows of B, which begin at these places.
    #[target_feature(enable = "avx512f")]
    unsafe fn block<const R: usize, const Q: usize>(self, a_row: usize, b_row: usize, places: [isize; Q]) {
        let whole = self.columns / LANES * LANES;
        let rest = self.columns - whole;
        let mut sums = [[_mm512_setzero_ps(); Q]; R];
        // SAFETY: all rows are within their operands, and a masked load touches only what its mask tells.
        unsafe {
            let a = self.a.offset(a_row as isize * self.a_stride);
            let a: [_; R] = std::array::from_fn(|r| a.offset(r as isize * self.a_stride));
            let b: [_; Q] = places.map(|place| self.b.offset(place));
            for column in (0..whole).step_by(LANES) {
                let a = a.map(|a| _mm512_loadu_ps(a.add(column)));
                for q in 0..Q {
                    let b = _mm512_loadu_ps(b[q].add(column));
                    for r in 0..R {
                        sums[r][q] = _mm512_fmadd_ps(a[r], b, sums[r][q]);
                    }
                }
            }
            if rest > 0 {
                let a = a.map(|a| _mm512_maskz_loadu_ps(mask(rest), a.add(whole)));
                for q in 0..Q {
                    let b = _mm512_maskz_loadu_ps(mask(rest), b[q].add(whole));
                    for r in 0..R {
                        sums[r][q] = _mm512_fmadd_ps(a[r], b, sums[r][q]);
                    }
                }
            }
            // Indexed by constants alone, or the sums above would live in memory.
            let mut half = [[_mm512_setzero_ps(); LANES]; 2];
            for r in 0..R {
                for q in 0..Q {
                    half[(r * Q + q) / LANES][(r * Q + q) % LANES] = sums[r][q];
                }
            }
            let mut totals = [0.0; 2 * LANES];
            _mm512_storeu_ps(totals.as_mut_ptr(), lanes_added(half[0]));
            if R * Q > LANES {
                _mm512_storeu_ps(totals.as_mut_ptr().add(LANES), lanes_added(half[1]));
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
fn lanes_added(rows: [__m512; LANES]) -> __m512 {
    // Each step adds one half of the lanes to the other, and keeps two registers in the place of one.
    let pairs: [__m512; 8] = std::array::from_fn(|i| {
        let (a, b) = (rows[2 * i], rows[2 * i + 1]);
        _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b))
    });
    let fours: [__m512; 4] = std::array::from_fn(|i| {
        let (a, b) = (_mm512_castps_pd(pairs[2 * i]), _mm512_castps_pd(pairs[2 * i + 1]));
        let (low, high) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
        _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high))
    });
    // Now lane l of a quarter belongs to row l of four.
    let eights: [__m512; 2] = std::array::from_fn(|i| {
        let (a, b) = (fours[2 * i], fours[2 * i + 1]);
        _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b))
    });
    let [a, b] = eights;
    _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b))
}
