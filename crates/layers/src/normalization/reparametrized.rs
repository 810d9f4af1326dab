//! What the wrappers have in common that make a layer's weight of other parameters.

use std::ops::Range;

use chainrule_core::{
    Backward, Forward, Grads, Layer, Mode, ParamKind, Params, Plan, ShapeError, ValueError,
};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::ArrayView2;

use super::{SpectralNorm, WeightNorm};

/// A rule that makes the weight `w` of an inner layer of its declared weight `v` and of a value for each of its units,
/// which follow the inner layer's parameters. The macro below makes a layer of it.
pub(super) trait Reparametrization<T: Real> {
    /// The name of the inner layer in the plan.
    const NAME: &'static str;

    /// Along which axis of the weight the units lie, if that was chosen.
    fn axis(&self) -> Option<usize>;

    /// Declares the value for each unit.
    fn declare(&self, weight: &Weight, input: Shape, plan: &mut Plan) -> Result<(), ShapeError>;

    /// Overwrites `w`, made of `v` and of the units' `own` values.
    fn weight(&self, terms: &mut Terms<T>, v: &[T], own: &[T], w: &mut [T], training: bool);

    /// Turns the gradient of `w` into that of `v`, and adds to those of the units' `own` values.
    fn gradient(&self, terms: &mut Terms<T>, v: &[T], dw: &mut [T], own: &mut [T], share: T);
}

/// What a wrapper remembers that makes a layer's weight of other parameters.
///
/// The inner layer declares its parameters as ever. Its passes are given a copy of them, in which the weight is
/// replaced, and gradients of their own, in which the weight's is turned into those of the wrapper's parameters. Since
/// the inner layer has a row of its own in the plan, nobody takes the gradient of its weight for `xᵀ dy`.
#[derive(Clone, Debug, Default)]
pub struct Reparametrized<T: Real, C> {
    cache: C,
    /// How many parameters the inner layer has.
    size: usize,
    /// These parameters with the weight that was made, and their gradients.
    params: Buffer<T>,
    grads: Buffer<T>,
    terms: Terms<T>,
}

/// The place of a weight among the parameters of its layer, and its shape `[outer, units, inner]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Weight {
    pub(super) range: Range<usize>,
    pub(super) outer: usize,
    pub(super) units: usize,
    pub(super) inner: usize,
}

/// What a [`Reparametrization`] computes for the weight.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms<T: Real> {
    pub(super) weight: Weight,
    /// For each unit.
    pub(super) units: [Buffer<T>; 3],
    /// For each place in a unit, `[outer, inner]`.
    pub(super) places: Buffer<T>,
    pub(super) norm: T,
}

/// Plans `layer` and the wrapper's own values.
fn plan<T: Real, L: Layer<T>, R: Reparametrization<T>>(
    rule: &R,
    layer: &L,
    input: Shape,
    plan: &mut Plan,
) -> Result<(Shape, Reparametrized<T, L::Cache>), ShapeError> {
    let (start, entries) = (plan.size(), plan.entries().len());
    let (output, cache, size) = plan.inner(R::NAME, layer, input)?;
    let Some(weight) = plan.entries()[entries..].iter().find(|entry| entry.kind == ParamKind::Weight) else {
        let expected = "samples that its inner layer has a weight for";
        return Err(plan.error(input, expected, "put a layer with a weight into it"));
    };
    let shape = weight.shape;
    let axis = rule.axis().unwrap_or(if shape.len() == 2 { 1 } else { 0 });
    let Some(&units) = shape.get(axis) else {
        let help = format!("the weight {} has the shape {shape}; choose one of its axes", weight.name);
        return Err(plan.error(input, &format!("an inner layer whose weight has an axis {axis}"), &help));
    };
    let weight = Weight {
        range: weight.range.start - start..weight.range.end - start,
        outer: shape[..axis].iter().product(),
        units,
        inner: shape[axis + 1..].iter().product(),
    };
    rule.declare(&weight, input, plan)?;
    let (params, grads, terms) = (Buffer::default(), Buffer::default(), Terms { weight, ..Terms::default() });
    Ok((output, Reparametrized { cache, size, params, grads, terms }))
}

fn forward<T: Real, L: Layer<T>, R: Reparametrization<T>>(
    rule: &R,
    layer: &L,
    pass: Forward<'_, T, Reparametrized<T, L::Cache>>,
) {
    let Forward { mut params, x, y, cache, mode } = pass;
    let Reparametrized { cache, size, params: made, terms, .. } = cache;
    made.reserve(*size);
    terms.units.iter_mut().for_each(|buffer| buffer.reserve(terms.weight.units));
    terms.places.reserve(terms.weight.outer * terms.weight.inner);
    let (declared, own) = (params.values(*size), params.values(terms.weight.units));
    let weight = terms.weight.range.clone();
    made.copy_from_slice(declared);
    rule.weight(terms, &declared[weight.clone()], own, &mut made[weight], mode != Mode::Eval);
    layer.forward(Forward { params: Params::new(made), x, y, cache, mode: mode.inner(0) });
}

fn backward<T: Real, L: Layer<T>, R: Reparametrization<T>>(
    rule: &R,
    layer: &L,
    pass: Backward<'_, T, Reparametrized<T, L::Cache>>,
) {
    let Backward { mut params, mut grads, x, y, dy, dx, cache, share } = pass;
    let Reparametrized { cache, size, params: made, grads: inner, terms } = cache;
    inner.reserve(*size);
    let declared = params.values(*size);
    let params = Params::new(made);
    layer.backward(Backward { params, grads: Grads::fresh(inner), x, y, dy, dx, cache, share });
    let (total, own) = (grads.values(*size), grads.values(terms.weight.units));
    let weight = terms.weight.range.clone();
    rule.gradient(terms, &declared[weight.clone()], &mut inner[weight], own, share);
    vector::each(
        [inner],
        [total],
        #[inline(always)]
        |[inner], [total]| [total + inner],
    );
}

/// The passes of a wrapper, whose inner layer is its field `layer`.
macro_rules! wrapper {
    ($($name:ident)*) => {$(
        impl<T: Real, L: Layer<T>> Layer<T> for $name<L> {
            type Cache = Reparametrized<T, L::Cache>;

            fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
                self::plan(self, &self.layer, input, plan)
            }

            fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
                self.layer.check(x)
            }

            fn forward(&self, pass: Forward<'_, T, Self::Cache>) {
                self::forward(self, &self.layer, pass);
            }

            fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
                self::backward(self, &self.layer, pass);
            }
        }
    )*};
}

wrapper!(WeightNorm SpectralNorm);
