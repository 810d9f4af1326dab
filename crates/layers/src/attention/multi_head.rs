//! Multi-head attention.

use std::sync::Arc;

use chainrule_core::{
    Backward, Constant, Described, DescriptionError, Forward, Grads, Initializer, Layer, Merge,
    MergeBackward, MergeForward, Mode, Params, Place, Plan, Range, SettingValue, ShapeError, Value, describe,
    described,
};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::attention_core::{AttentionCore, AttentionState, QueryKeyValue, QueryKeyValueGrads};
use super::projection::Projection;
use super::rotary::Rotary;
use super::sequences::{overwrite, packed, sequence, without_padding, zero_padding};
use crate::init::{FanInUniform, GlorotUniform};

/// Multi-head attention (Vaswani et al. 2017): each step of a sequence attends to the steps of a sequence, its own or
/// another, and becomes a weighted mean of their values.
///
/// ```text
/// Q = X Wq + bq      [K V] = M Wkv + bkv      Oₕ = softmax(Qₕ Kₕᵀ / √size) Vₕ for each head h      Y = O Wo + bo
/// ```
///
/// - As a [`Layer`] it is self-attention: samples `[steps, features]` become samples of the same shape, and the memory
///   `M` is `X`.
/// - As a [`Merge`] of `[steps, features]` and a memory `[keys, any features]` it is cross-attention.
///
/// The size of a head is `features / heads` unless set by [`head_size`](Self::head_size). The parameters are
/// `query_weight` `[features, heads * size]`, `key_value_weight` `[memory features, 2 * heads * size]` (the keys of
/// all heads, then the values) and `out_weight` `[heads * size, features]`, each with its bias. They are initialised as those of
/// PyTorch's `MultiheadAttention`: Glorot-uniform for queries, keys and values, uniform in ±1/√inputs for the output, and
/// zero biases.
///
/// It keeps `heads * steps * keys` weights for each sample. `plan` refuses a sequence for which the system does not have that memory.
///
/// With [`masked`](Self::masked), steps whose features are all exactly 0 are padding: no step attends to them, and
/// their output is 0, so that the mask travels in the data.
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

describe! {
    /// Attention by several heads, each with projections of its own.
    MultiHeadAttention = "multi_head_attention";
    aliases ["multihead_attention", "grouped_query_attention"];
    formula "Y = concat(softmax(Qᵢ Kᵢᵀ / √size) Vᵢ) W";
    source "Vaswani et al. 2017";
    settings {
        /// The number of heads.
        heads ("num_heads"): required, Range::AT_LEAST_ONE;
        /// The number of heads of keys and values; by default that of the heads.
        key_value_heads ("num_key_value_heads"): none, Range::AT_LEAST_ONE;
        /// The number of values of a head; by default the features divided by the heads.
        head_size ("key_dim", "head_dim"): none, Range::AT_LEAST_ONE;
        /// Whether there are biases.
        bias ("use_bias"): true;
        /// Whether a step attends only to those before it and to itself.
        causal ("is_causal"): false;
        /// Whether steps of zeros are padding.
        masked: false;
        /// The probability of a weight to be dropped.
        dropout: 0.0, Range::FRACTION;
        /// The base of rotary positions, usually 10000.
        rotary: none, Range::POSITIVE;
        /// Whether distant steps are attended to less (ALiBi).
        alibi: false;
    }
}

/// Within a transformer block, its name and settings.
impl SettingValue for MultiHeadAttention {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        place.build_type(value)
    }

    fn to_value(&self) -> Value {
        self.describe().into()
    }
}

impl MultiHeadAttention {
    /// Attention with this number of heads.
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

    /// Sets the number of values of a head's query, key and output.
    #[must_use]
    pub fn head_size(self, size: usize) -> Self {
        Self { head_size: Some(size), ..self }
    }

    /// Sets the number of key and value heads, each shared by several query heads (grouped-query attention, Ainslie et al. 2023).
    /// It must divide the number of heads; 1 is multi-query attention.
    #[must_use]
    pub fn key_value_heads(self, heads: usize) -> Self {
        Self { key_value_heads: Some(heads), ..self }
    }

    /// Without biases.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// A step attends only to itself and to the steps before it.
    #[must_use]
    pub fn causal(self) -> Self {
        Self { causal: true, ..self }
    }

    /// Steps of zeros are padding: no step attends to them, and their output is 0.
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

