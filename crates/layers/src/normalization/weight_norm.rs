//! Weight normalisation.

use std::sync::Arc;

use chainrule_core::{Initializer, Layer, ParamSpec, Plan, ShapeError};
use chainrule_tensor::{Real, Seed, Shape, vector};

use super::reparametrized::{Reparametrization, Terms, Weight};

/// A layer whose first weight is `w = g v / |v|` for each output unit: a length `g` and a direction `v` are trained in
/// its place (Salimans and Kingma 2016, "Weight normalization"; PyTorch's `weight_norm`).
///
/// `v` takes the place of the inner layer's weight among the parameters, and `g`, `[units]`, follows them. The units of
/// a matrix lie along its last axis (`Dense`), those of a weight of more axes along the first (convolutions);
/// [`axis`](Self::axis) chooses another, such as 1 for transposed convolutions. Other parameters of the inner layer pass
/// through.
///
/// `v` starts as the weight would, and `g` as the length of another draw of it. So `w` starts as likely as the weight
/// would, though not as `v` itself. A unit whose `v` is 0 has the weight 0.
///
/// ```
/// use chainrule_core::gradcheck;
/// use chainrule_layers::{Dense, WeightNorm};
/// gradcheck::gradients(&WeightNorm::new(Dense::new(3)), [4])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WeightNorm<L> {
    pub(super) layer: L,
    axis: Option<usize>,
}

impl<L> WeightNorm<L> {
    /// This layer, with its first weight in two parts.
    pub fn new(layer: L) -> Self {
        Self { layer, axis: None }
    }

    /// Along which axis of the weight the units lie.
    #[must_use]
    pub fn axis(self, axis: usize) -> Self {
        Self { axis: Some(axis), ..self }
    }
}

impl<T: Real, L: Layer<T>> Reparametrization<T> for WeightNorm<L> {
    const NAME: &'static str = "weight_norm";

    fn axis(&self) -> Option<usize> {
        self.axis
    }

    fn declare(&self, weight: &Weight, input: Shape, plan: &mut Plan) -> Result<(), ShapeError> {
        let mut layer = Plan::new();
        self.layer.plan(input, &mut layer)?;
        let init: Arc<dyn Initializer> = Arc::new(Lengths { layer, weight: weight.clone() });
        plan.bias("g", [weight.units], (1, 1), &init)?;
        Ok(())
    }

    fn weight(&self, terms: &mut Terms<T>, v: &[T], g: &[T], w: &mut [T], _: bool) {
        let Terms { weight, units: [inverse, factor, _], .. } = terms;
        inverse.fill(T::zero());
        vector::sum_channels(
            weight.inner,
            [v],
            [],
            [inverse],
            #[inline(always)]
            |[v], []| [v * v],
        );
        for ((inverse, factor), &g) in inverse.iter_mut().zip(factor.iter_mut()).zip(g) {
            *inverse = if *inverse > T::zero() { inverse.sqrt().recip() } else { T::zero() }; // 1 / |v|
            *factor = g * *inverse;
        }
        vector::map_channels(
            weight.inner,
            [v],
            [factor],
            w,
            #[inline(always)]
            |[v], [factor], _| v * factor, //                                w = g v / |v|
        );
    }

    fn gradient(&self, terms: &mut Terms<T>, v: &[T], dw: &mut [T], dg: &mut [T], _: T) {
        let Terms { weight, units: [inverse, factor, along], .. } = terms;
        along.fill(T::zero());
        vector::sum_channels(
            weight.inner,
            [dw, v],
            [],
            [along],
            #[inline(always)]
            |[dw, v], []| [dw * v],
        );
        for ((along, &inverse), dg) in along.iter_mut().zip(inverse.iter()).zip(dg) {
            *dg += *along * inverse; //                                      dg = Σ dw v / |v|
            *along *= inverse * inverse;
        }
        vector::map_channels(
            weight.inner,
            [v],
            [factor, along],
            dw,
            #[inline(always)]
            |[v], [factor, along], dw| (dw - v * along) * factor, //         dv = g / |v| (dw - v Σ dw v / |v|²)
        );
    }
}

/// The lengths of the units of a weight that is drawn as the inner layer's is.
#[derive(Debug)]
struct Lengths {
    /// What the inner layer declares.
    layer: Plan,
    weight: Weight,
}

impl Initializer for Lengths {
    fn fill(&self, _: ParamSpec, seed: Seed, values: &mut [f64]) {
        let Weight { range, inner, .. } = &self.weight;
        let mut params = vec![0.0; self.layer.size()];
        self.layer.init(seed, &mut params);
        values.fill(0.0);
        vector::sum_channels(*inner, [&params[range.clone()]], [], [values], |[v], []| [v * v]);
        values.iter_mut().for_each(|square| *square = square.sqrt());
    }
}
