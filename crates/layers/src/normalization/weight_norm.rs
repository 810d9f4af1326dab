//! Weight normalisation.

use std::sync::Arc;

use chainrule_core::{
    AnyLayer, Described, DescriptionError, Entry, Initializer, Layer, ParamSpec, Plan, SettingValue,
    Settings, ShapeError, Value, entry,
};
use chainrule_tensor::{Real, Seed, Shape, map_channels, sum_channels};

use super::reparametrization::{Reparametrization, WeightLayout, WeightTerms, reparametrized_layer};

/// A layer whose first weight is `w = g v / |v|` for each output unit: a length `g` and a direction `v` are trained
/// instead of it (Salimans and Kingma 2016, "Weight normalization"; PyTorch's `weight_norm`).
///
/// `v` replaces the inner layer's weight among the parameters, and `g`, `[units]`, follows them. The units are the last
/// axis of a matrix (`Dense`), and the first axis of a weight with more axes (convolutions); [`axis`](Self::axis) chooses
/// another, such as 1 for transposed convolutions. Other parameters of the inner layer are unchanged.
///
/// `v` is initialised as the weight would be, and `g` with the lengths of another draw of it. So `w` has the distribution
/// that the weight would have, but differs from `v`. A unit whose `v` is 0 has the weight 0.
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

impl<T: Real> Described for WeightNorm<AnyLayer<T>> {
    const ENTRY: Entry = entry! {
        /// A layer whose weight is a length times a direction, for each unit.
        WeightNorm = "weight_norm";
        formula "w = g v / |v|";
        source "Salimans and Kingma 2016";
        settings {
            /// The layer.
            layer: required;
            /// The axis of the units; by default the second of a matrix, else the first.
            axis ("dim"): none;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self { layer: settings.get("layer")?, axis: settings.get("axis")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        self.values(self.layer.to_value())
    }
}

impl<L> WeightNorm<L> {
    /// The values of the settings, with this one of the layer.
    fn values(&self, layer: Value) -> Vec<Value> {
        vec![layer, self.axis.to_value()]
    }
}

impl<L> WeightNorm<L> {
    /// This layer, with its first weight as lengths and directions.
    pub fn new(layer: L) -> Self {
        Self { layer, axis: None }
    }

    /// Which axis of the weight is that of the units.
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

    fn declare(&self, weight: &WeightLayout, input: Shape, plan: &mut Plan) -> Result<(), ShapeError> {
        let mut layer = plan.replan();
        self.layer.plan(input, &mut layer)?;
        let init: Arc<dyn Initializer> = Arc::new(UnitLengths { layer, weight: weight.clone() });
        plan.bias("g", [weight.units], (1, 1), &init)?;
        Ok(())
    }

    fn weight(&self, terms: &mut WeightTerms<T>, v: &[T], g: &[T], w: &mut [T], _: bool) {
        let WeightTerms { weight, units: [inverse, factor, _], .. } = terms;
        inverse.fill(T::zero());
        sum_channels!(weight.inner, [inverse] += |[v], []| [v * v]);
        for ((inverse, factor), &g) in inverse.iter_mut().zip(factor.iter_mut()).zip(g) {
            *inverse = if *inverse > T::zero() { inverse.sqrt().recip() } else { T::zero() }; // 1 / |v|
            *factor = g * *inverse;
        }
        map_channels!(weight.inner, w = |[v], [factor]| v * factor); //      w = g v / |v|
    }

    fn gradient(&self, terms: &mut WeightTerms<T>, v: &[T], dw: &mut [T], dg: &mut [T], _: T) {
        let WeightTerms { weight, units: [inverse, factor, along], .. } = terms;
        along.fill(T::zero());
        sum_channels!(weight.inner, [along] += |[dw, v], []| [dw * v]);
        for ((along, &inverse), dg) in along.iter_mut().zip(inverse.iter()).zip(dg) {
            *dg += *along * inverse; //                                      dg = Σ dw v / |v|
            *along *= inverse * inverse;
        }
        // dv = g / |v| (dw - v Σ dw v / |v|²)
        map_channels!(weight.inner, dw = |[v], [factor, along]| (dw - v * along) * factor);
    }
}

reparametrized_layer!(WeightNorm);

/// Initialises with the lengths of the units of a weight that is drawn as the inner layer's is.
#[derive(Debug)]
struct UnitLengths {
    /// What the inner layer declares.
    layer: Plan,
    weight: WeightLayout,
}

impl Initializer for UnitLengths {
    fn fill(&self, _: ParamSpec, seed: Seed, values: &mut [f64]) {
        let WeightLayout { range, inner, .. } = &self.weight;
        let mut params = vec![0.0; self.layer.size()];
        self.layer.init(seed, &mut params);
        let v = &params[range.clone()];
        values.fill(0.0);
        sum_channels!(*inner, [values] += |[v], []| [v * v]);
        values.iter_mut().for_each(|square| *square = square.sqrt());
    }
}
