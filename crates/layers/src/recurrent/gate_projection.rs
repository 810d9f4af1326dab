//! The gates of a recurrent layer as matrix products.

use std::sync::Arc;

use chainrule_core::{
    Description, DescriptionError, Grads, Initializer, Mode, ParamSpec, Params, Plan, Range, SettingValue,
    Settings, ShapeError, Value, describe, described,
};
use chainrule_tensor::vector::LongSum;
use chainrule_tensor::{Buffer, Real, Seed, Shape, gemm, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, s};

use super::cell::GateLayout;
use super::layer::Recurrent;
use super::recurrent_projection::RecurrentProjection;
use super::unrolled::{Unrolled, UnrolledSizes, matrix_rows, matrix_rows_mut};
use crate::init::{GlorotUniform, Orthogonal};

/// `Z = X Wx + H Wh + b` for steps that are vectors, with `weight` `Wx` `[features, gates * units]`,
/// `recurrent_weight` `Wh` `[units, gates * units]` and `bias` `b` `[gates * units]`.
///
/// A cell that needs `X Wx` and `H Wh` of some gate separately has a second bias, `recurrent_bias`, which is added to
/// `H Wh`. The products with `Wx` are one for all steps, and so are those of the gradients of both weights; only the
/// products of a state with `Wh` are one for each step.
#[derive(Clone, Debug)]
pub struct GateProjection {
    units: usize,
    weight: Arc<dyn Initializer>,
    recurrent_weight: Arc<dyn Initializer>,
    bias: Option<Arc<dyn Initializer>>,
}

impl GateProjection {
    /// With this many units, and all parameters initially uniform in `±1/√units`.
    pub fn new(units: usize) -> Self {
        let init: Arc<dyn Initializer> = Arc::new(UnitsUniform { units });
        Self { units, weight: Arc::clone(&init), recurrent_weight: Arc::clone(&init), bias: Some(init) }
    }

    /// That of the settings of a layer.
    pub(super) fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let units = settings.get("units")?;
        let init = |setting: &str| -> Result<Arc<dyn Initializer>, DescriptionError> {
            let given = settings.get::<Option<Arc<dyn Initializer>>>(setting)?;
            Ok(given.unwrap_or_else(|| Arc::new(UnitsUniform { units })))
        };
        let bias = settings.get::<bool>("bias")?.then_some(init("bias_init")?);
        let recurrent_weight = init("recurrent_weight_init")?;
        Ok(Self { units, weight: init("weight_init")?, recurrent_weight, bias })
    }

    /// With Keras' initial weights, and these biases.
    pub(super) fn keras(units: usize, bias: impl Initializer + 'static) -> Self {
        let weight = Arc::new(GlorotUniform);
        let recurrent_weight = Arc::new(Orthogonal::default());
        Self { units, weight, recurrent_weight, bias: Some(Arc::new(bias)) }
    }
}

/// Uniform in `±1/√units`, the initialiser of PyTorch's recurrent layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitsUniform {
    units: usize,
}

describe! {
    /// Uniform in ±1/√units, the initialiser of PyTorch's recurrent layers.
    UnitsUniform = "units_uniform";
    settings {
        /// The number of units.
        units: required, Range::AT_LEAST_ONE;
    }
}

impl Initializer for UnitsUniform {
    fn fill(&self, _: ParamSpec, seed: Seed, values: &mut [f64]) {
        let limit = 1.0 / (self.units as f64).sqrt();
        let mut rng = seed.rng();
        values.fill_with(|| rng.between(-limit, limit));
    }

    described!();
}

impl<C> Recurrent<C, GateProjection> {
    /// Another initialiser of the weights of the input.
    #[must_use]
    pub fn weight_init(mut self, init: impl Initializer + 'static) -> Self {
        self.projection.weight = Arc::new(init);
        self
    }

    /// Another initialiser of the weights of the state.
    #[must_use]
    pub fn recurrent_weight_init(mut self, init: impl Initializer + 'static) -> Self {
        self.projection.recurrent_weight = Arc::new(init);
        self
    }

    /// Another initialiser of the biases.
    #[must_use]
    pub fn bias_init(mut self, init: impl Initializer + 'static) -> Self {
        self.projection.bias = Some(Arc::new(init));
        self
    }

    /// Without biases.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.projection.bias = None;
        self
    }
}

