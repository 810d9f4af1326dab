//! Gated linear units: one half of the values multiplied by an activation of the other half.

use std::fmt;
use std::sync::Arc;

use chainrule_core::{
    Backward, Described, Description, DescriptionError, Entry, Forward, Layer, Plan, SettingValue, Settings,
    ShapeError, Value, entry,
};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, Axis, s};

use super::gate_loops::GateLoops;
use super::{Activation, ElementWise, Gelu, Relu, Sigmoid, Silu, check_settings, shorten};

/// `a f(b)`, where the sample is `[a, b]`, two halves along an axis: the values `a` and the gate `b`, to which an activation `f`
/// is applied (Dauphin et al. 2017; Shazeer 2020, "GLU variants improve transformer").
///
/// The halves are those of the last axis, `[steps, 2 units]` to `[steps, units]`, unless [`axis`](Self::axis) names another:
/// 0 for images. The weights belong to the layer before: Shazeer's `Swish(x W) ⊗ (x V)` is `Dense::new(2 * units)` with the
/// columns `[V, W]`, followed by [`SwiGlu`]. [`Glu`] has its halves in the order of PyTorch and Keras. `Gated::new(Identity)` is
/// Shazeer's bilinear unit.
///
/// Backward, `da = dy f(b)` and `db = dy a f'(b)`.
///
/// ```
/// use chainrule_core::{Sequential, gradcheck};
/// use chainrule_layers::{Dense, Gated, GeluTanh, SwiGlu};
/// let layers = Sequential::<f64>::default()
///     .then(Dense::new(16))
///     .then(SwiGlu::default())
///     .then(Dense::new(4))
///     .then(Gated::new(GeluTanh));
/// gradcheck::gradients(&layers, [6])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Gated<F> {
    gate: F,
    axis: Option<usize>,
}

/// `a σ(b)`, σ the logistic sigmoid: the gated linear unit (Dauphin et al. 2017).
pub type Glu = Gated<Sigmoid>;
/// `a silu(b)` (Shazeer 2020).
pub type SwiGlu = Gated<Silu>;
/// `a gelu(b)` (Shazeer 2020).
pub type GeGlu = Gated<Gelu>;
/// `a max(b, 0)` (Shazeer 2020).
pub type ReGlu = Gated<Relu>;

/// A [`Gated`] of any activation. It is one type, so that those which are built from descriptions are compiled once, and not once for
/// each activation.
pub(crate) struct AnyGated<T> {
    gate: Arc<dyn GateLoops<T>>,
    axis: Option<usize>,
}

impl<T: Real> Described for AnyGated<T> {
    const ENTRY: Entry = entry! {
        /// One half of the values, times an activation of the other half.
        Gated = "gated";
        formula "y = a f(b)";
        source "Dauphin et al. 2017; Shazeer 2020, \"GLU variants improve transformer\"";
        settings {
            /// The activation f, one of each value alone.
            gate: sigmoid;
            /// The axis of the halves, the last one by default.
            axis: none;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let activation: ElementWise<T> = settings.get("gate")?;
        Ok(Self { gate: activation.gate, axis: settings.get("axis")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.gate.description().into(), self.axis.to_value()]
    }
}

/// Gates with a name of their own. They describe themselves as the gated unit that they are.
macro_rules! named_gates {
    ($($name:ident = $text:literal, $formula:literal;)*) => {$(
        impl Described for $name {
            const ENTRY: Entry = entry! {
                /// One half of the values, times an activation of the other half.
                $name = $text;
                formula $formula;
                source "Shazeer 2020, \"GLU variants improve transformer\"";
                settings {
                    /// The axis of the halves, the last one by default.
                    axis: none;
                }
            };

            fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
                Ok(Self { axis: settings.get("axis")?, ..Self::default() })
            }

            fn setting_values(&self) -> Vec<Value> {
                vec![self.axis.to_value()]
            }
        }
    )*};
}
named_gates! {
    Glu = "glu", "y = a σ(b)";
    SwiGlu = "swi_glu", "y = a silu(b)";
    GeGlu = "ge_glu", "y = a gelu(b)";
    ReGlu = "re_glu", "y = a max(b, 0)";
}

impl<F> Gated<F> {
    /// Applies this activation to the gate.
    pub fn new(gate: F) -> Self {
        Self { gate, axis: None }
    }