    /// Rotary positions (Su et al. 2021): rotates the pairs of neighbouring features of queries and keys by angles that grow with
    /// the step, so that scores depend on distances.
    #[must_use]
    pub fn rotary(self) -> Self {
        self.rotary_base(10_000.0)
    }

    /// Rotary positions with this base: pair `i` is rotated by `step · base⁻²ⁱᐟˢⁱᶻᵉ`.
    #[must_use]
    pub fn rotary_base(self, base: f64) -> Self {
        Self { rotary: Some(base), ..self }
    }

    /// Attention with linear biases (Press et al. 2022): head `h` of `n` subtracts `2⁻⁸⁽ʰ⁺¹⁾ᐟⁿ d` from the score of a key `d` steps
    /// away, in both directions. If `n` is not a power of two, the first heads use the slopes of the next lower power, and the
    /// others the first, third, ... slope of the next higher one.
    #[must_use]
    pub fn alibi(self) -> Self {
        Self { alibi: true, ..self }
    }

    /// Plans for the steps and features of the input and of the memory.
    fn declare<T: Real>(
        &self,
        input: Shape,
        [steps, features]: [usize; 2],
        [keys, memory_features]: [usize; 2],
        plan: &mut Plan,
    ) -> Result<(Shape, MultiHeadAttentionCache<T>), ShapeError> {
        let &Self { heads, bias, causal, masked, dropout, rotary, alibi, .. } = self;
        let groups = self.key_value_heads.unwrap_or(heads);
        plan.at_least_one(heads, "a number of heads", input)?;
        plan.at_least_one(groups, "a number of key and value heads", input)?;
        if heads % groups != 0 {
            let needed = "a number of heads that is a multiple of the number of key and value heads";
            return Err(plan.setting_error(input, needed, "choose other numbers"));
        }
        if self.head_size.is_none() && features % heads != 0 {
            let expected = format!("[steps, features] with a number of features divisible by {heads} heads");
            return Err(plan.error(input, &expected, "choose a divisor, or set `head_size`"));
        }
        let size = self.head_size.unwrap_or(features / heads);
        if size == 0 {
            let expected = "[steps, features] for heads of at least one value";
            return Err(plan.error(input, expected, "choose another `head_size`"));
        }
        if !(0.0..1.0).contains(&dropout) {
            let help = "choose a probability of at least 0 and below 1";
            return Err(plan.setting_error(input, "a dropout from 0 to below 1", help));
        }
        if rotary.is_some_and(|base| !(size.is_multiple_of(2) && base > 0.0 && base.is_finite())) {
            let help = format!("a head has {size} values here; choose others");
            return Err(plan.setting_error(
                input,
                "a base above 0 and an even `head_size` for rotary positions",
                &help,
            ));
        }
        let shapes = [
            [heads, size, features.max(memory_features)],
            [2, steps.saturating_add(keys), heads.saturating_mul(size)],
            [heads, steps, keys],
        ];
        if shapes.iter().any(|shape| Shape::new(shape).is_none()) {
            return Err(plan.error(input, "a sequence that fits in memory", "choose smaller sizes"));
        }
        let scale = 1.0 / (size as f64).sqrt();
        let value_size = size;
        let core = AttentionCore {
            steps,
            keys,
            heads,
            groups,
            size,
            value_size,
            scale,
            causal,
            masked,
            alibi,
            dropout,
        };
        let units = heads * size;
        let both = 2 * groups * size;
        let query = Projection { inputs: features, units, bias };
        let key_value = Projection { inputs: memory_features, units: both, bias };
        let out = Projection { inputs: units, units: features, bias };
        // The fans of PyTorch: one matrix for all three projections if the inputs have equal widths, else one for each.
        let (query_fans, key_value_fans) = if features == memory_features {
            ((features, units + both), (features, units + both))
        } else {
            ((features, units), (memory_features, groups * size))
        };
        let glorot: Arc<dyn Initializer> = Arc::new(GlorotUniform);
        let fan_in: Arc<dyn Initializer> = Arc::new(FanInUniform);
        let zero: Arc<dyn Initializer> = Arc::new(Constant(0.0));
        query.plan(["query_weight", "query_bias"], steps, query_fans, [&glorot, &zero], plan)?;
        key_value.plan(
            ["key_value_weight", "key_value_bias"],
            keys,
            key_value_fans,
            [&glorot, &zero],
            plan,
        )?;
        out.plan(["out_weight", "out_bias"], steps, (units, features), [&fan_in, &zero], plan)?;
        plan.flops(core.flops());
        // The projections, the output of the heads, and the gradients of both.
        let projected = (2 * steps * units).saturating_add(keys * both);
        plan.memory(projected.saturating_mul(2));
        core.plan_memory::<T>(input, plan)?;
        let rotary = rotary.map(|base| Rotary::new(steps.max(keys), size, base));
        let heads = Heads { core, query, key_value, out, rotary, ..Heads::default() };
        Ok((Shape::from([steps, features]), MultiHeadAttentionCache { heads, copies: Default::default() }))
    }
}

