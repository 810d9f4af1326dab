//! What wrappers share that compute a layer's weight from other parameters.

use std::ops::Range;

use chainrule_core::runner::GradsExt;
use chainrule_core::{Backward, Forward, Grads, Layer, Mode, ParamKind, Params, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, each};

/// Computes the weight `w` of an inner layer from its declared weight `v` and from a value for each of its units, which
/// follow the inner layer's parameters. [`reparametrized_layer`] implements the layer.
pub(super) trait Reparametrization<T: Real> {
    /// The name of the inner layer in the plan.
    const NAME: &'static str;

    /// Which axis of the weight is that of the units, if it was chosen.
    fn axis(&self) -> Option<usize>;

    /// Declares the value for each unit.
    fn declare(&self, weight: &WeightLayout, input: Shape, plan: &mut Plan) -> Result<(), ShapeError>;

    /// Overwrites `w`, computed from `v` and the units' `own` values.
    fn weight(&self, terms: &mut WeightTerms<T>, v: &[T], own: &[T], w: &mut [T], training: bool);

    /// Turns the gradient of `w` into that of `v`, and adds to those of the units' `own` values.
    fn gradient(&self, terms: &mut WeightTerms<T>, v: &[T], dw: &mut [T], own: &mut [T], share: T);
}

/// What a wrapper that computes a layer's weight keeps between its passes.
///
/// The inner layer declares its parameters as usual. Its passes are given a copy of them, in which the weight is
/// replaced, and separate gradients, in which the weight's is turned into those of the wrapper's parameters. Since
/// the inner layer is a layer of its own in the plan, a container does not take the gradient of its weight for `xᵀ dy`.
#[derive(Clone, Debug, Default)]
pub struct ReparametrizationCache<T: Real, C> {
    cache: C,
    /// The number of parameters of the inner layer.
    size: usize,
    /// These parameters with the computed weight, and their gradients.
    params: Buffer<T>,
    grads: Buffer<T>,
    terms: WeightTerms<T>,
}

/// The range of a weight among the parameters of its layer, and its shape `[outer, units, inner]`.
#[derive(Clone, Debug, Default)]
pub(super) struct WeightLayout {
    pub(super) range: Range<usize>,
    pub(super) outer: usize,
    pub(super) units: usize,
    pub(super) inner: usize,
}

/// What a [`Reparametrization`] computes for the weight.
#[derive(Clone, Debug, Default)]
pub(super) struct WeightTerms<T: Real> {
    pub(super) weight: WeightLayout,
    /// For each unit.
    pub(super) units: [Buffer<T>; 3],
    /// For each position in a unit, `[outer, inner]`.
    pub(super) positions: Buffer<T>,
    pub(super) norm: T,
}

/// Plans `layer` and the wrapper's own values.
pub(super) fn plan<T: Real, L: Layer<T>, R: Reparametrization<T>>(
    reparametrization: &R,
    layer: &L,
    input: Shape,
    plan: &mut Plan,
) -> Result<(Shape, ReparametrizationCache<T, L::Cache>), ShapeError> {
    let start = plan.size();
    let entries = plan.entries().len();
    let (output, cache, size) = plan.inner(R::NAME, layer, input)?;
    let Some(weight) = plan.entries()[entries..].iter().find(|entry| entry.kind == ParamKind::Weight) else {
        let expected = "an inner layer that has a weight";
        return Err(plan.error(input, expected, "put a layer with a weight into it"));
    };
    let shape = weight.shape;
    let axis = reparametrization.axis().unwrap_or(if shape.len() == 2 { 1 } else { 0 });
    let Some(&units) = shape.get(axis) else {
        let help = format!("the weight {} has the shape {shape}; choose one of its axes", weight.name);
        return Err(plan.error(input, &format!("an inner layer whose weight has an axis {axis}"), &help));
    };
    let weight = WeightLayout {
        range: weight.range.start - start..weight.range.end - start,
        outer: shape[..axis].iter().product(),
        units,
        inner: shape[axis + 1..].iter().product(),
    };
    reparametrization.declare(&weight, input, plan)?;
    let terms = WeightTerms { weight, ..WeightTerms::default() };
    let params = Buffer::default();
    let grads = Buffer::default();
    Ok((output, ReparametrizationCache { cache, size, params, grads, terms }))
}

