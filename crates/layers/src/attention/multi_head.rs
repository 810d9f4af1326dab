//! Multi-head attention.

use std::sync::Arc;

use chainrule_core::{
    Backward, Constant, Forward, Grads, Initializer, Layer, Merge, MergeBackward, MergeForward, Mode, Params,
    Plan, ShapeError,
};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::affine::Affine;
use super::rotary::Rotary;
use super::scores::{Gradients, Projections, Scores, Seen};
use super::steps::{overwrite, packed, sequence, spec, without_padding};
use crate::init::{FanInUniform, GlorotUniform};

/// Multi-head attention (Vaswani et al. 2017): each step of a sequence looks at the steps of a sequence, its own or
/// another, and becomes a mean of what it sees.
///
/// ```text
/// Q = X Wq + bq      [K V] = M Wkv + bkv      Oₕ = softmax(Qₕ Kₕᵀ / √size) Vₕ for each head h      Y = O Wo + bo
/// ```
///
/// - As a [`Layer`] it is self-attention: samples `[steps, features]` become samples of the same shape, and the memory
///   `M` is `X`.
/// - As a [`Merge`] of `[steps, features]` and a memory `[keys, any features]` it is cross-attention.
///
/// A head has `features / heads` values, or as many as [`head_size`](Self::head_size) says. The parameters are
/// `query_weight` `[features, heads * size]`, `key_value_weight` `[memory features, 2 * heads * size]` (the keys of
/// all heads, then the values) and `out_weight` `[heads * size, features]`, each with its bias. They start as those of
/// PyTorch's `MultiheadAttention`: Glorot-uniform for queries, keys and values, uniform in ±1/√inputs for the output, and
/// zero biases.
///
/// With [`masked`](Self::masked), steps whose features are all exactly 0 are padding: nobody sees them, and their
/// output is 0, so that the mask travels in the data.
///
/// ```
/// use chainrule_core::gradcheck;
/// use chainrule_layers::MultiHeadAttention;
/// let attention = MultiHeadAttention::new(4).key_value_heads(2).rotary().causal();
/// gradcheck::gradients(&attention, [5, 16])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultiHeadAttention {
    heads: usize,
    key_value_heads: Option<usize>,
    head_size: Option<usize>,
    bias: bool,
    causal: bool,
    masked: bool,
    dropout: f64,
    rotary: Option<f64>,
    alibi: bool,
}

impl MultiHeadAttention {
    /// Attention with so many heads.
    pub fn new(heads: usize) -> Self {
        Self {
            heads,
            key_value_heads: None,
            head_size: None,
            bias: true,
            causal: false,
            masked: false,
            dropout: 0.0,
            rotary: None,
            alibi: false,
        }
    }

    /// How many values the query and the key of a head have, and its output.
    #[must_use]
    pub fn head_size(self, size: usize) -> Self {
        Self { head_size: Some(size), ..self }
    }

    /// Fewer heads of keys and values, each for as many heads of queries (grouped-query attention, Ainslie et al.
    /// 2023). It must divide the number of heads; 1 is multi-query attention.
    #[must_use]
    pub fn key_value_heads(self, heads: usize) -> Self {
        Self { key_value_heads: Some(heads), ..self }
    }

    /// Without biases.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// A step sees itself and those before it.
    #[must_use]
    pub fn causal(self) -> Self {
        Self { causal: true, ..self }
    }

    /// Steps of zeros are padding: nobody sees them, and they become zeros.
    #[must_use]
    pub fn masked(self) -> Self {
        Self { masked: true, ..self }
    }

    /// In training, sets each weight of the softmax to 0 with probability `p`, in `[0, 1)`, and divides the others by
    /// `1 - p`.
    #[must_use]
    pub fn dropout(self, p: f64) -> Self {
        Self { dropout: p, ..self }
    }

    /// Rotary positions (Su et al. 2021): the pairs of neighbouring features of queries and keys are turned by angles that
    /// grow with the step, so that scores depend on distances.
    #[must_use]
    pub fn rotary(self) -> Self {
        self.rotary_base(10_000.0)
    }

    /// Rotary positions of another base: pair `i` turns by `step · base⁻²ⁱᐟˢⁱᶻᵉ`.
    #[must_use]
    pub fn rotary_base(self, base: f64) -> Self {
        Self { rotary: Some(base), ..self }
    }

