//! The simple recurrent layer.

use std::fmt;

use chainrule_core::Constant;
use chainrule_tensor::{Real, vector};

use super::{Affine, Cell, Gates, Recurrent};
use crate::{Activation, Relu, Tanh};

/// The simple recurrent layer (Elman 1990), `[steps, features]` to `[units]`, or to `[steps, units]` with
/// [`sequences`](Recurrent::sequences):
///
/// > *hₜ* = tanh(*xₜ Wx* + *hₜ₋₁ Wh* + *b*)
///
/// The parameters are `weight` `[features, units]`, `recurrent_weight` `[units, units]` and `bias` `[units]`. PyTorch
/// adds two biases, whose sum this one is.
pub type Rnn<A = Tanh> = Recurrent<RnnCell<A>, Affine>;

impl Rnn<Tanh> {
    /// With this many units, which starts as PyTorch's `RNN`: every parameter uniform in `±1/√units`.
    pub fn new(units: usize) -> Self {
        Self::new_with(RnnCell(Tanh), Affine::new(units))
    }

    /// Starts as Keras' `SimpleRNN`: Glorot-uniform weights, an orthogonal recurrent weight (Glorot-uniform where
    /// there is no LAPACK), and zero biases.
    pub fn keras(units: usize) -> Self {
        Self::new_with(RnnCell(Tanh), Affine::keras(units, Constant(0.0)))
    }
}

impl<A> Rnn<A> {
    /// With another function than tanh.
    #[must_use]
    pub fn activation<B>(self, activation: B) -> Rnn<B> {
        self.with_cell(RnnCell(activation))
    }

    /// With `max(z, 0)` instead of tanh.
    #[must_use]
    pub fn relu(self) -> Rnn<Relu> {
        self.activation(Relu)
    }
}

/// The [`Cell`] of [`Rnn`]: `h = f(z)`.
#[derive(Clone, Copy)]
pub struct RnnCell<A>(pub A);

impl<A: fmt::Debug> fmt::Debug for RnnCell<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rnn({:?})", self.0)
    }
}

impl<T: Real, A: Activation<T>> Cell<T> for RnnCell<A> {
    const GATES: Gates = Gates::all(1);

    fn forward(self, units: usize, z: &mut [T], _: [&[T]; 2], [h, _]: [&mut [T]; 2]) {
        let f = self.0;
        vector::gates(
            units,
            z,
            [],
            [h],
            #[inline(always)]
            |[z], [], _| ([z], [f.value(z)]), //                          h = f(z)
        );
    }

    fn backward(self, units: usize, z: &mut [T], _: [&[T]; 2], [h, _]: [&[T]; 2], [dh, _]: [&mut [T]; 2]) {
        let f = self.0;
        vector::gates(
            units,
            z,
            [h],
            [dh],
            #[inline(always)]
            |[z], [h], [dh]| ([dh * f.derivative(z, h)], [T::zero()]), //      dz = dh f'(z)
        );
    }
}
