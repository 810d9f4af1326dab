//! Attention without parameters.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use super::scores::{Gradients, Projections, Scores, Seen};
use super::steps::{overwrite, packed, sequence, spec, without_padding};

/// Scaled dot-product attention: `Y = softmax(scale Q Kᵀ) V` (Vaswani et al. 2017, equation 1), PyTorch's
/// `scaled_dot_product_attention`, for one head.
///
/// A [`Merge`] of queries `[steps, size]`, keys `[keys, size]` and values `[keys, value size]`; or of queries and of
/// what is both keys and values. It has no parameters; [`MultiHeadAttention`](crate::MultiHeadAttention) learns what
/// it looks for. The scale is `1 / √size` unless [`scale`](Self::scale) says another.
#[derive(Clone, Copy, Debug, Default)]
pub struct DotProductAttention {
    causal: bool,
    masked: bool,
    dropout: f64,
    scale: Option<f64>,
}

impl DotProductAttention {
    /// Each query sees all keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Query `i` sees the keys up to `i`.
    #[must_use]
    pub fn causal(self) -> Self {
        Self { causal: true, ..self }
    }

    /// Keys of zeros are padding, which nobody sees; queries of zeros become zeros.
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

    /// What scores are multiplied by, above 0.
    #[must_use]
    pub fn scale(self, scale: f64) -> Self {
        Self { scale: Some(scale), ..self }
    }
}

/// What a [`DotProductAttention`] remembers.
#[derive(Clone, Debug, Default)]
pub struct Looks<T: Real> {
    scores: Scores,
    seen: Seen<T>,
    /// Of the inputs, and of the output or its gradient, where they do not lie in memory row by row.
    copies: [Buffer<T>; 4],
    /// The gradient of the output without that of padding, and those of queries, keys and values.
    dy: Buffer<T>,
    gradients: [Buffer<T>; 3],
}

impl<T: Real> Merge<T> for DotProductAttention {
    type Cache = Looks<T>;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, Looks<T>), ShapeError> {
        let (query, key, value) = match *inputs {
            [query, both] => (query, both, both),
            [query, key, value] => (query, key, value),
            _ => {
                let first = inputs.first().copied().unwrap_or(Shape::from([0]));
                let help = "join it with two layers, or with three";
                return Err(plan.error(first, "queries and what they look at", help));
            }
        };
        let [steps, size] = sequence(query, plan)?;
        let ([keys, key_size], [values, value_size]) = (sequence(key, plan)?, sequence(value, plan)?);
        if key_size != size || values != keys {
            let expected = format!("keys of the size of queries, {size}, and as many values, not {value}");
            return Err(plan.error(
                key,
                &expected,
                "give it [steps, size], [keys, size], [keys, value size]",
            ));
        }
        let scale = self.scale.unwrap_or(1.0 / (size as f64).sqrt());
        if !((0.0..1.0).contains(&self.dropout) && scale > 0.0 && scale.is_finite()) {
            let expected = "any sequence, with dropout in [0, 1) and a scale above 0,";
            return Err(plan.error(query, expected, "choose others"));
        }
        let countable = Shape::new(&[steps, keys]).and(Shape::new(&[steps, value_size]));
        let Some(output) = countable else {
            return Err(plan.error(query, "a sequence that can be counted", "choose smaller sizes"));
        };
        let &Self { causal, masked, dropout, .. } = self;
        let sizes = Scores { steps, keys, heads: 1, groups: 1, size, value_size, ..Scores::default() };
        let scores = Scores { scale, causal, masked, dropout, ..sizes };
        plan.flops(scores.flops());
        let gradients = query.size().saturating_add(key.size()).saturating_add(value.size());
        plan.memory(scores.memory().saturating_add(gradients));
        Ok((output, Looks { scores, ..Looks::default() }))
    }

    fn forward(&self, MergeForward { xs, y, cache, mode, .. }: MergeForward<'_, T, Looks<T>>) {
        let Looks { scores, seen, copies: [of_q, of_k, of_v, of_y], .. } = cache;
        let queries = packed(xs[0], scores.size, of_q);
        let keys = packed(xs[1], scores.size, of_k);
        let values = packed(xs[xs.len() - 1], scores.value_size, of_v);
        overwrite(y, scores.value_size, of_y, |mut y| {
            scores.forward(Projections { queries, keys, values }, keys, y.view_mut(), seen, mode);
            if scores.masked {
                spec(queries, y, [scores.size, scores.value_size]);
            }
        });
    }

    fn backward(&self, MergeBackward { xs, dy, dxs, cache, .. }: MergeBackward<'_, T, Looks<T>>) {
        let Looks { scores, seen, copies: [of_q, of_k, of_v, of_dy], dy: unmasked, gradients } = cache;
        let queries = packed(xs[0], scores.size, of_q);
        let keys = packed(xs[1], scores.size, of_k);
        let values = packed(xs[xs.len() - 1], scores.value_size, of_v);
        let mut dy = packed(dy, scores.value_size, of_dy);
        if scores.masked {
            dy = without_padding(queries, dy, [scores.size, scores.value_size], unmasked);
        }
        let inputs = Projections { queries, keys, values };
        for (gradient, input) in gradients.iter_mut().zip([queries, keys, values]) {
            gradient.reserve(input.len());
        }
        let [dq, dk, dv] = gradients;
        let into = Gradients {
            queries: dq.matrix_mut(queries.nrows(), queries.ncols()),
            keys: dk.matrix_mut(keys.nrows(), keys.ncols()),
            values: dv.matrix_mut(values.nrows(), values.ncols()),
        };
        scores.backward(inputs, dy, into, seen);
        let rows = xs[0].nrows();
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            let size = dx.ncols();
            match (index, xs.len()) {
                (0, _) => dx.assign(&dq.matrix(rows, size)),
                (1, 2) => vector::map2(
                    dk.matrix(rows, size),
                    dv.matrix(rows, size),
                    dx.view_mut(),
                    #[inline(always)]
                    |dk, dv| dk + dv,
                ),
                (1, _) => dx.assign(&dk.matrix(rows, size)),
                _ => dx.assign(&dv.matrix(rows, size)),
            }
        }
    }
}
