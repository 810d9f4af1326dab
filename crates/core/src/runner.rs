//! What containers, trainers and the gradient check set on [`Params`] and [`Grads`] before they run a layer.
//!
//! An author of layers needs none of this: [`Params::take`], [`Grads::take`] and their like do the right thing in every
//! case.
//!
//! - **Fresh** gradients hold nothing yet: the first access to one finds zeros, and a [`product`](Grads::product) is
//!   written instead of added. It saves a pass over the gradients that sets them to zero.
//! - Where products are **deferred**, [`Params::product`] and [`Grads::product`] compute nothing. The trainer computes
//!   the gradient later, from the layer's `x` and `dy`, bucket by bucket, each just before the optimizer needs it.
//! - Where tables are **sparse**, the gradient of a [`table`](Grads::table) is a list of the rows that were used.

use std::cell::Cell;

use chainrule_tensor::Real;

use crate::grads::Grads;
use crate::params::Params;
use crate::sparse_grad::SparseGrad;

/// What those who run layers set on [`Params`] and on [`Grads`].
pub trait RunExt<'a>: Sized {
    /// The flat parameters, or their gradients.
    type Values;

    /// Like `new`, and keeps the number of values not yet taken in `left`.
    fn counted(values: Self::Values, left: &'a Cell<usize>) -> Self;

    /// The same, where `product` computes nothing if `deferred`: the parameters' has been computed already, the gradients' will be
    /// computed later.
    #[must_use]
    fn deferred(self, deferred: bool) -> Self;

    /// Whether `product` computes nothing.
    fn is_deferred(&self) -> bool;
}

macro_rules! run {
    ($($view:ident over $values:ty),*) => {$(
        impl<'a, T: Real> RunExt<'a> for $view<'a, T> {
            type Values = $values;

            fn counted(values: $values, left: &'a Cell<usize>) -> Self {
                left.set(values.len());
                Self { left: Some(left), ..Self::new(values) }
            }

            #[inline]
            fn deferred(self, deferred: bool) -> Self {
                Self { deferred, ..self }
            }

            #[inline]
            fn is_deferred(&self) -> bool {
                self.deferred
            }
        }
    )*};
}
run!(Params over &'a [T], Grads over &'a mut [T]);

/// What those who run layers set on [`Grads`] alone.
pub trait GradsExt<'a, T>: Sized {
    /// Like [`Grads::new`], but whatever the values hold is ignored, even NaN.
    fn fresh(values: &'a mut [T]) -> Self;

    /// The same, where the gradients of the tables of a model's own layers are lists if `sparse`, which the trainer takes
    /// from the [`SequentialCache`](crate::SequentialCache); the values themselves are not touched.
    #[must_use]
    fn sparse(self, sparse: bool) -> Self;

    /// Whether the gradients of tables are lists.
    fn is_sparse(&self) -> bool;

    /// The same, where the next [`Grads::table`] is written to this list, if there is one.
    #[must_use]
    fn with_list(self, list: Option<&'a mut SparseGrad<T>>) -> Self;

    /// The last `size` gradients, for a container that goes through its layers from the last to the first.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    fn inner_last(&mut self, size: usize) -> Self;
}

impl<'a, T: Real> GradsExt<'a, T> for Grads<'a, T> {
    #[inline]
    fn fresh(values: &'a mut [T]) -> Self {
        Self { fresh: true, ..Self::new(values) }
    }

    #[inline]
    fn sparse(self, sparse: bool) -> Self {
        Self { sparse, ..self }
    }

    #[inline]
    fn is_sparse(&self) -> bool {
        self.sparse
    }

    #[inline]
    fn with_list(self, list: Option<&'a mut SparseGrad<T>>) -> Self {
        Self { list, ..self }
    }

    #[inline]
    fn inner_last(&mut self, size: usize) -> Self {
        let kept = self.rest.len().checked_sub(size).unwrap_or_else(|| self.too_few(size));
        let (rest, values) = std::mem::take(&mut self.rest).split_at_mut(kept);
        self.rest = rest;
        self.count();
        Self { fresh: self.fresh, ..Self::new(values) }
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
    fn a_deferred_product_is_not_computed() {
        let (x, mut y) = (array![[1.0, 2.0]], array![[0.5]]);
        Params::new(&[3.0, 4.0]).deferred(true).product(x.view(), y.view_mut());
        assert_eq!(y, array![[0.5]]);
        Params::new(&[3.0, 4.0]).product(x.view(), y.view_mut());
        assert_eq!(y, array![[11.0]]);
    }

    #[test]
    fn tables_are_dense_or_lists() {
        let dy = array![[3.0]];
        let mut values = [f64::NAN; 3];
        let mut list = SparseGrad::default();
        let run = |mut grads: Grads<'_, f64>| {
            let mut own = SparseGrad::default();
            let mut table = grads.table([2, 1], 1, &mut own);
            table.add(1, 1.0, [0, 0]);
            table.finish(dy.view());
            grads.take([1])[0] += 1.0;
        };
        run(Grads::fresh(&mut values).with_list(Some(&mut list)));
        assert!(values[0].is_nan() && values[1].is_nan());
        assert_eq!((values[2], list.id(0)), (1.0, Some(1)));
        run(Grads::fresh(&mut values));
        assert_eq!(values, [0.0, 3.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "takes 2 gradients, but only 1 are left")]
    fn more_gradients_than_there_are() {
        Grads::new(&mut [0.0]).inner_last(2);
    }
}
