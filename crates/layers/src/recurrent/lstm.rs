//! Long short-term memory.

use std::fmt;

use chainrule_core::{
    Described, Description, DescriptionError, Entry, Initializer, Layer, ParamSpec, Range, Settings, Value,
    describe, described, entry,
};
use chainrule_tensor::{Real, Seed, gates};

use super::cell::{Cell, GateLayout};
use super::gate_projection::GateProjection;
use super::layer::{Recurrent, RecurrentOptions};

/// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000),
/// `[steps, features]` to `[units]`, or to `[steps, units]` with [`sequences`](Recurrent::sequences):
///
/// > *i, f, g, o* = *σ, σ*, tanh, *σ* of *xₜ Wx* + *hₜ₋₁ Wh* + *b*
/// > *cₜ* = *f cₜ₋₁* + *i g*
/// > *hₜ* = *o* tanh *cₜ*
///
/// The parameters are `weight` `[features, 4 units]`, `recurrent_weight` `[units, 4 units]` and `bias` `[4 units]`, the
/// gates in the order *i, f, g, o*, which is PyTorch's and Keras'. PyTorch has two biases, of which this one is the sum.
pub type Lstm = Recurrent<LstmCell, GateProjection>;

impl Described for Lstm {
    const ENTRY: Entry = entry! {
        /// A recurrent layer that keeps what it remembers behind gates.
        Lstm = "lstm";
        formula "c = f c₀ + i g; h = o tanh(c)";
        source "Hochreiter and Schmidhuber 1997; Gers et al. 2000";
        settings {
            /// The number of units.
            units ("hidden_size"): required, Range::AT_LEAST_ONE;
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
        presets { keras { weight_init = glorot_uniform, recurrent_weight_init = orthogonal, bias_init = unit_forget_bias } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let layer = Self::new_with(LstmCell, GateProjection::from_settings(settings)?);
        Ok(layer.with_options(RecurrentOptions::from_settings(settings)?))
    }

    fn setting_values(&self) -> Vec<Value> {
        Self::ENTRY.values_of(&Layer::<f32>::description(self))
    }
}

impl Lstm {
    /// With this many units, initialised as PyTorch's `LSTM`: every parameter uniform in `±1/√units`.
    pub fn new(units: usize) -> Self {
        Self::new_with(LstmCell, GateProjection::new(units))
    }

    /// Initialised as Keras' `LSTM`: Glorot-uniform weights, an orthogonal recurrent weight, and zero biases except
    /// for those of the forget gate, which are 1.
    pub fn keras(units: usize) -> Self {
        Self::new_with(LstmCell, GateProjection::keras(units, UnitForgetBias))
    }
}

/// The initial biases of Keras' `LSTM`: 1 for the second gate of four, so that a unit initially remembers, else 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitForgetBias;

describe! {
    /// The first biases of Keras' LSTM: 1 for the forget gate, else 0.
    UnitForgetBias = "unit_forget_bias";
    source "Jozefowicz et al. 2015";
}

impl Initializer for UnitForgetBias {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        let units = values.len() / 4;
        values.fill(0.0);
        values[units..2 * units].fill(1.0);
    }

    described!();
}

/// The [`Cell`] of [`Lstm`] and [`ConvLstm`](crate::ConvLstm). Its states are `h` and `c`.
#[derive(Clone, Copy)]
pub struct LstmCell;

impl fmt::Debug for LstmCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lstm")
    }
}

impl<T: Real> Cell<T> for LstmCell {
    fn description(&self) -> Description {
        Description::new(Lstm::ENTRY.name)
    }

    const GATES: GateLayout = GateLayout::all_summed(4);
    const STATES: usize = 2;

    fn forward(&self, units: usize, z: &mut [T], [_, c0]: [&[T]; 2], [h, c]: [&mut [T]; 2]) {
        gates!(
            units,
            z,
            [h, c] = |[i, f, g, o], [c0]| {
                let i = i.fast_sigmoid();
                let f = f.fast_sigmoid();
                let g = g.fast_tanh();
                let o = o.fast_sigmoid();
                let c = f * c0 + i * g; //                       c = f c₀ + i g
                ([i, f, g, o], [o * c.fast_tanh(), c]) //        h = o tanh c
            }
        );
    }

    fn backward(
        &self,
        units: usize,
        z: &mut [T],
        [_, c0]: [&[T]; 2],
        [_, c]: [&[T]; 2],
        [dh, dc]: [&mut [T]; 2],
    ) {
        let one = T::one();
        gates!(
            units,
            z,
            [dh, dc] = |[i, f, g, o], [c0, c]| {
                let a = c.fast_tanh();
                let dc = dc + dh * o * (one - a * a);
                let di = dc * g * i * (one - i); //              σ' = σ (1 - σ)
                let df = dc * c0 * f * (one - f);
                let dg = dc * i * (one - g * g); //              tanh' = 1 - tanh²
                let do_ = dh * a * o * (one - o);
                ([di, df, dg, do_], [T::zero(), dc * f]) //      dc₀ = dc f
            }
        );
    }
}