/// The parameters, as the formulas name them.
struct GateWeights<'a, T> {
    wx: ArrayView2<'a, T>,
    wh: ArrayView2<'a, T>,
    b: Option<ArrayView1<'a, T>>,
    bh: Option<ArrayView1<'a, T>>,
}

impl GateProjection {
    fn weights<'a, T: Real>(&self, params: &'a [T], sizes: UnrolledSizes) -> GateWeights<'a, T> {
        let UnrolledSizes { inputs, units, gates, .. } = sizes;
        let mut params = Params::new(params);
        let columns = gates.count * units;
        let wx = params.take([inputs, columns]);
        let wh = params.take([units, columns]);
        let b = self.bias.is_some().then(|| params.take([columns]));
        let bh = (b.is_some() && !gates.is_all_summed()).then(|| params.take([columns]));
        GateWeights { wx, wh, b, bh }
    }
}

/// What is added to each row of `Z`, and backward its gradient: the biases, `[blocks * units]`.
#[derive(Clone, Debug, Default)]
pub struct GateProjectionCache<T: Real> {
    bias: Buffer<T>,
    /// The sum over the steps.
    bias_sum: LongSum<T>,
}

impl<T: Real> RecurrentProjection<T> for GateProjection {
    type Cache = GateProjectionCache<T>;

    fn describe(&self, cell: Description) -> Description {
        let Self { units, weight, recurrent_weight, bias } = self;
        let inits = cell.with("units", *units).with("weight_init", weight.to_value());
        let inits = inits.with("recurrent_weight_init", recurrent_weight.to_value());
        let bias_init = bias.as_ref().map_or(Value::None, |bias| bias.to_value());
        inits.with("bias", bias.is_some()).with("bias_init", bias_init)
    }

    fn plan(
        &self,
        input: Shape,
        gates: GateLayout,
        plan: &mut Plan,
    ) -> Result<(Shape, Self::Cache), ShapeError> {
        let units = self.units;
        let &[steps, inputs] = &*input else {
            let help = "apply Flatten to each step with TimeDistributed, or Reshape to [steps, features]";
            return Err(plan.error(input, "sequences of vectors, [steps, features]", help));
        };
        plan.at_least_one(units, "a number of units", input)?;
        if inputs == 0 {
            let expected = "[steps, features] with at least one feature";
            return Err(plan.error(input, expected, "look for an axis of length 0 before it"));
        }
        let columns = units.saturating_mul(gates.count); // if it saturates, the weights are too large anyway
        plan.weight("weight", [inputs, columns], (inputs, columns), &self.weight)?;
        plan.weight("recurrent_weight", [units, columns], (units, columns), &self.recurrent_weight)?;
        if let Some(bias) = &self.bias {
            plan.bias("bias", [columns], (inputs, columns), bias)?;
            if !gates.is_all_summed() {
                plan.bias("recurrent_bias", [columns], (units, columns), bias)?;
            }
        }
        let factors = [inputs.saturating_add(units), columns, steps];
        plan.flops(factors.into_iter().fold(2, |flops, n| flops.saturating_mul(n as u64)));
        Ok((Shape::from([units]), GateProjectionCache::default()))
    }

    fn forward_sequence(&self, params: &[T], unrolled: &mut Unrolled<T>, cache: &mut Self::Cache) {
        let sizes = unrolled.sizes;
        let rows = sizes.steps * unrolled.rows;
        let width = unrolled.width();
        let GateWeights { wx, b, bh, .. } = self.weights(params, sizes);
        let mut z = matrix_rows_mut(&mut unrolled.z, 0..rows, width);
        let x = matrix_rows(&unrolled.x, 0..rows, sizes.inputs);
        gemm(T::one(), x, wx, T::zero(), z.slice_mut(s![.., ..wx.ncols()])); //    Z = X Wx
        let Some(b) = b else { return };
        cache.bias.reserve(width);
        let mut bias = ArrayViewMut1::from(&mut cache.bias[..width]);
        bias.fill(T::zero());
        vector::add(b, bias.slice_mut(s![..b.len()]));
        for (gates, blocks) in sizes.gates.recurrent_columns(sizes.units) {
            if let Some(bh) = bh {
                vector::add(bh.slice(s![gates]), bias.slice_mut(s![blocks]));
            }
        }
    }

