//! The simple recurrent layer.

use std::fmt;

use chainrule_core::Constant;
use chainrule_tensor::{Real, gates};

use super::cell::{Cell, GateLayout};
use super::gate_projection::GateProjection;
use super::layer::Recurrent;
use crate::{Activation, Relu, Tanh};

/// The simple recurrent layer (Elman 1990), `[steps, features]` to `[units]`, or to `[steps, units]` with
/// [`sequences`](Recurrent::sequences):
///
/// > *hₜ* = tanh(*xₜ Wx* + *hₜ₋₁ Wh* + *b*)
///
/// The parameters are `weight` `[features, units]`, `recurrent_weight` `[units, units]` and `bias` `[units]`. PyTorch
/// has two biases, of which this one is the sum.
pub type Rnn<A = Tanh> = Recurrent<RnnCell<A>, GateProjection>;

impl Rnn<Tanh> {
    /// With this many units, initialised as PyTorch's `RNN`: every parameter uniform in `±1/√units`.
    pub fn new(units: usize) -> Self {
        Self::new_with(RnnCell(Tanh), GateProjection::new(units))
    }

    /// Initialised as Keras' `SimpleRNN`: Glorot-uniform weights, an orthogonal recurrent weight, and zero biases.
    pub fn keras(units: usize) -> Self {
        Self::new_with(RnnCell(Tanh), GateProjection::keras(units, Constant(0.0)))
    }
}

impl<A> Rnn<A> {
    /// With another activation than tanh.
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
    const GATES: GateLayout = GateLayout::all_summed(1);

    fn forward(self, units: usize, z: &mut [T], _: [&[T]; 2], [h, _]: [&mut [T]; 2]) {
        let f = self.0;
        gates!(units, z, [h] = |[z], []| ([z], [f.value(z)])); //                            h = f(z)
    }

    fn backward(self, units: usize, z: &mut [T], _: [&[T]; 2], [h, _]: [&[T]; 2], [dh, _]: [&mut [T]; 2]) {
        let f = self.0;
        gates!(units, z, [dh] = |[z], [h]| ([dh * f.derivative(z, h)], [T::zero()])); //     dz = dh f'(z)
    }
}