    /// Attention with linear biases (Press et al. 2022): head `h` of `n` sees a key `d` steps away with a score that is
    /// lower by `2⁻⁸⁽ʰ⁺¹⁾ᐟⁿ d`, in both directions. Where `n` is no power of two, the first heads are those of the power
    /// below it, and the others the first, third, ... of the power above.
    #[must_use]
    pub fn alibi(self) -> Self {
        Self { alibi: true, ..self }
    }

    /// Declares all for the steps and features of the input and of the memory.
    fn declare<T: Real>(
        &self,
        input: Shape,
        [steps, features]: [usize; 2],
        [keys, memory_features]: [usize; 2],
        plan: &mut Plan,
    ) -> Result<(Shape, Attention<T>), ShapeError> {
        let &Self { heads, bias, causal, masked, dropout, rotary, alibi, .. } = self;
        let groups = self.key_value_heads.unwrap_or(heads);
        if heads == 0 || groups == 0 || heads % groups != 0 {
            let expected = format!("[steps, features] for {heads} heads with {groups} for keys and values");
            return Err(plan.error(
                input,
                &expected,
                "choose a number of heads that is a multiple of the other",
            ));
        }
        if self.head_size.is_none() && features % heads != 0 {
            let expected = format!("[steps, features] with as many features for each of {heads} heads");
            return Err(plan.error(input, &expected, "choose a divisor, or set `head_size`"));
        }
        let size = self.head_size.unwrap_or(features / heads);
        if size == 0 {
            return Err(plan.error(
                input,
                "[steps, features] for heads with values",
                "choose another `head_size`",
            ));
        }
        if !(0.0..1.0).contains(&dropout) {
            let help = "choose a probability of at least 0 and below 1";
            return Err(plan.error(input, "any sequence, with dropout in [0, 1),", help));
        }
        if rotary.is_some_and(|base| !(size.is_multiple_of(2) && base > 0.0 && base.is_finite())) {
            let help =
                format!("a head has {size} values here; choose a base above 0 and an even `head_size`");
            return Err(plan.error(input, "[steps, features] with pairs to turn", &help));
        }
        let shapes = [
            [heads, size, features.max(memory_features)],
            [2, steps.saturating_add(keys), heads.saturating_mul(size)],
            [heads, steps, keys],
        ];
        if shapes.iter().any(|shape| Shape::new(shape).is_none()) {
            return Err(plan.error(input, "a sequence that can be counted", "choose smaller sizes"));
        }
        let scale = 1.0 / (size as f64).sqrt();
        let value_size = size;
        let scores =
            Scores { steps, keys, heads, groups, size, value_size, scale, causal, masked, alibi, dropout };
        let (units, both) = (heads * size, 2 * groups * size);
        let query = Affine { inputs: features, units, bias };
        let key_value = Affine { inputs: memory_features, units: both, bias };
        let out = Affine { inputs: units, units: features, bias };
        // As in PyTorch: one matrix for all three where the inputs are as wide, else one for each.
        let (of_query, of_key_value) = match features == memory_features {
            true => ((features, units + both), (features, units + both)),
            false => ((features, units), (memory_features, groups * size)),
        };
        let glorot: Arc<dyn Initializer> = Arc::new(GlorotUniform);
        let (fan_in, zero): (Arc<dyn Initializer>, Arc<dyn Initializer>) =
            (Arc::new(FanInUniform), Arc::new(Constant(0.0)));
        query.plan(["query_weight", "query_bias"], steps, of_query, [&glorot, &zero], plan)?;
        key_value.plan(["key_value_weight", "key_value_bias"], keys, of_key_value, [&glorot, &zero], plan)?;
        out.plan(["out_weight", "out_bias"], steps, (units, features), [&fan_in, &zero], plan)?;
        plan.flops(scores.flops());
        // What is projected and its gradient, and the heads' output and its gradient.
        let projected = (2 * steps * units).saturating_add(keys * both);
        plan.memory(projected.saturating_mul(2).saturating_add(scores.memory()));
        let rotary = rotary.map(|base| Rotary::new(steps.max(keys), size, base));
        let heads = Heads { scores, query, key_value, out, rotary, ..Heads::default() };
        Ok((Shape::from([steps, features]), Attention { heads, copies: Default::default() }))
    }
}

/// What a [`MultiHeadAttention`] remembers.
#[derive(Clone, Debug, Default)]
pub struct Attention<T: Real> {
    heads: Heads<T>,
    /// Of the input, the memory, the output or its gradient, and the gradients of the first two, where they do not lie
    /// in memory row by row.
    copies: [Buffer<T>; 5],
}

