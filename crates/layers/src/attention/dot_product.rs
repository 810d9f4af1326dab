//! Dot-product attention without parameters.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::{Buffer, Real, Shape, map};

use super::attention_core::{AttentionCore, AttentionState, QueryKeyValue, QueryKeyValueGrads};
use super::sequences::{overwrite, packed, sequence, without_padding, zero_padding};

/// Scaled dot-product attention: `Y = softmax(scale Q Kᵀ) V` (Vaswani et al. 2017, equation 1), PyTorch's
/// `scaled_dot_product_attention`, for one head.
///
/// A [`Merge`] of queries `[steps, size]`, keys `[keys, size]` and values `[keys, value size]`; or of queries and one input that
/// serves as both keys and values. It has no parameters; [`MultiHeadAttention`](crate::MultiHeadAttention) adds learned
/// projections. It keeps `steps * keys` weights for each sample, and `plan` refuses sequences for which the system does not have that
/// memory. The scale is `1 / √size` unless set by [`scale`](Self::scale).
#[derive(Clone, Copy, Debug, Default)]
pub struct DotProductAttention {
    causal: bool,
    masked: bool,
    dropout: f64,
    scale: Option<f64>,
}

describe! {
    /// Each query as a mean of the values, weighted by the keys: a merge of queries, keys and values.
    DotProductAttention = "dot_product_attention";
    aliases ["scaled_dot_product_attention", "attention"];
    formula "Y = softmax(scale Q Kᵀ) V";
    source "Vaswani et al. 2017";
    settings {
        /// Whether a step attends only to those before it and to itself.
        causal ("is_causal"): false;
        /// Whether steps of zeros are padding.
        masked: false;
        /// The probability of a weight to be dropped.
        dropout ("dropout_p"): 0.0, Range::FRACTION;
        /// The factor of the products; by default 1/√features.
        scale: none, Range::FINITE;
    }
}

impl DotProductAttention {
    /// Each query attends to all keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Query `i` attends to the keys up to `i`.
    #[must_use]
    pub fn causal(self) -> Self {
        Self { causal: true, ..self }
    }

    /// Keys that are all zeros are padding and masked out; the output for a query that is all zeros is 0.
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

    /// Sets the factor of the scores, above 0.
    #[must_use]
    pub fn scale(self, scale: f64) -> Self {
        Self { scale: Some(scale), ..self }
    }
}

/// The cache of a [`DotProductAttention`].
#[derive(Clone, Debug, Default)]
pub struct DotProductAttentionCache<T: Real> {
    core: AttentionCore,
    state: AttentionState<T>,
    /// Copies of the inputs, and of the output or its gradient, where they are not stored row by row.
    copies: [Buffer<T>; 4],
    /// The gradient of the output, without padding.
    dy: Buffer<T>,
    /// The gradients of queries, keys and values.
    gradients: [Buffer<T>; 3],
}

impl<T: Real> Merge<T> for DotProductAttention {
    type Cache = DotProductAttentionCache<T>;

    fn plan(
        &self,
        inputs: &[Shape],
        plan: &mut Plan,
    ) -> Result<(Shape, DotProductAttentionCache<T>), ShapeError> {
        let (query, key, value) = match *inputs {
            [query, both] => (query, both, both),
            [query, key, value] => (query, key, value),
            _ => {
                let first = inputs.first().copied().unwrap_or(Shape::from([0]));
                let help = "give it two inputs, or three";
                return Err(plan.error(first, "queries, keys and values", help));
            }
        };
        let [steps, size] = sequence(query, plan)?;
        let [keys, key_size] = sequence(key, plan)?;
        let [values, value_size] = sequence(value, plan)?;
        if key_size != size || values != keys {
            let expected =
                format!("keys with the {size} features of the queries, and one value per key, not {value}");
            return Err(plan.error(
                key,
                &expected,
                "give it [steps, size], [keys, size], [keys, value size]",
            ));
        }
        let scale = self.scale.unwrap_or(1.0 / (size as f64).sqrt());
        if !((0.0..1.0).contains(&self.dropout) && scale > 0.0 && scale.is_finite()) {
            let needed = "a dropout from 0 to below 1 and a scale above 0";
            return Err(plan.setting_error(query, needed, "change these settings"));
        }
        let output = Shape::new(&[steps, keys]).and(Shape::new(&[steps, value_size]));
        let Some(output) = output else {
            return Err(plan.error(query, "a sequence that fits in memory", "choose smaller sizes"));
        };
        let &Self { causal, masked, dropout, .. } = self;
        let sizes =
            AttentionCore { steps, keys, heads: 1, groups: 1, size, value_size, ..AttentionCore::default() };
        let core = AttentionCore { scale, causal, masked, dropout, ..sizes };
        plan.flops(core.flops());
        let gradients = query.size().saturating_add(key.size()).saturating_add(value.size());
        plan.memory(gradients);
        core.plan_memory::<T>(query, plan)?;
        Ok((output, DotProductAttentionCache { core, ..DotProductAttentionCache::default() }))
    }

    described!();

    fn forward(
        &self,
        MergeForward { xs, y, cache, mode, .. }: MergeForward<'_, T, DotProductAttentionCache<T>>,
    ) {
        let DotProductAttentionCache { core, state, copies: [of_q, of_k, of_v, of_y], .. } = cache;
        let queries = packed(xs[0], core.size, of_q);
        let keys = packed(xs[1], core.size, of_k);
        let values = packed(xs[xs.len() - 1], core.value_size, of_v);
        overwrite(y, core.value_size, of_y, |mut y| {
            core.forward(QueryKeyValue { queries, keys, values }, keys, y.view_mut(), state, mode);
            if core.masked {
                zero_padding(queries, y, [core.size, core.value_size]);
            }
        });
    }

    fn backward(
        &self,
        MergeBackward { xs, dy, dxs, cache, .. }: MergeBackward<'_, T, DotProductAttentionCache<T>>,
    ) {
        let DotProductAttentionCache {
            core,
            state,
            copies: [of_q, of_k, of_v, of_dy],
            dy: unmasked,
            gradients,
        } = cache;
        let queries = packed(xs[0], core.size, of_q);
        let keys = packed(xs[1], core.size, of_k);
        let values = packed(xs[xs.len() - 1], core.value_size, of_v);
        let mut dy = packed(dy, core.value_size, of_dy);
        if core.masked {
            dy = without_padding(queries, dy, [core.size, core.value_size], unmasked);
        }
        let inputs = QueryKeyValue { queries, keys, values };
        for (gradient, input) in gradients.iter_mut().zip([queries, keys, values]) {
            gradient.reserve(input.len());
        }
        let [dq, dk, dv] = gradients;
        let into = QueryKeyValueGrads {
            queries: dq.matrix_mut(queries.nrows(), queries.ncols()),
            keys: dk.matrix_mut(keys.nrows(), keys.ncols()),
            values: dv.matrix_mut(values.nrows(), values.ncols()),
        };
        core.backward(inputs, dy, into, state);
        let rows = xs[0].nrows();
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            let size = dx.ncols();
            match (index, xs.len()) {
                (0, _) => dx.assign(&dq.matrix(rows, size)),
                (1, 2) => {
                    let (dk, dv, to) = (dk.matrix(rows, size), dv.matrix(rows, size), dx.view_mut());
                    map!(to = |dk, dv| dk + dv);
                }
                (1, _) => dx.assign(&dk.matrix(rows, size)),
                _ => dx.assign(&dv.matrix(rows, size)),
            }
        }
    }
}
