//! The gated recurrent unit.

use std::fmt;

use chainrule_core::{
    Constant, Described, Description, DescriptionError, Entry, Layer, Range, Settings, Value, entry,
};
use chainrule_tensor::{Real, gates};

use super::cell::{Cell, GateLayout};
use super::gate_projection::GateProjection;
use super::layer::{Recurrent, RecurrentOptions};

/// The gated recurrent unit (Cho et al. 2014), `[steps, features]` to `[units]`, or to `[steps, units]` with
/// [`sequences`](Recurrent::sequences), in the form that PyTorch and Keras (`reset_after=True`) compute:
///
/// > *r, z* = *σ* of *xₜ Wx* + *b* + *hₜ₋₁ Wh* + *b'*
/// > *n* = tanh(*xₜ Wx* + *b* + *r* (*hₜ₋₁ Wh* + *b'*))
/// > *hₜ* = (1 − *z*) *n* + *z hₜ₋₁*
///
/// each with its columns of the parameters, which are `weight` `[features, 3 units]`, `recurrent_weight`
/// `[units, 3 units]`, `bias` *b* and `recurrent_bias` *b'*, both `[3 units]`. The gates are in the order *r, z, n*, as in
/// PyTorch; Keras has *z, r, n*.
pub type Gru = Recurrent<GruCell, GateProjection>;

impl Described for Gru {
    const ENTRY: Entry = entry! {
        /// A recurrent layer whose gates mix the state with a new one.
        Gru = "gru";
        formula "h = (1 - z) n + z h₀";
        source "Cho et al. 2014";
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
        presets { keras { weight_init = glorot_uniform, recurrent_weight_init = orthogonal, bias_init = constant(0.0) } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let layer = Self::new_with(GruCell, GateProjection::from_settings(settings)?);
        Ok(layer.with_options(RecurrentOptions::from_settings(settings)?))
    }

    fn setting_values(&self) -> Vec<Value> {
        Self::ENTRY.values_of(&Layer::<f32>::description(self))
    }
}

impl Gru {
    /// With this many units, initialised as PyTorch's `GRU`: every parameter uniform in `±1/√units`.
    pub fn new(units: usize) -> Self {
        Self::new_with(GruCell, GateProjection::new(units))
    }

    /// Initialised as Keras' `GRU`: Glorot-uniform weights, an orthogonal recurrent weight, and zero biases.
    pub fn keras(units: usize) -> Self {
        Self::new_with(GruCell, GateProjection::keras(units, Constant(0.0)))
    }
}

/// The [`Cell`] of [`Gru`]. Its third gate is given what comes from the state separately, as `q`.
#[derive(Clone, Copy)]
pub struct GruCell;

impl fmt::Debug for GruCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gru")
    }
}

impl<T: Real> Cell<T> for GruCell {
    fn description(&self) -> Description {
        Description::new(Gru::ENTRY.name)
    }

    const GATES: GateLayout = GateLayout { count: 3, summed: 2 };

    fn forward(&self, units: usize, z: &mut [T], [h0, _]: [&[T]; 2], [h, _]: [&mut [T]; 2]) {
        gates!(
            units,
            z,
            [h] = |[r, z, n, q], [h0]| {
                let r = r.fast_sigmoid();
                let z = z.fast_sigmoid();
                let n = (n + r * q).fast_tanh(); //              n = tanh(n + r q)
                ([r, z, n, q], [n + z * (h0 - n)]) //            h = (1 - z) n + z h₀
            }
        );
    }

    fn backward(&self, units: usize, z: &mut [T], [h0, _]: [&[T]; 2], _: [&[T]; 2], [dh, _]: [&mut [T]; 2]) {
        let one = T::one();
        gates!(
            units,
            z,
            [dh] = |[r, z, n, q], [h0]| {
                let dn = dh * (one - z) * (one - n * n); //      tanh' = 1 - tanh²
                let dr = dn * q * r * (one - r); //              σ' = σ (1 - σ)
                let dz = dh * (h0 - n) * z * (one - z);
                ([dr, dz, dn, dn * r], [dh * z]) //              dq = dn r
            }
        );
    }
}
