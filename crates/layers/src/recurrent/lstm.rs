//! Long short-term memory.

use std::fmt;

use chainrule_core::{Initializer, ParamSpec};
use chainrule_tensor::{Real, Seed, gates};

use super::cell::{Cell, GateLayout};
use super::gate_projection::GateProjection;
use super::layer::Recurrent;

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
struct UnitForgetBias;

impl Initializer for UnitForgetBias {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        let units = values.len() / 4;
        values.fill(0.0);
        values[units..2 * units].fill(1.0);
    }
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
    const GATES: GateLayout = GateLayout::all_summed(4);
    const STATES: usize = 2;

    fn forward(self, units: usize, z: &mut [T], [_, c0]: [&[T]; 2], [h, c]: [&mut [T]; 2]) {
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
        self,
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