/// The cache of a [`MultiHeadAttention`].
#[derive(Clone, Debug, Default)]
pub struct MultiHeadAttentionCache<T: Real> {
    heads: Heads<T>,
    /// Copies of the input, of the memory, of the output or its gradient, and of the gradients of the first two, where they are not
    /// stored row by row.
    copies: [Buffer<T>; 5],
}

/// The projections and their results.
#[derive(Clone, Debug, Default)]
struct Heads<T: Real> {
    core: AttentionCore,
    query: Projection,
    key_value: Projection,
    out: Projection,
    rotary: Option<Rotary<T>>,
    state: AttentionState<T>,
    q: Buffer<T>,
    kv: Buffer<T>,
    o: Buffer<T>,
    dq: Buffer<T>,
    dkv: Buffer<T>,
    d_o: Buffer<T>,
    /// The gradient of the output, without padding.
    dy: Buffer<T>,
}

impl<T: Real> Heads<T> {
    /// The number of parameters.
    fn size(&self) -> usize {
        self.query.size() + self.key_value.size() + self.out.size()
    }

    /// The parameters of each projection.
    fn params<'a>(&self, params: &'a [T]) -> [Params<'a, T>; 3] {
        let mut params = Params::new(params);
        [self.query, self.key_value, self.out].map(|projection| Params::new(params.values(projection.size())))
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
        let Self { core, query, key_value, out, rotary, state, q, kv, o, .. } = self;
        let steps = x.nrows();
        let keys = memory.nrows();
        q.reserve(steps * query.units);
        kv.reserve(keys * key_value.units);
        o.reserve(steps * out.inputs);
        query.forward(of_query, x, q.matrix_mut(steps, query.units));
        key_value.forward(of_key_value, memory, kv.matrix_mut(keys, key_value.units));
        if let Some(rotary) = rotary {
            rotary.rotate(q.matrix_mut(steps, query.units));
            let both = kv.matrix_mut(keys, key_value.units);
            rotary.rotate(both.split_at(ndarray::Axis(1), key_value.units / 2).0);
        }
        let (k, v) = kv.matrix(keys, key_value.units).split_at(ndarray::Axis(1), key_value.units / 2);
        let inputs = QueryKeyValue { queries: q.matrix(steps, query.units), keys: k, values: v };
        core.forward(inputs, memory, o.matrix_mut(steps, out.inputs), state, mode);
        out.forward(of_out, o.matrix(steps, out.inputs), y.view_mut());
        if core.masked {
            zero_padding(x, y, [query.inputs, out.units]);
        }
    }

    /// Adds the gradients of the parameters, and stores those of queries, keys and values.
    fn backward(
        &mut self,
        params: &[T],
        mut grads: Grads<'_, T>,
        x: ArrayView2<'_, T>,
        memory: ArrayView2<'_, T>,
        dy: ArrayView2<'_, T>,
    ) {
        let [_, _, of_out] = self.params(params);
        let Self { core, query, key_value, out, rotary, state, q, kv, o, dq, dkv, d_o, dy: copy } = self;
        let steps = x.nrows();
        let keys = memory.nrows();
        let features = [query.inputs, out.units];
        let dy = if core.masked { without_padding(x, dy, features, copy) } else { dy };
        dq.reserve(steps * query.units);
        dkv.reserve(keys * key_value.units);
        d_o.reserve(steps * out.inputs);
        out.backward_data(of_out, dy, T::zero(), d_o.matrix_mut(steps, out.inputs));
        let half = key_value.units / 2;
        let (k, v) = kv.matrix(keys, key_value.units).split_at(ndarray::Axis(1), half);
        let inputs = QueryKeyValue { queries: q.matrix(steps, query.units), keys: k, values: v };
        let (dk, dv) = dkv.matrix_mut(keys, key_value.units).split_at(ndarray::Axis(1), half);
        let gradients =
            QueryKeyValueGrads { queries: dq.matrix_mut(steps, query.units), keys: dk, values: dv };
        let o = o.matrix(steps, out.inputs);
        let d_o = d_o.matrix(steps, out.inputs);
        core.backward(inputs, d_o, gradients, state);
        if let Some(rotary) = rotary {
            rotary.rotate_back(dq.matrix_mut(steps, query.units));
            rotary.rotate_back(dkv.matrix_mut(keys, key_value.units).slice_mut(s![.., ..half]));
        }
        let mut own = |projection: &Projection| grads.inner(projection.size());
        query.backward_weights(own(query), x, dq.matrix(steps, query.units));
        key_value.backward_weights(own(key_value), memory, dkv.matrix(keys, key_value.units));
        out.backward_weights(own(out), o, dy);
    }

    /// The gradient of the input, from the gradients that [`backward`](Self::backward) stored.
    fn back_to_input(&self, params: &[T], dx: ArrayViewMut2<'_, T>) {
        let [of_query, _, _] = self.params(params);
        self.query.backward_data(of_query, self.dq.matrix(dx.nrows(), self.query.units), T::zero(), dx);
    }

    /// The gradient of the memory plus `beta` times `dm`.
    fn back_to_memory(&self, params: &[T], beta: T, dm: ArrayViewMut2<'_, T>) {
        let [_, of_key_value, _] = self.params(params);
        self.key_value.backward_data(
            of_key_value,
            self.dkv.matrix(dm.nrows(), self.key_value.units),
            beta,
            dm,
        );
    }
}

