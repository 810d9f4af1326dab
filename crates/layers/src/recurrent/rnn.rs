//! The simple recurrent layer.

use std::fmt;
use std::sync::Arc;

use chainrule_core::{
    Constant, Described, Description, DescriptionError, Entry, Layer, Range, Settings, Value, entry,
};
use chainrule_tensor::{Real, gates};

use super::cell::{Cell, GateLayout};
use super::gate_projection::GateProjection;
use super::layer::{Recurrent, RecurrentOptions};
use crate::activations::{Activation, ElementWise, Relu, Tanh};

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

/// An [`Rnn`] of any activation. It is one type, so that those which are built from descriptions are compiled once, and not once for
/// each activation.
pub(crate) type AnyRnn<T> = Recurrent<AnyRnnCell<T>, GateProjection>;

impl<T: Real> Described for AnyRnn<T> {
    const ENTRY: Entry = entry! {
        /// A recurrent layer whose state is an activation of the inputs and of itself.
        Rnn = "rnn";
        aliases ["simple_rnn"];
        formula "h = f(x Wx + h₀ Wh + b)";
        source "Elman 1990";
        settings {
            /// The number of units.
            units ("hidden_size"): required, Range::AT_LEAST_ONE;
            /// The activation f, one of each value alone.
            activation ("nonlinearity"): tanh;
            /// Whether the steps are returned, rather than the last one alone.
            sequences ("return_sequences"): false;
            /// Whether there are biases.
            bias ("use_bias"): true;
            /// Whether the steps are taken from the last to the first.
            backwards ("go_backwards"): false;
            /// Whether steps of zeros are padding.
            masked: false;
            /// Whether a batch continues the one before.
            stateful: false;
            /// The first weights of the inputs; by default uniform in ±1/√units.
            weight_init ("kernel_initializer"): none;
            /// The first weights of the state; by default uniform in ±1/√units.
            recurrent_weight_init ("recurrent_initializer"): none;
            /// The first biases; by default uniform in ±1/√units.
            bias_init ("bias_initializer"): none;
        }
        presets { keras { weight_init = glorot_uniform, recurrent_weight_init = orthogonal, bias_init = constant(0.0) } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let activation: ElementWise<T> = settings.get("activation")?;
        let layer = Recurrent::new_with(activation.cell, GateProjection::from_settings(settings)?);
        Ok(layer.with_options(RecurrentOptions::from_settings(settings)?))
    }

    fn setting_values(&self) -> Vec<Value> {
        Self::ENTRY.values_of(&Layer::<T>::description(self))
    }
}

impl<A: fmt::Debug> fmt::Debug for RnnCell<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rnn({:?})", self.0)
    }
}

impl<T: Real, A: Activation<T>> Cell<T> for RnnCell<A> {
    fn description(&self) -> Description {
        Description::new(AnyRnn::<T>::ENTRY.name).with("activation", self.0.description())
    }

    const GATES: GateLayout = GateLayout::all_summed(1);

    fn forward(&self, units: usize, z: &mut [T], _: [&[T]; 2], [h, _]: [&mut [T]; 2]) {
        let f = self.0;
        gates!(units, z, [h] = |[z], []| ([z], [f.value(z)])); //                            h = f(z)
    }

    fn backward(&self, units: usize, z: &mut [T], _: [&[T]; 2], [h, _]: [&[T]; 2], [dh, _]: [&mut [T]; 2]) {
        let f = self.0;
        gates!(units, z, [dh] = |[z], [h]| ([dh * f.derivative(z, h)], [T::zero()])); //     dz = dh f'(z)
    }
}

/// An [`RnnCell`] of any activation.
pub(crate) struct AnyRnnCell<T: Real>(Arc<dyn RnnSteps<T>>);

/// What an [`AnyRnnCell`] calls, once for the rows of a step.
trait RnnSteps<T>: fmt::Debug + Send + Sync {
    fn description(&self) -> Description;
    fn forward(&self, units: usize, z: &mut [T], h: &mut [T]);
    fn backward(&self, units: usize, z: &mut [T], h: &[T], dh: &mut [T]);
}

impl<T: Real, A: Activation<T>> RnnSteps<T> for RnnCell<A> {
    fn description(&self) -> Description {
        Cell::<T>::description(self)
    }

    fn forward(&self, units: usize, z: &mut [T], h: &mut [T]) {
        Cell::forward(self, units, z, [&[]; 2], [h, &mut []]);
    }

    fn backward(&self, units: usize, z: &mut [T], h: &[T], dh: &mut [T]) {
        Cell::backward(self, units, z, [&[]; 2], [h, &[]], [dh, &mut []]);
    }
}

impl<T: Real> AnyRnnCell<T> {
    /// The cell of this activation.
    pub(crate) fn new(activation: impl Activation<T>) -> Self {
        Self(Arc::new(RnnCell(activation)))
    }
}

impl<T: Real> Clone for AnyRnnCell<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Real> fmt::Debug for AnyRnnCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<T: Real> Cell<T> for AnyRnnCell<T> {
    const GATES: GateLayout = GateLayout::all_summed(1);

    fn description(&self) -> Description {
        self.0.description()
    }

    fn forward(&self, units: usize, z: &mut [T], _: [&[T]; 2], [h, _]: [&mut [T]; 2]) {
        self.0.forward(units, z, h);
    }

    fn backward(&self, units: usize, z: &mut [T], _: [&[T]; 2], [h, _]: [&[T]; 2], [dh, _]: [&mut [T]; 2]) {
        self.0.backward(units, z, h, dh);
    }
}
