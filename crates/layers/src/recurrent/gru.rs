//! The gated recurrent unit.

use std::fmt;

use chainrule_core::Constant;
use chainrule_tensor::{Real, gates};

use super::cell::{Cell, GateLayout};
use super::gate_projection::GateProjection;
use super::layer::Recurrent;

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
    const GATES: GateLayout = GateLayout { count: 3, summed: 2 };

    fn forward(self, units: usize, z: &mut [T], [h0, _]: [&[T]; 2], [h, _]: [&mut [T]; 2]) {
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

    fn backward(self, units: usize, z: &mut [T], [h0, _]: [&[T]; 2], _: [&[T]; 2], [dh, _]: [&mut [T]; 2]) {
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
