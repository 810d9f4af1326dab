//! A layer's view of the flat gradients.

use std::cell::Cell;

use chainrule_tensor::{Real, SparseMatrix, gemm};
use ndarray::{ArrayView2, ArrayViewMut, ArrayViewMut2, Dim, Dimension, Ix, ShapeBuilder};

use crate::sparse_grad::{SparseGrad, TableGrad};

/// The gradients of one layer, taken as its [`Params`](crate::Params) are. A layer adds to them.
///
/// ```
/// use chainrule_core::Grads;
/// use ndarray::array;
/// let mut values = [0.0f32; 8];
/// let mut grads = Grads::new(&mut values);
/// grads.product(array![[1.0, 2.0, 3.0]].view(), array![[1.0, -1.0]].view()); // dW += xᵀ dy
/// let mut db = grads.take([2]);
/// db += &array![1.0, -1.0];
/// assert_eq!(values, [1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 1.0, -1.0]);
/// ```
#[derive(Debug)]
pub struct Grads<'a, T> {
    pub(crate) rest: &'a mut [T],
    /// Where the number of values that are left is written, if somewhere.
    pub(crate) left: Option<&'a Cell<usize>>,
    pub(crate) fresh: bool,
    pub(crate) deferred: bool,
    pub(crate) sparse: bool,
    pub(crate) list: Option<&'a mut SparseGrad<T>>,
}

impl<'a, T: Real> Grads<'a, T> {
    /// All these values, to be taken from the front and added to.
    pub fn new(values: &'a mut [T]) -> Self {
        Self { rest: values, left: None, fresh: false, deferred: false, sparse: false, list: None }
    }

    /// The gradient of the next parameter, in row-major order.
    ///
    /// # Panics
    ///
    /// If fewer values are left: `backward` takes more than `plan` declared.
    #[inline]
    pub fn take<const N: usize>(&mut self, shape: [Ix; N]) -> ArrayViewMut<'a, T, Dim<[Ix; N]>>
    where
        Dim<[Ix; N]>: Dimension,
        [Ix; N]: ShapeBuilder<Dim = Dim<[Ix; N]>>,
    {
        let values = self.values(shape.iter().product());
        ArrayViewMut::from_shape(shape, values).expect("the shape has this number of values")
    }

    /// Takes the gradient of the next parameter, a matrix `[x.ncols(), dy.ncols()]`, and adds `xᵀ dy` to it.
    ///
    /// If the parameter was declared with [`Plan::product`](crate::Plan::product), a trainer may compute this later instead.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn product(&mut self, x: ArrayView2<'_, T>, dy: ArrayView2<'_, T>) {
        let deferred = self.deferred;
        let beta = if self.fresh { T::zero() } else { T::one() };
        let values = self.next(x.ncols() * dy.ncols());
        if !deferred {
            let dw = ArrayViewMut2::from_shape((x.ncols(), dy.ncols()), values);
            gemm(T::one(), x.t(), dy, beta, dw.expect("the shape has this number of values"));
        }
    }

    /// As [`product`](Self::product), for a parameter that was declared with
    /// [`Plan::sparse_product`](crate::Plan::sparse_product) and the values of `x` that
    /// [`Params::sparse_product`](crate::Params::sparse_product) has found. `own` is scratch space of the layer's cache.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn sparse_product(
        &mut self,
        [inputs, units]: [usize; 2],
        x: &SparseMatrix<T>,
        dy: ArrayView2<'_, T>,
        own: &mut SparseGrad<T>,
    ) {
        if let Some(list) = self.list.take() {
            self.next(inputs * units);
            return list.set_product(x);
        }
        if self.deferred {
            self.next(inputs * units);
            return;
        }
        own.set_product(x);
        TableGrad { dense: Some(self.take([inputs, units])), list: own }.finish(dy);
    }

    /// The gradient of the next parameter, a table `[rows, columns]` that was declared with
    /// [`Plan::table`](crate::Plan::table). The layer adds to it at most `max_terms` times, and finishes it. `own` is scratch space
    /// of the layer's cache.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn table<'b>(
        &mut self,
        [rows, columns]: [usize; 2],
        max_terms: usize,
        own: &'b mut SparseGrad<T>,
    ) -> TableGrad<'b, T>
    where
        'a: 'b,
    {
        let (dense, list) = match self.list.take() {
            None => (Some(self.take([rows, columns])), own),
            Some(list) => {
                self.next(rows * columns);
                (None, list)
            }
        };
        list.clear(max_terms);
        TableGrad { dense, list }
    }

    /// The next `size` gradients without a shape.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn values(&mut self, size: usize) -> &'a mut [T] {
        let fresh = self.fresh;
        let values = self.next(size);
        if fresh {
            values.fill(T::zero());
        }
        values
    }

    /// The next `size` gradients, for an inner layer that takes them from there.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn inner(&mut self, size: usize) -> Self {
        Self { fresh: self.fresh, ..Self::new(self.next(size)) }
    }

    #[inline]
    fn next(&mut self, size: usize) -> &'a mut [T] {
        if size > self.rest.len() {
            self.too_few(size);
        }
        let (values, rest) = std::mem::take(&mut self.rest).split_at_mut(size);
        self.rest = rest;
        self.count();
        values
    }

    #[inline]
    pub(crate) fn count(&self) {
        if let Some(left) = self.left {
            left.set(self.rest.len());
        }
    }

    #[cold]
    pub(crate) fn too_few(&self, size: usize) -> ! {
        panic!(
            "a layer takes {size} gradients, but only {} are left: declare their parameters in `plan`",
            self.rest.len()
        )
    }
}