/// The forward pass of `layer`, with the computed weight.
pub(super) fn forward<T: Real, L: Layer<T>, R: Reparametrization<T>>(
    reparametrization: &R,
    layer: &L,
    pass: Forward<'_, T, ReparametrizationCache<T, L::Cache>>,
) {
    let Forward { mut params, x, y, cache, mode } = pass;
    let ReparametrizationCache { cache, size, params: computed, terms, .. } = cache;
    computed.reserve(*size);
    terms.units.iter_mut().for_each(|buffer| buffer.reserve(terms.weight.units));
    terms.positions.reserve(terms.weight.outer * terms.weight.inner);
    let declared = params.values(*size);
    let own = params.values(terms.weight.units);
    let weight = terms.weight.range.clone();
    computed.copy_from_slice(declared);
    reparametrization.weight(
        terms,
        &declared[weight.clone()],
        own,
        &mut computed[weight],
        mode != Mode::Eval,
    );
    layer.forward(Forward { params: Params::new(computed), x, y, cache, mode: mode.inner(0) });
}

/// The backward pass of `layer`, and then of its weight.
pub(super) fn backward<T: Real, L: Layer<T>, R: Reparametrization<T>>(
    reparametrization: &R,
    layer: &L,
    pass: Backward<'_, T, ReparametrizationCache<T, L::Cache>>,
) {
    let Backward { mut params, mut grads, x, y, dy, dx, cache, share } = pass;
    let ReparametrizationCache { cache, size, params: computed, grads: inner, terms } = cache;
    inner.reserve(*size);
    let declared = params.values(*size);
    let params = Params::new(computed);
    layer.backward(Backward { params, grads: Grads::fresh(inner), x, y, dy, dx, cache, share });
    let total = grads.values(*size);
    let own = grads.values(terms.weight.units);
    let weight = terms.weight.range.clone();
    reparametrization.gradient(terms, &declared[weight.clone()], &mut inner[weight], own, share);
    each!(total = |inner| total + inner);
}

/// Implements the layer of a wrapper with a [`Reparametrization`], whose inner layer is its field `layer`.
macro_rules! reparametrized_layer {
    ($name:ident) => {
        impl<T: ::chainrule_tensor::Real, L: ::chainrule_core::Layer<T>> ::chainrule_core::Layer<T>
            for $name<L>
        {
            type Cache = $crate::normalization::reparametrization::ReparametrizationCache<T, L::Cache>;

            fn plan(
                &self,
                input: ::chainrule_tensor::Shape,
                plan: &mut ::chainrule_core::Plan,
            ) -> Result<(::chainrule_tensor::Shape, Self::Cache), ::chainrule_core::ShapeError> {
                $crate::normalization::reparametrization::plan(self, &self.layer, input, plan)
            }

            fn check(&self, x: ::ndarray::ArrayView2<'_, T>) -> Result<(), ::chainrule_core::ValueError> {
                self.layer.check(x)
            }

            fn description(&self) -> ::chainrule_core::Description {
                let layer = ::chainrule_core::Layer::<T>::description(&self.layer);
                <$name<::chainrule_core::AnyLayer<T>> as ::chainrule_core::Described>::ENTRY
                    .description(self.values(layer.into()))
            }

            fn forward(&self, pass: ::chainrule_core::Forward<'_, T, Self::Cache>) {
                $crate::normalization::reparametrization::forward(self, &self.layer, pass);
            }

            fn backward(&self, pass: ::chainrule_core::Backward<'_, T, Self::Cache>) {
                $crate::normalization::reparametrization::backward(self, &self.layer, pass);
            }
        }
    };
}
pub(super) use reparametrized_layer;
