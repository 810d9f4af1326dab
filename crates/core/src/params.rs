//! A layer's view of the flat parameters and gradients.

use std::cell::Cell;

use ndarray::{ArrayView, ArrayView2, ArrayViewMut, ArrayViewMut2, Dim, Dimension, Ix, ShapeBuilder};

use chainrule_tensor::{Real, gemm};

use crate::{SparseGrad, TableGrad};

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
    rest: &'a [T],
    left: Option<&'a Cell<usize>>,
    deferred: bool,
}

impl<'a, T> Params<'a, T> {
    /// All these values, to be taken from the front.
    pub fn new(values: &'a [T]) -> Self {
        Self { rest: values, left: None, deferred: false }
    }

    /// As [`new`](Self::new), and keeps count in `left` of the values not yet taken.
    pub fn counted(values: &'a [T], left: &'a Cell<usize>) -> Self {
        left.set(values.len());
        Self { rest: values, left: Some(left), deferred: false }
    }

    /// The same, but [`product`](Self::product) computes nothing: whoever runs the layer has done it.
    #[must_use]
    pub fn deferred(self, deferred: bool) -> Self {
        Self { deferred, ..self }
    }

    /// Whether products were computed by somebody else.
    pub fn is_deferred(&self) -> bool {
        self.deferred
    }

    /// Takes the next parameter, a matrix `[x.ncols(), y.ncols()]` that `plan` declared with `Plan::product`, and
    /// overwrites `y` with `x` times it.
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
        ArrayView::from_shape(shape, values).expect("as many values as the shape has")
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
            "a layer takes {size} parameters where {} are left",
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

/// The gradients of one layer, taken as its [`Params`] are. A layer adds to them.
///
/// Whoever runs the layer may spare it work. Gradients that are [`fresh`](Self::fresh) hold nothing yet:
/// the first to take one finds zeros, and a [`product`](Self::product) is written instead of added. Where
/// they are [`deferred`](Self::deferred), products are not computed at all: the trainer does that later,
/// from the `x` and `dy` of the layer, piece by piece, each just before the optimizer needs it. Where tables are
/// [`sparse`](Self::sparse), the gradient of a [`table`](Self::table) is a list of the rows that were used.
#[derive(Debug)]
pub struct Grads<'a, T> {
    rest: &'a mut [T],
    left: Option<&'a Cell<usize>>,
    fresh: bool,
    deferred: bool,
    sparse: bool,
    list: Option<&'a mut SparseGrad<T>>,
}

impl<'a, T: Real> Grads<'a, T> {
    /// All these values, to be taken from the front and added to.
    pub fn new(values: &'a mut [T]) -> Self {
        Self { rest: values, left: None, fresh: false, deferred: false, sparse: false, list: None }
    }

    /// As [`new`](Self::new), but what the values hold is forgotten, even NaN.
    pub fn fresh(values: &'a mut [T]) -> Self {
        Self { fresh: true, ..Self::new(values) }
    }

    /// As [`new`](Self::new), and keeps count in `left` of the values not yet taken.
    pub fn counted(values: &'a mut [T], left: &'a Cell<usize>) -> Self {
        left.set(values.len());
        Self { left: Some(left), ..Self::new(values) }
    }

    /// The same, but [`product`](Self::product) computes nothing.
    #[must_use]
    pub fn deferred(self, deferred: bool) -> Self {
        Self { deferred, ..self }
    }

    /// Whether products are left to somebody else.
    pub fn is_deferred(&self) -> bool {
        self.deferred
    }

    /// The same, but the gradients of the tables of a model's own layers need not be there: whoever runs it takes
    /// the lists of what was added, and nothing touches the values themselves.
    #[must_use]
    pub fn sparse(self, sparse: bool) -> Self {
        Self { sparse, ..self }
    }

    /// Whether the gradients of tables are lists.
    pub fn is_sparse(&self) -> bool {
        self.sparse
    }

    /// The same, but the next [`table`](Self::table) is written to this list, if there is one.
    #[must_use]
    pub fn listed(self, list: Option<&'a mut SparseGrad<T>>) -> Self {
        Self { list, ..self }
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
        ArrayViewMut::from_shape(shape, values).expect("as many values as the shape has")
    }

