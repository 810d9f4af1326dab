//! Products in panels of a few columns, over [`Lanes`](crate::simd::lanes::Lanes): for products that are too small for BLAS to be fast.
//!
//! BLAS copies ("packs") both operands into the order in which its kernel reads them, which pays off for large matrices. Here A is
//! read where it is stored, and B is copied only where that gains something:
//!
//! - The columns of C are cut into panels of up to two vectors, or of four for few rows. A block of up to 6 rows of a panel stays
//!   in registers while K advances, see `tile`.
//! - A panel of B is packed if its rows are not contiguous (`dX = dZ Wᵀ`: 8 by 8 numbers are transposed in registers), if it does
//!   not fill its vectors, or if many rows of C are computed from a part of B that is spread over much memory.
//! - K is cut into parts of at most 96 terms, whose panels of B stay in the first cache.
//!
//! The terms of a part are added in their order, each with one rounding, and the sums of the parts are added in their order and
//! then to C, wherever the value is in C. So the bits depend on K alone: not on the width of the vectors, not on the layout of the operands, and not on
//! how C is cut into the results of several products. One chain for all of K would be less exact by its length: 900 equal terms
//! were off by 1e-5 in single precision, where the sums of parts are off by less than 2e-6.

mod operands;
mod pack;
#[cfg(test)]
mod tests;
mod tile;

use ndarray::{ArrayView2, ArrayViewMut2};

pub(crate) use self::operands::Operands;
use self::operands::Term;
use crate::real::Real;

/// `C = Σ A B + beta C`, if `beta` is 0 or 1, the sizes and layouts suit, and all products have the layouts of the first;
/// otherwise `false`, and nothing is done.
///
/// # Safety
///
/// `compute` is [`Operands::compute`] for lanes whose instructions the CPU has. It is passed as a function that is not generic,
/// which is compiled once, and not in every crate that multiplies.
#[inline]
pub(crate) unsafe fn product<T: Real, const N: usize>(
    products: [(ArrayView2<'_, T>, ArrayView2<'_, T>); N],
    beta: T,
    c: &mut ArrayViewMut2<'_, T>,
    compute: unsafe fn(&Operands<'_, T>),
) -> bool {
    let Some((a, b)) = products.first() else { return false };
    let (m, n) = c.dim();
    if m > 1 && c.strides()[0] == 1 && (n == 1 || c.strides()[1] != 1) {
        // Cᵀ = Bᵀ Aᵀ has contiguous rows; a single column is best computed as a row.
        let products = products.map(|(a, b)| (b.reversed_axes(), a.reversed_axes()));
        // SAFETY: the caller's.
        return unsafe { product(products, beta, &mut c.view_mut().reversed_axes(), compute) };
    }
    let depths = products.map(|(a, _)| a.ncols());
    let size = Size {
        rows: m,
        columns: n,
        depth: depths.iter().sum(),
        a_by_columns: m > 1 && a.strides()[0] == 1,
        b_by_columns: n > 1 && b.strides()[1] != 1,
        accumulates: beta == T::one(),
    };
    let alike = products.iter().all(|(a2, b2)| a.strides() == a2.strides() && b.strides() == b2.strides());
    if !alike || depths.contains(&0) || !(beta == T::zero() || size.accumulates) || !size.is_fast() {
        return false;
    }
    // The stride of an axis of length 1 is never used, and may be anything.
    let packed = |stride: isize, len: usize| stride == 1 || len == 1;
    let b_strides = match *b.strides() {
        [row, column] if packed(column, n) => [row, 1],
        [row, column] if packed(row, depths.into_iter().max().unwrap_or(0)) => [1, column],
        _ => return false,
    };
    if !packed(c.strides()[1], n) {
        return false;
    }
    let operands = Operands {
        rows: m,
        columns: n,
        terms: &products.map(|(a, b)| Term { a: a.as_ptr(), b: b.as_ptr(), depth: a.ncols() }),
        a_strides: [a.strides()[0], a.strides()[1]],
        b_strides,
        accumulates: size.accumulates,
        c: c.as_mut_ptr(),
        c_stride: c.strides()[0],
    };
    // SAFETY: the CPU has the instructions. Pointers and strides are those of views of just these sizes, and `c` is borrowed
    // mutably, so it overlaps neither of the others.
    unsafe { compute(&operands) };
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
    ///
    /// The rule is that of measurements next to OpenBLAS 0.3.21 on a Zen 3: of sizes from 1 to 2048 in powers of two, and of the
    /// layers of usual networks, both while the core's other hardware thread slept and while it worked. Few rows or few terms do
    /// not pay for packing. Few columns, or those of a B that has to be packed here too, pay for the packing of B alone. Larger
    /// products pay for both. Where A is stored by columns, the part that a few rows need is spread over all of A, which has to
    /// stay in a cache. To add a few terms to many columns is to read and write C, which BLAS does in a better order.
    fn is_fast(&self) -> bool {
        let Self { rows: m, columns: n, depth: k, a_by_columns, b_by_columns, accumulates } = *self;
        let few_rows = m <= 8 && n.saturating_mul(k) <= 1 << 19;
        let few_terms = k <= 64 && (!accumulates || n <= 4 * k);
        let max_size_of_b = match (a_by_columns, b_by_columns) {
            (true, _) => 1 << 14,
            (false, false) => 1 << 15,
            (false, true) => 1 << 16,
        };
        let small = n <= 64 || n.saturating_mul(k) <= max_size_of_b;
        let a_stays_in_cache = !a_by_columns || m.saturating_mul(k) <= 1 << 17;
        few_rows || few_terms || small && a_stays_in_cache
    }
}
