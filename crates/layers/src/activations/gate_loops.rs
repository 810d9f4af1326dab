//! The loops of gated units over the values of two halves.

use std::fmt;

use chainrule_core::Description;
use chainrule_tensor::{Real, map};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::Activation;

/// What a gated unit needs of its activation `f`, for all values of two halves at once.
pub(crate) trait GateLoops<T>: fmt::Debug + Send + Sync {
    fn check(&self) -> Result<(), &'static str>;
    fn description(&self) -> Description;
    /// `y = a f(b)`.
    fn forward(&self, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>);
    /// `da = dy f(b)`, `db = dy a f'(b)`.
    fn backward(
        &self,
        halves: [ArrayView2<'_, T>; 2],
        dy: ArrayView2<'_, T>,
        gradients: [ArrayViewMut2<'_, T>; 2],
    );
}

impl<T: Real, F: Activation<T>> GateLoops<T> for F {
    fn check(&self) -> Result<(), &'static str> {
        self.settings()
    }

    fn description(&self) -> Description {
        Activation::description(self)
    }

    fn forward(&self, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
        let f = *self;
        map!(y = |a, b| a * f.value(b));
    }

    fn backward(
        &self,
        [a, b]: [ArrayView2<'_, T>; 2],
        dy: ArrayView2<'_, T>,
        [da, db]: [ArrayViewMut2<'_, T>; 2],
    ) {
        let f = *self;
        map!(da = |b, dy| dy * f.value(b));
        map!(db = |a, b, dy| dy * a * f.derivative(b, f.value(b)));
    }
}
