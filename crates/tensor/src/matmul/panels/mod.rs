//! Products in panels of a few columns, over [`Lanes`](crate::simd::lanes::Lanes).
//!
//! BLAS copies ("packs") both operands into the order in which its kernel reads them, which pays off for large matrices. Here both are
//! copied only where that gains something:
//!
//! - The columns of C are cut into panels of up to two vectors, or of four for few rows. A block of up to 6 rows of a panel stays
//!   in registers while K advances, see `tile`.
//! - A panel of B is packed if its rows are not contiguous (`dX = dZ Wᵀ`: 8 by 8 numbers are transposed in registers), if it does
//!   not fill its vectors, or if many rows of C are computed from a part of B that is spread over much memory.
//! - Rows of A are packed if there are many columns, or if its own columns are stored at distances that collide in the cache.
//! - K is cut into parts of at most 96 terms, whose panels of B stay in the first cache. While one part is multiplied, the next one of a
//!   large B is requested from memory.
//!
//! There may be several products whose sum is C, with one K: `dW = Σ Xᵀ dZ` over the shards of a batch. And one operand may be a matrix
//! of [`ImplicitWindows`], whose rows begin anywhere: those of an image, which a convolution multiplies with.
//!
//! The terms of a part are added in their order, each with one rounding, and the sums of the parts are added in their order and
//! then to C, wherever the value is in C. So the bits depend on K alone: not on the width of the vectors, not on the layout of the
//! operands, and not on how C is cut into results, or K into products. One chain for all of K would be less exact by its length: 900
//! equal terms were off by 1e-5 in single precision, where the sums of parts are off by less than 2e-6.

mod operands;
mod pack;
mod scratch;
mod stack;
#[cfg(test)]
mod tests;
mod tile;

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

pub(super) use self::operands::is_shallow;
use self::operands::{Operands, Term, Windows};
use self::stack::List;
use super::MAX_PRODUCTS;
use crate::real::Real;
use crate::simd::lanes::Lanes;
use crate::simd::level::{Level, level};
use crate::simd::operands::{Choice, ImplicitWindows, Indices, Init, Used};