/// The sizes of the projections, and what they gave.
#[derive(Clone, Debug, Default)]
struct Heads<T: Real> {
    scores: Scores,
    query: Affine,
    key_value: Affine,
    out: Affine,
    rotary: Option<Rotary<T>>,
    seen: Seen<T>,
    q: Buffer<T>,
    kv: Buffer<T>,
    o: Buffer<T>,
    dq: Buffer<T>,
    dkv: Buffer<T>,
    d_o: Buffer<T>,
    /// The gradient of the output without that of padding.
    dy: Buffer<T>,
}

impl<T: Real> Heads<T> {
    /// How many parameters there are.
    fn size(&self) -> usize {
        self.query.size() + self.key_value.size() + self.out.size()
    }

    /// The parameters of each projection.
    fn params<'a>(&self, params: &'a [T]) -> [Params<'a, T>; 3] {
        let mut params = Params::new(params);
        [self.query, self.key_value, self.out].map(|affine| Params::new(params.values(affine.size())))
    }

    /// Overwrites `y` for inputs with a row for each step.
    fn forward(
        &mut self,
        params: &[T],
        x: ArrayView2<'_, T>,
        memory: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        mode: Mode,
    ) {
        let [of_query, of_key_value, of_out] = self.params(params);
        let Self { scores, query, key_value, out, rotary, seen, q, kv, o, .. } = self;
        let (steps, keys) = (x.nrows(), memory.nrows());
        q.reserve(steps * query.units);
        kv.reserve(keys * key_value.units);
        o.reserve(steps * out.inputs);
        query.forward(of_query, x, q.matrix_mut(steps, query.units));
        key_value.forward(of_key_value, memory, kv.matrix_mut(keys, key_value.units));
        if let Some(rotary) = rotary {
            rotary.turn(q.matrix_mut(steps, query.units));
            let both = kv.matrix_mut(keys, key_value.units);
            rotary.turn(both.split_at(ndarray::Axis(1), key_value.units / 2).0);
        }
        let (k, v) = kv.matrix(keys, key_value.units).split_at(ndarray::Axis(1), key_value.units / 2);
        let inputs = Projections { queries: q.matrix(steps, query.units), keys: k, values: v };
        scores.forward(inputs, memory, o.matrix_mut(steps, out.inputs), seen, mode);
        out.forward(of_out, o.matrix(steps, out.inputs), y.view_mut());
        if scores.masked {
            spec(x, y, [query.inputs, out.units]);
        }
    }

    /// Adds the gradients of the parameters, and leaves those of queries, keys and values.
    fn backward(
        &mut self,
        params: &[T],
        mut grads: Grads<'_, T>,
        x: ArrayView2<'_, T>,
        memory: ArrayView2<'_, T>,
        dy: ArrayView2<'_, T>,
    ) {
        let [_, _, of_out] = self.params(params);
        let Self { scores, query, key_value, out, rotary, seen, q, kv, o, dq, dkv, d_o, dy: copy } = self;
        let (steps, keys) = (x.nrows(), memory.nrows());
        let dy = match scores.masked {
            true => without_padding(x, dy, [query.inputs, out.units], copy),
            false => dy,
        };
        dq.reserve(steps * query.units);
        dkv.reserve(keys * key_value.units);
        d_o.reserve(steps * out.inputs);
        out.back(of_out, dy, T::zero(), d_o.matrix_mut(steps, out.inputs));
        let half = key_value.units / 2;
        let (k, v) = kv.matrix(keys, key_value.units).split_at(ndarray::Axis(1), half);
        let inputs = Projections { queries: q.matrix(steps, query.units), keys: k, values: v };
        let (dk, dv) = dkv.matrix_mut(keys, key_value.units).split_at(ndarray::Axis(1), half);
        let gradients = Gradients { queries: dq.matrix_mut(steps, query.units), keys: dk, values: dv };
        let (o, d_o) = (o.matrix(steps, out.inputs), d_o.matrix(steps, out.inputs));
        scores.backward(inputs, d_o, gradients, seen);
        if let Some(rotary) = rotary {
            rotary.turn_back(dq.matrix_mut(steps, query.units));
            rotary.turn_back(dkv.matrix_mut(keys, key_value.units).slice_mut(s![.., ..half]));
        }
        let mut own = |affine: &Affine| grads.inner(affine.size());
        query.backward(own(query), x, dq.matrix(steps, query.units));
        key_value.backward(own(key_value), memory, dkv.matrix(keys, key_value.units));
        out.backward(own(out), o, dy);
    }

    /// The gradient of the input, as [`backward`](Self::backward) left it.
    fn back_to_input(&self, params: &[T], dx: ArrayViewMut2<'_, T>) {
        let [of_query, _, _] = self.params(params);
        self.query.back(of_query, self.dq.matrix(dx.nrows(), self.query.units), T::zero(), dx);
    }

    /// The gradient of the memory, added to `beta` times `dm`.
    fn back_to_memory(&self, params: &[T], beta: T, dm: ArrayViewMut2<'_, T>) {
        let [_, of_key_value, _] = self.params(params);
        self.key_value.back(of_key_value, self.dkv.matrix(dm.nrows(), self.key_value.units), beta, dm);
    }
}

