//! The C interface of BLAS.

use std::ffi::c_int;

use blas_src as _; // links the library
use cblas_sys::{CBLAS_TRANSPOSE, CblasNoTrans, CblasRowMajor, CblasTrans};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::machine::blas_scratch::before_product;
use crate::real::Real;

/// A product that BLAS can do in one call: its sizes and the layouts of its operands.
pub(super) struct Call {
    rows: c_int,
    columns: c_int,
    depth: c_int,
    a: Operand,
    b: Operand,
    c: Operand,
}

impl Call {
    /// `None` if a size does not fit into C's `int`, or if neither the rows nor the columns of an operand are contiguous.
    pub(super) fn for_operands<T>(
        a: &ArrayView2<'_, T>,
        b: &ArrayView2<'_, T>,
        c: &ArrayViewMut2<'_, T>,
    ) -> Option<Self> {
        Some(Self {
            rows: c_int::try_from(a.nrows()).ok()?,
            columns: c_int::try_from(b.ncols()).ok()?,
            depth: c_int::try_from(a.ncols()).ok()?,
            a: Operand::of(a)?,
            b: Operand::of(b)?,
            c: Operand::of(&c.view())?,
        })
    }

    /// Whether C is column-major, which BLAS cannot write while the other operands are row-major.
    pub(super) fn c_is_transposed(&self) -> bool {
        matches!(self.c.order, CblasTrans)
    }

    /// `C = alpha A B + beta C` for the operands that this call was made for, if C is not transposed.
    pub(super) fn gemm<T: Real>(
        self,
        alpha: T,
        a: ArrayView2<'_, T>,
        b: ArrayView2<'_, T>,
        beta: T,
        mut c: ArrayViewMut2<'_, T>,
    ) {
        before_product();
        // SAFETY: every size fits in `c_int`. For each operand, `Operand::of` found one axis with unit stride and the other with
        // the stride `leading`, at least as long as a line, so that the elements BLAS touches are those of the view, which is in
        // bounds; the borrow of `c` is exclusive, so it overlaps neither `a` nor `b`.
        unsafe {
            T::CBLAS_GEMM(
                CblasRowMajor,
                self.a.order,
                self.b.order,
                self.rows,
                self.columns,
                self.depth,
                alpha,
                a.as_ptr(),
                self.a.leading,
                b.as_ptr(),
                self.b.leading,
                beta,
                c.as_mut_ptr(),
                self.c.leading,
            );
        }
    }
}

/// How BLAS has to read a row-major matrix: as it is stored, or transposed.
struct Operand {
    order: CBLAS_TRANSPOSE,
    leading: c_int,
}

impl Operand {
    /// `None` if neither the rows nor the columns of the view are contiguous.
    fn of<T>(view: &ArrayView2<'_, T>) -> Option<Self> {
        let ((rows, columns), strides) = (view.dim(), view.strides());
        let leading = |across: usize, step: isize, along: usize, unit: isize| {
            let packed = unit == 1 || along == 1;
            // The stride over a single line is never used; BLAS still requires it to be long enough.
            let step = if across == 1 { along as isize } else { step };
            (packed && step >= along.max(1) as isize).then_some(c_int::try_from(step).ok()).flatten()
        };
        if let Some(leading) = leading(rows, strides[0], columns, strides[1]) {
            Some(Self { order: CblasNoTrans, leading })
        } else {
            let leading = leading(columns, strides[1], rows, strides[0])?;
            Some(Self { order: CblasTrans, leading })
        }
    }
}
