//! A layer's view of the flat parameters.

use std::cell::Cell;

use chainrule_tensor::{Real, SparseMatrix, gemm};
use ndarray::{ArrayView, ArrayView2, ArrayViewMut2, Dim, Dimension, Ix, ShapeBuilder};

/// The parameters of one layer, taken one after the other in the order in which `plan` declared them.
///
/// ```
/// use chainrule_core::Params;
/// let mut params = Params::new(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 0.5, 0.6]);
/// let w = params.take([3, 2]); // [inputs, units]
/// let b = params.take([2]); // [units]
/// assert_eq!((w[[2, 1]], b[0]), (6.0, 0.5));
/// ```
#[derive(Debug)]
pub struct Params<'a, T> {
    pub(crate) rest: &'a [T],
    /// Where the number of values that are left is written, if somewhere.
    pub(crate) left: Option<&'a Cell<usize>>,
    pub(crate) deferred: bool,
}

impl<'a, T> Params<'a, T> {
    /// All these values, to be taken from the front.
    pub fn new(values: &'a [T]) -> Self {
        Self { rest: values, left: None, deferred: false }
    }

    /// The next parameter, in row-major order.
    ///
    /// # Panics
    ///
    /// If fewer values are left: `forward` or `backward` takes more than `plan` declared.
    #[inline]
    pub fn take<const N: usize>(&mut self, shape: [Ix; N]) -> ArrayView<'a, T, Dim<[Ix; N]>>
    where
        Dim<[Ix; N]>: Dimension,
        [Ix; N]: ShapeBuilder<Dim = Dim<[Ix; N]>>,
    {
        let values = self.values(shape.iter().product());
        ArrayView::from_shape(shape, values).expect("the shape has this number of values")
    }

    /// Takes the next parameter, a matrix `[x.ncols(), y.ncols()]` that was declared with
    /// [`Plan::product`](crate::Plan::product), and overwrites `y` with `x` times it.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn product(&mut self, x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>)
    where
        T: Real,
    {
        let w = self.take([x.ncols(), y.ncols()]);
        if !self.deferred {
            gemm(T::one(), x, w, T::zero(), y);
        }
    }

    /// As [`product`](Self::product), for a parameter that was declared with
    /// [`Plan::sparse_product`](crate::Plan::sparse_product). Only the values of `x` that are not 0 are multiplied; `values`, of the
    /// layer's cache, has them afterwards, for [`Grads::sparse_product`](crate::Grads::sparse_product).
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn sparse_product(
        &mut self,
        x: ArrayView2<'_, T>,
        values: &mut SparseMatrix<T>,
        y: ArrayViewMut2<'_, T>,
    ) where
        T: Real,
    {
        let w = self.take([x.ncols(), y.ncols()]);
        if self.deferred {
            // The trainer has them.
            return values.clear(x.ncols());
        }
        values.assign(x);
        values.product(w, y);
    }

    /// The next `size` values without a shape: all that belong to an inner layer.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn values(&mut self, size: usize) -> &'a [T] {
        assert!(
            size <= self.rest.len(),
            "a layer takes {size} parameters, but only {} are left: declare them all in `plan`",
            self.rest.len()
        );
        let (values, rest) = self.rest.split_at(size);
        self.rest = rest;
        if let Some(left) = self.left {
            left.set(self.rest.len());
        }
        values
    }
}