/// How products are computed: [`Operands::compute`] for some lanes.
///
/// It is a function that is not generic, and so compiled once, and not in every crate that multiplies.
#[derive(Clone, Copy)]
pub(crate) struct Compute<T>(unsafe fn(&Operands<'_, T>));

impl<T: Real> Compute<T> {
    /// With these lanes.
    ///
    /// # Safety
    ///
    /// The CPU has their instructions.
    pub(crate) unsafe fn with<L: Lanes<Number = T>>() -> Self {
        /// # Safety
        ///
        /// That of [`Operands::compute`].
        unsafe fn compute<L: Lanes>(operands: &Operands<'_, L::Number>) {
            // SAFETY: the caller's.
            unsafe { operands.compute::<L>() }
        }
        Self(compute::<L>)
    }
}

/// `C = alpha Σ A B + beta C`, if the sizes and layouts suit, and all products have the layouts of the first; otherwise `false`, and
/// nothing is done. Without [`Choice::Faster`], all sizes suit, and every layout in which C has contiguous rows or columns.
pub(crate) fn product<T: Real>(
    choice: Choice,
    alpha: T,
    products: &[(ArrayView2<'_, T>, ArrayView2<'_, T>)],
    used: Used<'_>,
    beta: T,
    c: &mut ArrayViewMut2<'_, T>,
    compute: Compute<T>,
) -> bool {
    let (m, n) = c.dim();
    // Cᵀ = Bᵀ Aᵀ has contiguous rows; a single column is best computed as a row.
    let transposes = m > 1 && c.strides()[0] == 1 && (n == 1 || c.strides()[1] != 1);
    let of = |(a, b): &(ArrayView2<'_, T>, ArrayView2<'_, T>)| match transposes {
        true => (layout(b, true), layout(a, true)),
        false => (layout(a, false), layout(b, false)),
    };
    let of_c = layout(&c.view(), transposes);
    // The one with the most terms has strides that mean something.
    let longest = match products {
        [one] => Some(one),
        _ => products.iter().max_by_key(|(a, _)| a.ncols()),
    };
    let Some((of_a, of_b)) = longest.map(of) else { return false };
    let mut terms = List::<_, MAX_PRODUCTS>::new();
    let mut depth = 0;
    for product in products {
        let (a, b) = of(product);
        if terms.len() == MAX_PRODUCTS || !a.is_like(&of_a) || !b.is_like(&of_b) {
            return false;
        }
        if a.dim[1] > 0 {
            terms.push(Term { a: a.from, b: b.from, depth: a.dim[1] });
            depth += a.dim[1];
        }
    }
    let [m, n] = of_c.dim;
    let is_plain = alpha == T::one() && (beta == T::zero() || beta == T::one());
    let size = Size {
        rows: m,
        columns: n,
        depth,
        a_by_columns: m > 1 && of_a.strides[0] == 1,
        b_by_columns: n > 1 && of_b.strides[1] != 1,
        accumulates: beta == T::one(),
    };
    let suits = match choice {
        Choice::Faster => {
            let [row, column] = of_b.strides;
            is_plain && (is_packed(column, n) || is_packed(row, depth)) && size.is_fast()
        }
        Choice::Always | Choice::Portable => true,
    };
    if !suits || terms.is_empty() || m == 0 || n == 0 || !is_packed(of_c.strides[1], n) {
        return false;
    }
    let accumulates = beta != T::zero();
    if accumulates && beta != T::one() {
        c.mapv_inplace(|c| beta * c);
    }
    let [row, column] = of_b.strides;
    let used = used.without_marks();
    let used = match used {
        // It takes the time to go through C anyway.
        _ if is_shallow(n, depth) => Used::All,
        Used::Columns(_) if !transposes && terms.len() == 1 && is_packed(of_a.strides[1], depth) => used,
        Used::Rows(_) if !transposes && !accumulates => used,
        _ => Used::All,
    };
    let operands = Operands {
        rows: if let Used::Rows(rows) = used { rows.len() } else { m },
        columns: n,
        used,
        terms: &terms,
        a_strides: of_a.strides,
        b_strides: if is_packed(column, n) { [row, 1] } else { [row, column] },
        windows: Windows::None,
        alpha,
        init: if accumulates { Init::Accumulate } else { Init::Zeros },
        c: c.as_mut_ptr(),
        c_stride: of_c.strides[0],
    };
    // SAFETY: the CPU has the instructions. Pointers and strides are those of views of just these sizes, and `c` is borrowed
    // mutably, so it overlaps neither of the others. Rows that are listed are some of its rows.
    unsafe {
        (compute.0)(&operands);
        if let Used::Rows(rows) = used {
            spread(rows, operands.c, operands.c_stride, of_c.dim);
        }
    }
    true
}

/// Moves the first rows of a matrix to where these are, and makes all others zeros.
///
/// # Safety
///
/// The matrix may be written. Its rows are contiguous.
unsafe fn spread<T: Real>(to: Indices<'_>, c: *mut T, stride: isize, [rows, columns]: [usize; 2]) {
    // SAFETY: the caller's.
    let row = |index: usize| unsafe { c.offset(index as isize * stride) };
    let zeros = |range: Range<usize>| {
        // SAFETY: as above; a number of zero bits is 0.
        range.for_each(|index| unsafe { row(index).write_bytes(0, columns) });
    };
    let mut end = rows;
    // From the last on, so that none is overwritten before it is moved.
    for (from, to) in to.iter().enumerate().rev() {
        zeros(to + 1..end);
        if from != to {
            // SAFETY: as above; the rows do not overlap.
            unsafe { row(to).copy_from_nonoverlapping(row(from), columns) };
        }
        end = to;
    }
    zeros(0..end);
}

/// A matrix by pointer: its numbers of rows and columns, and their strides.
struct Strided<T> {
    from: *const T,
    dim: [usize; 2],
    strides: [isize; 2],
}

impl<T> Strided<T> {
    /// Whether all steps from one value to another are those of `other`. The stride of an axis of length 1 is never used.
    fn is_like(&self, other: &Self) -> bool {
        (0..2).all(|axis| self.dim[axis] <= 1 || self.strides[axis] == other.strides[axis])
    }
}

/// Whether the values along an axis are contiguous. The stride of an axis of length 1 is never used, and may be anything.
fn is_packed(stride: isize, len: usize) -> bool {
    stride == 1 || len == 1
}

/// A matrix or its transpose.
fn layout<T>(view: &ArrayView2<'_, T>, transposed: bool) -> Strided<T> {
    let ((rows, columns), strides) = (view.dim(), view.strides());
    let (dim, strides) = match transposed {
        true => ([columns, rows], [strides[1], strides[0]]),
        false => ([rows, columns], [strides[0], strides[1]]),
    };
    Strided { from: view.as_ptr(), dim, strides }
}

/// [`ImplicitWindows::product`] for shapes that fit, if the layout suits; otherwise `false`, and nothing is done.
pub(crate) fn implicit_product<T: Real>(
    windows: ImplicitWindows<'_>,
    a: &ArrayView2<'_, T>,
    values: &[T],
    init: Init<'_, T>,
    c: &mut ArrayViewMut2<'_, T>,
    compute: Compute<T>,
) -> bool {
    let ((m, n), depth) = (c.dim(), a.ncols());
    if m == 0 || n == 0 || depth == 0 || !is_packed(c.strides()[1], n) {
        return false;
    }
    let operands = Operands {
        rows: m,
        columns: n,
        used: Used::All,
        terms: &[Term { a: a.as_ptr(), b: values.as_ptr(), depth }],
        a_strides: [a.strides()[0], a.strides()[1]],
        b_strides: [0, 1],
        windows: Windows::B(windows),
        alpha: T::one(),
        init,
        c: c.as_mut_ptr(),
        c_stride: c.strides()[0],
    };
    // SAFETY: the CPU has the instructions. All rows of `windows` are within `values`, and A, C and `init` have the sizes that go
    // with it; `c` is borrowed mutably, so it overlaps neither of the others.
    unsafe { (compute.0)(&operands) };
    true
}

/// [`ImplicitWindows::add_product_transposed`] for shapes that fit, if the layouts suit; otherwise `false`, and nothing is done.
pub(crate) fn add_implicit_product_transposed<T: Real>(
    windows: ImplicitWindows<'_>,
    a: &ArrayView2<'_, T>,
    values: &[T],
    c: &mut ArrayViewMut2<'_, T>,
    compute: Compute<T>,
) -> bool {
    let ((m, n), depth) = (c.dim(), a.ncols());
    if m == 0 || n == 0 || depth == 0 || !is_packed(a.strides()[1], depth) || !is_packed(c.strides()[0], m) {
        return false;
    }
    // Cᵀ += B Aᵀ, whose rows are contiguous.
    let operands = Operands {
        rows: n,
        columns: m,
        used: Used::All,
        terms: &[Term { a: values.as_ptr(), b: a.as_ptr(), depth }],
        a_strides: [0, 1],
        b_strides: [1, a.strides()[0]],
        windows: Windows::A(windows),
        alpha: T::one(),
        init: Init::Accumulate,
        c: c.as_mut_ptr(),
        c_stride: c.strides()[1],
    };
    // SAFETY: as above, with the roles of the operands exchanged.
    unsafe { (compute.0)(&operands) };
    true
}

/// What decides whether a product is computed here.
struct Size {
    rows: usize,
    columns: usize,
    depth: usize,
    /// Whether the columns of A are contiguous, as in `dW = Xᵀ dZ`.
    a_by_columns: bool,
    /// Whether the columns of B are contiguous, as in `dX = dZ Wᵀ`.
    b_by_columns: bool,
    accumulates: bool,
}

impl Size {
    /// Whether a product is faster here than in a BLAS that packs both operands.
    fn is_fast(&self) -> bool {
        match level() {
            Level::Avx512 => self.is_fast_with_avx512(),
            Level::Baseline | Level::Avx2 | Level::Neon => self.is_fast_with_avx2(),
        }
    }

    /// The rule is that of measurements next to OpenBLAS 0.3.21 on a Zen 3: of sizes from 4 to 1024 in powers of two in the three
    /// layouts of training, and of the layers of usual networks, while the core's other hardware thread worked and while it slept.
    /// Few columns or few terms do not pay for the packing of both operands, and neither do few rows. A B that has to be transposed is
    /// packed as fast here. To add a few terms to many columns is to read and write C, which takes longer here. The other products take
    /// about as long here as there (0.85 to 1.05 times as fast). NEON has the same blocks and the same rule, without a measurement.
    fn is_fast_with_avx2(&self) -> bool {
        let Self { rows: m, columns: n, depth: k, a_by_columns, b_by_columns, accumulates } = *self;
        let few_rows = m <= 16 && n.saturating_mul(k) <= 1 << 18;
        if accumulates {
            let few_columns =
                n <= if b_by_columns { 128 } else { 64 } && !(a_by_columns && m.saturating_mul(k) > 1 << 16);
            return n <= 4 * k && (few_rows || few_columns || k <= 64);
        }
        few_rows || n <= 64 || k <= 64 || b_by_columns || a_by_columns && k <= 128
    }

    /// The rule is that of measurements next to OpenBLAS 0.3.21 (kernel SkylakeX) on a Zen 5, from 1 to 1,024 rows. That BLAS does
    /// not pack operands of a product of at most a million multiplications. Larger ones of few rows pay for it: here they are 1.1 to 5 times
    /// as fast, the fewer rows the faster. The same holds for few terms of many columns: 1.5 to 4 times.
    fn is_fast_with_avx512(&self) -> bool {
        let Self { rows: m, columns: n, depth: k, .. } = *self;
        m > 1 && is_shallow(n, k) || m <= 32 && m.saturating_mul(n).saturating_mul(k) > 1_000_000
    }
}