impl<T: Real> Layer<T> for MultiHeadAttention {
    type Cache = Attention<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Attention<T>), ShapeError> {
        let sizes = sequence(input, plan)?;
        self.declare(input, sizes, sizes, plan)
    }

    fn forward(&self, Forward { mut params, x, y, cache, mode }: Forward<'_, T, Attention<T>>) {
        let Attention { heads, copies: [copy_of_x, _, copy_of_y, ..] } = cache;
        let (params, features) = (params.values(heads.size()), heads.query.inputs);
        let x = packed(x, features, copy_of_x);
        overwrite(y, features, copy_of_y, |y| heads.forward(params, x, x, y, mode));
    }

    fn backward(&self, pass: Backward<'_, T, Attention<T>>) {
        let Backward { mut params, grads, x, dy, dx, cache, .. } = pass;
        let Attention { heads, copies: [copy_of_x, _, copy_of_dy, copy_of_dx, _] } = cache;
        let (params, features) = (params.values(heads.size()), heads.query.inputs);
        let x = packed(x, features, copy_of_x);
        heads.backward(params, grads, x, x, packed(dy, features, copy_of_dy));
        if let Some(dx) = dx {
            overwrite(dx, features, copy_of_dx, |mut dx| {
                heads.back_to_input(params, dx.view_mut());
                heads.back_to_memory(params, T::one(), dx);
            });
        }
    }
}

impl<T: Real> Merge<T> for MultiHeadAttention {
    type Cache = Attention<T>;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, Attention<T>), ShapeError> {
        let &[input, memory] = inputs else {
            let first = inputs.first().copied().unwrap_or(Shape::from([0]));
            return Err(plan.error(first, "a sequence and a memory", "join it with two layers"));
        };
        if self.causal || self.alibi || self.rotary.is_some() {
            let expected = "a sequence and a memory, whose steps have nothing to do with each other,";
            return Err(plan.error(
                input,
                expected,
                "leave away what is about distances: causal, rotary, alibi",
            ));
        }
        self.declare(input, sequence(input, plan)?, sequence(memory, plan)?, plan)
    }

    fn forward(&self, MergeForward { mut params, xs, y, cache, mode }: MergeForward<'_, T, Attention<T>>) {
        let Attention { heads, copies: [copy_of_x, copy_of_memory, copy_of_y, ..] } = cache;
        let params = params.values(heads.size());
        let x = packed(xs[0], heads.query.inputs, copy_of_x);
        let memory = packed(xs[1], heads.key_value.inputs, copy_of_memory);
        overwrite(y, heads.out.units, copy_of_y, |y| heads.forward(params, x, memory, y, mode));
    }

    fn backward(&self, pass: MergeBackward<'_, T, Attention<T>>) {
        let MergeBackward { mut params, grads, xs, dy, dxs, cache, .. } = pass;
        let Attention { heads, copies: [copy_of_x, copy_of_memory, copy_of_dy, copy_of_dx, copy_of_dm] } =
            cache;
        let params = params.values(heads.size());
        let x = packed(xs[0], heads.query.inputs, copy_of_x);
        let memory = packed(xs[1], heads.key_value.inputs, copy_of_memory);
        heads.backward(params, grads, x, memory, packed(dy, heads.out.units, copy_of_dy));
        if let Some(dx) = dxs[0].take() {
            overwrite(dx, heads.query.inputs, copy_of_dx, |dx| heads.back_to_input(params, dx));
        }
        if let Some(dm) = dxs[1].take() {
            overwrite(dm, heads.key_value.inputs, copy_of_dm, |dm| {
                heads.back_to_memory(params, T::zero(), dm);
            });
        }
    }
}
