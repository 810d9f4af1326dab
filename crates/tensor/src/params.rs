//! A layer's view of the flat parameters and gradients.

use std::cell::Cell;

use ndarray::{ArrayView, ArrayViewMut, Dim, Dimension, Ix, ShapeBuilder};

/// The parameters of one layer, taken one after the other in the order in which `plan` declared them.
///
/// ```
/// use chainrule_tensor::Params;
/// let mut params = Params::new(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 0.5, 0.6]);
/// let w = params.take([3, 2]); // [inputs, units]
/// let b = params.take([2]); // [units]
/// assert_eq!((w[[2, 1]], b[0]), (6.0, 0.5));
/// ```
#[derive(Debug)]
pub struct Params<'a, T> {
    rest: &'a [T],
    left: Option<&'a Cell<usize>>,
}

impl<'a, T> Params<'a, T> {
    /// All these values, to be taken from the front.
    pub fn new(values: &'a [T]) -> Self {
        Self { rest: values, left: None }
    }

    /// As [`new`](Self::new), and keeps count in `left` of the values not yet taken.
    pub fn counted(values: &'a [T], left: &'a Cell<usize>) -> Self {
        left.set(values.len());
        Self { rest: values, left: Some(left) }
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
#[derive(Debug)]
pub struct Grads<'a, T> {
    rest: &'a mut [T],
    left: Option<&'a Cell<usize>>,
}

impl<'a, T> Grads<'a, T> {
    /// All these values, to be taken from the front.
    pub fn new(values: &'a mut [T]) -> Self {
        Self { rest: values, left: None }
    }

    /// As [`new`](Self::new), and keeps count in `left` of the values not yet taken.
    pub fn counted(values: &'a mut [T], left: &'a Cell<usize>) -> Self {
        left.set(values.len());
        Self { rest: values, left: Some(left) }
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

    /// The next `size` gradients without a shape: all that belong to an inner layer.
    ///
    /// # Panics
    ///
    /// If fewer values are left.
    #[inline]
    pub fn values(&mut self, size: usize) -> &'a mut [T] {
        let left = self.rest.len();
        assert!(size <= left, "a layer takes {size} gradients where {left} are left");
        let (values, rest) = std::mem::take(&mut self.rest).split_at_mut(size);
        self.rest = rest;
        if let Some(left) = self.left {
            left.set(self.rest.len());
        }
        values
    }
}