    /// Takes the gradient of the next parameter, a matrix `[x.ncols(), dy.ncols()]`, and adds `xᵀ dy` to it. Nobody
    /// defers it unless `plan` declared the parameter with `Plan::product`.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn product(&mut self, x: ArrayView2<'_, T>, dy: ArrayView2<'_, T>) {
        let (deferred, fresh) = (self.deferred, self.fresh);
        let values = self.next(x.ncols() * dy.ncols());
        if !deferred {
            let dw = ArrayViewMut2::from_shape((x.ncols(), dy.ncols()), values).expect("as many values");
            gemm(T::one(), x.t(), dy, if fresh { T::zero() } else { T::one() }, dw);
        }
    }

    /// The gradient of the next parameter, a table `[rows, columns]` that `plan` declared with `Plan::table`, to
    /// which the layer adds at `most` so many times.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn table(&mut self, [rows, columns]: [usize; 2], most: usize) -> TableGrad<'a, T> {
        let Some(list) = self.list.take() else {
            return TableGrad::Dense(self.take([rows, columns]));
        };
        self.next(rows * columns);
        list.clear(most);
        TableGrad::Sparse(list)
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

    /// The next `size` gradients, of an inner layer that takes its own.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn inner(&mut self, size: usize) -> Self {
        Self { fresh: self.fresh, ..Self::new(self.next(size)) }
    }

    /// The last `size` gradients, for a container that goes through its layers backward.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn inner_last(&mut self, size: usize) -> Self {
        let kept = self.rest.len().checked_sub(size).unwrap_or_else(|| self.too_few(size));
        let (rest, values) = std::mem::take(&mut self.rest).split_at_mut(kept);
        self.rest = rest;
        self.count();
        Self { fresh: self.fresh, ..Self::new(values) }
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
    fn count(&self) {
        if let Some(left) = self.left {
            left.set(self.rest.len());
        }
    }

    #[cold]
    fn too_few(&self, size: usize) -> ! {
        panic!("a layer takes {size} gradients where {} are left", self.rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn fresh_gradients_are_overwritten_and_others_added_to() {
        let (x, dy) = (array![[1.0, 2.0]], array![[3.0]]);
        let run = |mut grads: Grads<'_, f64>| {
            grads.take([1])[0] += 1.0;
            grads.product(x.view(), dy.view());
            grads.inner(1).values(1)[0] += 1.0;
            grads.inner_last(1).values(1)[0] += 2.0;
        };
        let mut values = [f64::NAN; 5];
        run(Grads::fresh(&mut values));
        assert_eq!(values, [1.0, 3.0, 6.0, 1.0, 2.0]);
        run(Grads::new(&mut values));
        assert_eq!(values, [2.0, 6.0, 12.0, 2.0, 4.0]);
        run(Grads::new(&mut values).deferred(true));
        assert_eq!(values, [3.0, 6.0, 12.0, 3.0, 6.0]);
    }

    #[test]
    fn a_product_is_left_to_others_where_it_is_deferred() {
        let (x, mut y) = (array![[1.0, 2.0]], array![[0.5]]);
        Params::new(&[3.0, 4.0]).deferred(true).product(x.view(), y.view_mut());
        assert_eq!(y, array![[0.5]]);
        Params::new(&[3.0, 4.0]).product(x.view(), y.view_mut());
        assert_eq!(y, array![[11.0]]);
    }

    #[test]
    fn tables_are_whole_or_lists() {
        let (dy, mut values, mut list) = (array![[3.0]], [f64::NAN; 3], SparseGrad::default());
        let run = |mut grads: Grads<'_, f64>| {
            grads.table([2, 1], 1).add(1, 1.0, dy.view(), [0, 0]);
            grads.take([1])[0] += 1.0;
        };
        run(Grads::fresh(&mut values).listed(Some(&mut list)));
        assert!(values[0].is_nan() && values[1].is_nan());
        assert_eq!((values[2], list.id(0)), (1.0, Some(1)));
        run(Grads::fresh(&mut values));
        assert_eq!(values, [0.0, 3.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "takes 2 gradients where 1 are left")]
    fn more_than_there_are() {
        Grads::new(&mut [0.0]).inner_last(2);
    }
}