    /// Halves along this axis of a sample; 0 is the first, the channels of an image.
    #[must_use]
    pub fn axis(self, axis: usize) -> Self {
        Self { axis: Some(axis), ..self }
    }
}

impl<T: Real, F: Activation<T>> Layer<T> for Gated<F> {
    /// The number of contiguous values of a half.
    type Cache = usize;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, usize), ShapeError> {
        plan_halves::<T>(&self.gate, self.axis, input, plan)
    }

    fn description(&self) -> Description {
        description::<T>(&self.gate, self.axis)
    }

    fn forward(&self, pass: Forward<'_, T, usize>) {
        forward(&self.gate, pass);
    }

    fn backward(&self, pass: Backward<'_, T, usize>) {
        backward(&self.gate, pass);
    }
}

impl<T: Real> fmt::Debug for AnyGated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated").field("gate", &self.gate).field("axis", &self.axis).finish()
    }
}

impl<T: Real> Layer<T> for AnyGated<T> {
    /// The number of contiguous values of a half.
    type Cache = usize;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, usize), ShapeError> {
        plan_halves(&*self.gate, self.axis, input, plan)
    }

    fn description(&self) -> Description {
        description(&*self.gate, self.axis)
    }

    fn forward(&self, pass: Forward<'_, T, usize>) {
        forward(&*self.gate, pass);
    }

    fn backward(&self, pass: Backward<'_, T, usize>) {
        backward(&*self.gate, pass);
    }
}

fn plan_halves<T: Real>(
    gate: &dyn GateLoops<T>,
    axis: Option<usize>,
    input: Shape,
    plan: &mut Plan,
) -> Result<(Shape, usize), ShapeError> {
    check_settings(gate.check(), input, plan)?;
    let Some((output, inner)) = shorten(input, axis, 2) else {
        let help = "let the layer before return twice the number of units";
        return Err(plan.error(input, "samples with an even number of values along its axis", help));
    };
    let axis = axis.unwrap_or(output.len() - 1);
    Ok((output, output[axis] * inner))
}

fn description<T: Real>(gate: &dyn GateLoops<T>, axis: Option<usize>) -> Description {
    AnyGated::<T>::ENTRY.description([gate.description().into(), axis.to_value()])
}

fn forward<T: Real>(gate: &dyn GateLoops<T>, pass: Forward<'_, T, usize>) {
    let Forward { x, mut y, cache: &mut block, .. } = pass;
    for start in (0..y.ncols()).step_by(block) {
        let (a, b) = halves(x, 2 * start, block);
        gate.forward(a, b, y.slice_mut(s![.., start..start + block]));
    }
}

fn backward<T: Real>(gate: &dyn GateLoops<T>, pass: Backward<'_, T, usize>) {
    let Backward { x, dy, dx: Some(mut dx), cache: &mut block, .. } = pass else { return };
    for start in (0..dy.ncols()).step_by(block) {
        let (a, b) = halves(x, 2 * start, block);
        let dx = dx.slice_mut(s![.., 2 * start..2 * (start + block)]);
        let (da, db) = dx.split_at(Axis(1), block);
        gate.backward([a, b], dy.slice(s![.., start..start + block]), [da, db]);
    }
}

/// The halves `a` and `b` of `2 block` columns from `start` on.
fn halves<T>(x: ArrayView2<'_, T>, start: usize, block: usize) -> (ArrayView2<'_, T>, ArrayView2<'_, T>) {
    x.slice_move(s![.., start..start + 2 * block]).split_at(Axis(1), block)
}
