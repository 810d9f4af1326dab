//! Gated linear units: one half of the values is let through by the other.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};
use ndarray::{ArrayView2, Axis, s};

use super::{Activation, Gelu, Relu, Sigmoid, Silu, possible, shorten};

/// `a f(b)`, where the sample is `[a, b]`, two halves along an axis: the values `a`, and then the gate `b`, on which an
/// activation `f` acts (Dauphin et al. 2017; Shazeer 2020, "GLU variants improve transformer").
///
/// The halves are those of the last axis, `[steps, 2 units]` to `[steps, units]`, unless another
/// [`axis`](Self::axis) is named, for images 0. The weights stand in the layer before: Shazeer's
/// `Swish(x W) ⊗ (x V)` is `Dense::new(2 * units)` with the columns `[V, W]`, followed by [`SwiGlu`]. [`Glu`] is
/// PyTorch's and Keras' in the order of the halves too. `Gated::new(Identity)` is his bilinear unit.
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

impl<F> Gated<F> {
    /// With this activation of the gate.
    pub fn new(gate: F) -> Self {
        Self { gate, axis: None }
    }

    /// With halves along this axis of a sample: 0 is the first, the channels of an image.
    #[must_use]
    pub fn axis(self, axis: usize) -> Self {
        Self { axis: Some(axis), ..self }
    }
}

/// The columns of `[a, b]` that begin at `start`, halves of `block` columns.
fn halves<T>(x: ArrayView2<'_, T>, start: usize, block: usize) -> (ArrayView2<'_, T>, ArrayView2<'_, T>) {
    x.slice_move(s![.., start..start + 2 * block]).split_at(Axis(1), block)
}

impl<T: Real, F: Activation<T>> Layer<T> for Gated<F> {
    /// How many values of a half lie side by side.
    type Cache = usize;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, usize), ShapeError> {
        possible(self.gate.settings(), input, plan)?;
        let Some((output, inner)) = shorten(input, self.axis, 2) else {
            let help = "let the layer before give twice as many values as are wanted";
            return Err(plan.error(input, "samples with an even number of values along its axis", help));
        };
        let axis = self.axis.unwrap_or(output.len() - 1);
        Ok((output, output[axis] * inner))
    }

    fn forward(&self, Forward { x, mut y, cache: &mut block, .. }: Forward<'_, T, usize>) {
        let f = self.gate;
        for start in (0..y.ncols()).step_by(block) {
            let (a, b) = halves(x, 2 * start, block);
            let y = y.slice_mut(s![.., start..start + block]);
            vector::map2(
                a,
                b,
                y,
                #[inline(always)]
                move |a, b| a * f.value(b),
            );
        }
    }

    fn backward(&self, Backward { x, dy, dx, cache: &mut block, .. }: Backward<'_, T, usize>) {
        let (f, Some(mut dx)) = (self.gate, dx) else { return };
        for start in (0..dy.ncols()).step_by(block) {
            let (a, b) = halves(x, 2 * start, block);
            let dx = dx.slice_mut(s![.., 2 * start..2 * (start + block)]);
            let (da, db) = dx.split_at(Axis(1), block);
            let dy = dy.slice(s![.., start..start + block]);
            vector::map2(
                b,
                dy,
                da,
                #[inline(always)]
                move |b, dy| dy * f.value(b),
            );
            vector::map3(
                a,
                b,
                dy,
                db,
                #[inline(always)]
                move |a, b, dy| dy * a * f.slope(b, f.value(b)),
            );
        }
    }
}