impl<T: Real> Layer<T> for MultiHeadAttention {
    type Cache = MultiHeadAttentionCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, MultiHeadAttentionCache<T>), ShapeError> {
        let sizes = sequence(input, plan)?;
        self.declare(input, sizes, sizes, plan)
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, cache, mode }: Forward<'_, T, MultiHeadAttentionCache<T>>) {
        let MultiHeadAttentionCache { heads, copies: [copy_of_x, _, copy_of_y, ..] } = cache;
        let params = params.values(heads.size());
        let features = heads.query.inputs;
        let x = packed(x, features, copy_of_x);
        overwrite(y, features, copy_of_y, |y| heads.forward(params, x, x, y, mode));
    }

    fn backward(&self, pass: Backward<'_, T, MultiHeadAttentionCache<T>>) {
        let Backward { mut params, grads, x, dy, dx, cache, .. } = pass;
        let MultiHeadAttentionCache { heads, copies: [copy_of_x, _, copy_of_dy, copy_of_dx, _] } = cache;
        let params = params.values(heads.size());
        let features = heads.query.inputs;
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
    type Cache = MultiHeadAttentionCache<T>;

    fn plan(
        &self,
        inputs: &[Shape],
        plan: &mut Plan,
    ) -> Result<(Shape, MultiHeadAttentionCache<T>), ShapeError> {
        let &[input, memory] = inputs else {
            let first = inputs.first().copied().unwrap_or(Shape::from([0]));
            return Err(plan.error(first, "a sequence and a memory", "give it two inputs"));
        };
        if self.causal || self.alibi || self.rotary.is_some() {
            let expected = "a sequence and a memory whose positions are unrelated,";
            return Err(plan.error(input, expected, "remove the settings causal, rotary and alibi"));
        }
        self.declare(input, sequence(input, plan)?, sequence(memory, plan)?, plan)
    }

    described!();

    fn forward(
        &self,
        MergeForward { mut params, xs, y, cache, mode }: MergeForward<'_, T, MultiHeadAttentionCache<T>>,
    ) {
        let MultiHeadAttentionCache { heads, copies: [copy_of_x, copy_of_memory, copy_of_y, ..] } = cache;
        let params = params.values(heads.size());
        let x = packed(xs[0], heads.query.inputs, copy_of_x);
        let memory = packed(xs[1], heads.key_value.inputs, copy_of_memory);
        overwrite(y, heads.out.units, copy_of_y, |y| heads.forward(params, x, memory, y, mode));
    }

    fn backward(&self, pass: MergeBackward<'_, T, MultiHeadAttentionCache<T>>) {
        let MergeBackward { mut params, grads, xs, dy, dxs, cache, .. } = pass;
        let MultiHeadAttentionCache {
            heads,
            copies: [copy_of_x, copy_of_memory, copy_of_dy, copy_of_dx, copy_of_dm],
        } = cache;
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