    fn forward_step(
        &self,
        params: &[T],
        step: usize,
        _: Mode,
        unrolled: &mut Unrolled<T>,
        cache: &mut Self::Cache,
    ) {
        let sizes = unrolled.sizes;
        let rows = unrolled.rows_of(step);
        let width = unrolled.width();
        let GateWeights { wx, wh, b, .. } = self.weights(params, sizes);
        let mut z = matrix_rows_mut(&mut unrolled.z, rows.clone(), width);
        let h = matrix_rows(&unrolled.states[0], rows, sizes.units);
        for (gates, blocks) in sizes.gates.recurrent_columns(sizes.units) {
            let summed = blocks.start < wx.ncols();
            let mut z = z.slice_mut(s![.., blocks]);
            if step > 0 || unrolled.resumed {
                let beta = if summed { T::one() } else { T::zero() };
                gemm(T::one(), h, wh.slice(s![.., gates]), beta, z); //            Z += H Wh
            } else if !summed {
                z.fill(T::zero());
            }
        }
        if b.is_some() {
            vector::add_to_rows(ArrayView1::from(&cache.bias[..width]), z); //     Z += b
        }
    }

    fn backward_step(
        &self,
        params: &[T],
        _: &mut [T],
        step: usize,
        _: T,
        unrolled: &mut Unrolled<T>,
        cache: &mut Self::Cache,
    ) {
        let sizes = unrolled.sizes;
        let rows = unrolled.rows_of(step);
        let width = unrolled.width();
        let GateWeights { wh, b, .. } = self.weights(params, sizes);
        let dz = matrix_rows(&unrolled.z, rows, width);
        if b.is_some() {
            if step + 1 == sizes.steps {
                cache.bias_sum.start(width);
            }
            vector::sum_rows(dz, cache.bias_sum.part().into()); //                 db = Σ rows of dZ
        }
        if step > 0 {
            let mut dh = unrolled.gradients[0].matrix_mut(unrolled.rows, sizes.units);
            for (gates, blocks) in sizes.gates.recurrent_columns(sizes.units) {
                let dz = dz.slice(s![.., blocks]);
                let wh = wh.slice(s![.., gates]);
                gemm(T::one(), dz, wh.t(), T::one(), dh.view_mut()); //            dH += dZ Whᵀ
            }
        }
    }

    fn backward_sequence(
        &self,
        params: &[T],
        grads: &mut [T],
        input_gradient: bool,
        unrolled: &mut Unrolled<T>,
        cache: &mut Self::Cache,
    ) {
        let sizes = unrolled.sizes;
        let rows = sizes.steps * unrolled.rows;
        let width = unrolled.width();
        let GateWeights { wx, b, bh, .. } = self.weights(params, sizes);
        let mut grads = Grads::new(grads);
        let columns = wx.ncols();
        let dz = matrix_rows(&unrolled.z, 0..rows, width);
        let dzx = dz.slice(s![.., ..columns]);
        let mut x = matrix_rows_mut(&mut unrolled.x, 0..rows, sizes.inputs);
        gemm(T::one(), x.t(), dzx, T::one(), grads.take([sizes.inputs, columns])); // dWx = Σ Xᵀ dZ
        // The states before the first step are 0, unless the pass resumed from the previous one.
        let rows = if unrolled.resumed { 0 } else { unrolled.rows }..rows;
        let h = matrix_rows(&unrolled.states[0], rows.clone(), sizes.units);
        let mut dwh = grads.take([sizes.units, columns]);
        for (gates, blocks) in sizes.gates.recurrent_columns(sizes.units) {
            let dz = dz.slice(s![rows.clone(), blocks]);
            let dwh = dwh.slice_mut(s![.., gates]);
            gemm(T::one(), h.t(), dz, T::one(), dwh); //                              dWh = Σ Hᵀ dZ
        }
        if b.is_some() {
            cache.bias[..width].fill(T::zero());
            cache.bias_sum.add_to(&mut cache.bias[..width]);
        }
        let db = ArrayView1::from(&cache.bias[..]);
        if b.is_some() {
            vector::add(db.slice(s![..columns]), grads.take([columns]));
        }
        if bh.is_some() {
            let mut dbh = grads.take([columns]);
            for (gates, blocks) in sizes.gates.recurrent_columns(sizes.units) {
                vector::add(db.slice(s![blocks]), dbh.slice_mut(s![gates]));
            }
        }
        if input_gradient {
            gemm(T::one(), dzx, wx.t(), T::zero(), x.view_mut()); //                  dX = dZ Wxᵀ
        }
    }
}
