//! The products of a recurrent layer with two weights.

use std::sync::Arc;

use chainrule_core::{Grads, Initializer, Mode, ParamSpec, Params, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Seed, Shape, gemm, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, s};

use super::memory::{Memory, Sizes, part, part_mut};
use super::{Gates, Product, Recurrent};
use crate::init::GlorotUniform;

/// `Z = X Wx + H Wh + b` for steps that are vectors, with `weight` `Wx` `[features, gates * units]`,
/// `recurrent_weight` `Wh` `[units, gates * units]` and `bias` `b` `[gates * units]`.
///
/// A cell that wants `X Wx` and `H Wh` of some gate each by itself has a second bias, `recurrent_bias`, beside
/// `H Wh`. The products with `Wx` are one for all steps, and so are those of the gradients of both weights; only the
/// products of a state with `Wh` are one for each step.
#[derive(Clone, Debug)]
pub struct Affine {
    units: usize,
    weight: Arc<dyn Initializer>,
    recurrent_weight: Arc<dyn Initializer>,
    bias: Option<Arc<dyn Initializer>>,
}

impl Affine {
    /// With this many units, and every parameter uniform in `±1/√units` at first.
    pub fn new(units: usize) -> Self {
        let start: Arc<dyn Initializer> = Arc::new(UnitsUniform(units));
        Self { units, weight: Arc::clone(&start), recurrent_weight: Arc::clone(&start), bias: Some(start) }
    }

    /// With Keras' first weights, and these biases.
    pub(super) fn keras(units: usize, bias: impl Initializer + 'static) -> Self {
        #[cfg(feature = "lapack")]
        let recurrent_weight = Arc::new(crate::init::Orthogonal::default());
        #[cfg(not(feature = "lapack"))]
        let recurrent_weight = Arc::new(GlorotUniform);
        Self { units, weight: Arc::new(GlorotUniform), recurrent_weight, bias: Some(Arc::new(bias)) }
    }
}

/// Uniform in `±1/√units`, the start of PyTorch's recurrent layers.
#[derive(Clone, Copy, Debug)]
struct UnitsUniform(usize);

impl Initializer for UnitsUniform {
    fn fill(&self, _: ParamSpec, seed: Seed, values: &mut [f64]) {
        let (limit, mut rng) = (1.0 / (self.0 as f64).sqrt(), seed.rng());
        values.fill_with(|| rng.between(-limit, limit));
    }
}

impl<C> Recurrent<C, Affine> {
    /// Another rule for the first weights of the input.
    #[must_use]
    pub fn weight_init(mut self, init: impl Initializer + 'static) -> Self {
        self.product.weight = Arc::new(init);
        self
    }

    /// Another rule for the first weights of the state.
    #[must_use]
    pub fn recurrent_weight_init(mut self, init: impl Initializer + 'static) -> Self {
        self.product.recurrent_weight = Arc::new(init);
        self
    }

    /// Another rule for the first biases.
    #[must_use]
    pub fn bias_init(mut self, init: impl Initializer + 'static) -> Self {
        self.product.bias = Some(Arc::new(init));
        self
    }

    /// Without biases.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.product.bias = None;
        self
    }
}

/// The parameters, as the formulas have them.
struct Weights<'a, T> {
    wx: ArrayView2<'a, T>,
    wh: ArrayView2<'a, T>,
    b: Option<ArrayView1<'a, T>>,
    bh: Option<ArrayView1<'a, T>>,
}

impl Affine {
    fn weights<'a, T: Real>(&self, params: &'a [T], sizes: Sizes) -> Weights<'a, T> {
        let Sizes { inputs, units, gates, .. } = sizes;
        let (mut params, columns) = (Params::new(params), gates.count * units);
        let (wx, wh) = (params.take([inputs, columns]), params.take([units, columns]));
        let b = self.bias.is_some().then(|| params.take([columns]));
        let bh = (b.is_some() && !gates.all_shared()).then(|| params.take([columns]));
        Weights { wx, wh, b, bh }
    }
}

impl<T: Real> Product<T> for Affine {
    /// What is added to each row of `Z`, and backward its gradient: the biases, `[parts * units]`.
    type Cache = Buffer<T>;

    fn plan(&self, input: Shape, gates: Gates, plan: &mut Plan) -> Result<(Shape, Buffer<T>), ShapeError> {
        let (&[steps, inputs], units) = (&*input, self.units) else {
            let help = "Flatten every step with TimeDistributed, or Reshape to [steps, features]";
            return Err(plan.error(input, "sequences of vectors, [steps, features]", help));
        };
        if inputs == 0 || units == 0 {
            let help = "a recurrent layer needs at least one feature and one unit";
            return Err(plan.error(input, &format!("[steps, features] for {units} units"), help));
        }
        let columns = units.saturating_mul(gates.count); // more than there can be, if it cannot be counted
        plan.weight("weight", [inputs, columns], (inputs, columns), &self.weight)?;
        plan.weight("recurrent_weight", [units, columns], (units, columns), &self.recurrent_weight)?;
        if let Some(bias) = &self.bias {
            plan.bias("bias", [columns], (inputs, columns), bias)?;
            if !gates.all_shared() {
                plan.bias("recurrent_bias", [columns], (units, columns), bias)?;
            }
        }
        let sums = [inputs.saturating_add(units), columns, steps];
        plan.flops(sums.into_iter().fold(2, |flops, n| flops.saturating_mul(n as u64)));
        Ok((Shape::from([units]), Buffer::default()))
    }

    fn begin(&self, params: &[T], memory: &mut Memory<T>, bias: &mut Buffer<T>) {
        let (sizes, rows, width) = (memory.sizes, memory.sizes.steps * memory.rows, memory.width());
        let Weights { wx, b, bh, .. } = self.weights(params, sizes);
        let mut z = part_mut(&mut memory.z, 0..rows, width);
        let x = part(&memory.x, 0..rows, sizes.inputs);
        gemm(T::one(), x, wx, T::zero(), z.slice_mut(s![.., ..wx.ncols()])); //    Z = X Wx
        let Some(b) = b else { return };
        bias.reserve(width);
        let mut sum = ArrayViewMut1::from(&mut bias[..width]);
        sum.fill(T::zero());
        vector::add(b, sum.slice_mut(s![..b.len()]));
        for (gates, parts) in sizes.gates.spans(sizes.units) {
            if let Some(bh) = bh {
                vector::add(bh.slice(s![gates]), sum.slice_mut(s![parts]));
            }
        }
    }

    fn forward(&self, params: &[T], step: usize, _: Mode, memory: &mut Memory<T>, bias: &mut Buffer<T>) {
        let (sizes, at, width) = (memory.sizes, memory.at(step), memory.width());
        let Weights { wx, wh, b, .. } = self.weights(params, sizes);
        let mut z = part_mut(&mut memory.z, at.clone(), width);
        let h = part(&memory.states[0], at, sizes.units);
        for (gates, parts) in sizes.gates.spans(sizes.units) {
            let shared = parts.start < wx.ncols();
            let mut z = z.slice_mut(s![.., parts]);
            if step > 0 || memory.carried {
                let beta = if shared { T::one() } else { T::zero() };
                gemm(T::one(), h, wh.slice(s![.., gates]), beta, z); //            Z += H Wh
            } else if !shared {
                z.fill(T::zero());
            }
        }
        if b.is_some() {
            vector::add_to_rows(ArrayView1::from(&bias[..width]), z); //           Z += b
        }
    }

    fn backward(
        &self,
        params: &[T],
        _: &mut [T],
        step: usize,
        _: T,
        memory: &mut Memory<T>,
        bias: &mut Buffer<T>,
    ) {
        let (sizes, at, width) = (memory.sizes, memory.at(step), memory.width());
        let Weights { wh, b, .. } = self.weights(params, sizes);
        let dz = part(&memory.z, at, width);
        if b.is_some() {
            if step + 1 == sizes.steps {
                bias.fill(T::zero());
            }
            vector::sum_rows(dz, ArrayViewMut1::from(&mut bias[..width])); //      db = Σ rows of dZ
        }
        if step > 0 {
            let mut dh = memory.gradients[0].matrix_mut(memory.rows, sizes.units);
            for (gates, parts) in sizes.gates.spans(sizes.units) {
                let (dz, wh) = (dz.slice(s![.., parts]), wh.slice(s![.., gates]));
                gemm(T::one(), dz, wh.t(), T::one(), dh.view_mut()); //            dH += dZ Whᵀ
            }
        }
    }

    fn end(&self, params: &[T], grads: &mut [T], wanted: bool, memory: &mut Memory<T>, bias: &mut Buffer<T>) {
        let (sizes, rows, width) = (memory.sizes, memory.sizes.steps * memory.rows, memory.width());
        let Weights { wx, b, bh, .. } = self.weights(params, sizes);
        let (mut grads, columns) = (Grads::new(grads), wx.ncols());
        let dz = part(&memory.z, 0..rows, width);
        let dzx = dz.slice(s![.., ..columns]);
        let mut x = part_mut(&mut memory.x, 0..rows, sizes.inputs);
        gemm(T::one(), x.t(), dzx, T::one(), grads.take([sizes.inputs, columns])); // dWx = Σ Xᵀ dZ
        // Before the first step a state is 0, unless it was carried.
        let rows = if memory.carried { 0 } else { memory.rows }..rows;
        let h = part(&memory.states[0], rows.clone(), sizes.units);
        let mut dwh = grads.take([sizes.units, columns]);
        for (gates, parts) in sizes.gates.spans(sizes.units) {
            let (dz, dwh) = (dz.slice(s![rows.clone(), parts]), dwh.slice_mut(s![.., gates]));
            gemm(T::one(), h.t(), dz, T::one(), dwh); //                              dWh = Σ Hᵀ dZ
        }
        let sum = ArrayView1::from(&bias[..]);
        if b.is_some() {
            vector::add(sum.slice(s![..columns]), grads.take([columns]));
        }
        if bh.is_some() {
            let mut dbh = grads.take([columns]);
            for (gates, parts) in sizes.gates.spans(sizes.units) {
                vector::add(sum.slice(s![parts]), dbh.slice_mut(s![gates]));
            }
        }
        if wanted {
            gemm(T::one(), dzx, wx.t(), T::zero(), x.view_mut()); //                  dX = dZ Wxᵀ
        }
    }
}
