//! The decoder block of a transformer.

use chainrule_core::{
    Grads, Layer, Merge, MergeBackward, MergeForward, Params, Plan, Sequential, ShapeError,
};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use super::block::{Block, Planned, settings};
use super::multi_head::{Attention, MultiHeadAttention};
use super::steps::{spec, without_padding};
use crate::{LayerNorm, Relu};

/// A block of a transformer that looks at a memory too (Vaswani et al. 2017): self-attention, cross-attention, and two
/// dense layers for each step, each with its input carried around it.
///
/// A [`Merge`] of a target `[steps, features]`, whose shape it keeps, and a memory `[keys, any features]`.
///
/// ```text
/// Z = norm(X + attention(X))      U = norm(Z + attention(Z, M))       Y = norm(U + f(U W₁ + b₁) W₂ + b₂)
/// Z = X + attention(norm(X))      U = Z + attention(norm(Z), M)       Y = U + f(norm(U) W₁ + b₁) W₂ + b₂
/// ```
///
/// The second line is that with the norm first. Defaults are those of PyTorch's `TransformerDecoderLayer`, as for
/// [`TransformerEncoder`](crate::TransformerEncoder); the self-attention is [`causal`](Self::causal) where that is asked
/// for. Where it is masked, steps of zeros are padding in the target and in the memory.
#[derive(Clone, Debug)]
pub struct TransformerDecoder<A = Relu> {
    block: Block<A>,
    cross: Option<MultiHeadAttention>,
}

impl<A> TransformerDecoder<A> {
    fn of(block: Block<A>) -> Self {
        Self { block, cross: None }
    }

    /// Another `f`, as for [`TransformerEncoder::activation`](crate::TransformerEncoder::activation).
    #[must_use]
    pub fn activation<B>(self, activation: B) -> TransformerDecoder<B> {
        TransformerDecoder { block: self.block.activation(activation), cross: self.cross }
    }

    /// Another cross-attention; the block sets its dropout, and whether it is masked.
    #[must_use]
    pub fn cross_attention(self, attention: MultiHeadAttention) -> Self {
        Self { cross: Some(attention), ..self }
    }
}

settings!(TransformerDecoder);

/// What a [`TransformerDecoder`] remembers: the layers that it is made of, what these remember and what they gave.
#[derive(Clone, Debug, Default)]
pub struct Decoder<T: Real> {
    features: usize,
    attend: Planned<T>,
    /// The norm before cross-attention, if there is one, and dropout behind it.
    norm: Planned<T>,
    drop_out: Planned<T>,
    feed: Planned<T>,
    cross: Attention<T>,
    cross_parameters: usize,
    /// What self-attention, the norm, cross-attention and dropout gave, the input of the dense layers, and the
    /// gradients of all but the fourth.
    outputs: [Buffer<T>; 5],
    gradients: [Buffer<T>; 4],
    /// The gradient of the output without that of padding.
    dy: Buffer<T>,
}

impl<A> TransformerDecoder<A> {
    fn cross(&self) -> MultiHeadAttention {
        let default = || MultiHeadAttention::new(self.block.heads);
        self.block.attention(&self.cross.clone().unwrap_or_else(default))
    }
}

impl<T: Real, A: Layer<T> + Clone> Merge<T> for TransformerDecoder<A> {
    type Cache = Decoder<T>;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, Decoder<T>), ShapeError> {
        let &[input, _] = inputs else {
            let first = inputs.first().copied().unwrap_or(Shape::from([0]));
            return Err(plan.error(first, "a target and a memory", "join it with two layers"));
        };
        let (features, block) = (self.block.features(input, plan)?, &self.block);
        let none = Sequential::default;
        let attend = Planned::new("self_attention", block.attend(none()), input, plan)?;
        let norm = if block.pre_norm { none().then(block.norm_first()) } else { none() };
        let norm = Planned::new("norm", norm, input, plan)?;
        let (_, cross, cross_parameters) = plan.inner_merge("cross_attention", &self.cross(), inputs)?;
        let drop_out = Planned::new("dropout", block.drop_out(none()), input, plan)?;
        let feed = if block.pre_norm { none() } else { none().then(LayerNorm::new()) };
        let feed = Planned::new("feedforward", block.feed(feed, features), input, plan)?;
        plan.memory(input.size().saturating_mul(9));
        let parts = Decoder { features, attend, norm, drop_out, feed, ..Decoder::default() };
        Ok((input, Decoder { cross, cross_parameters, ..parts }))
    }

    fn forward(&self, MergeForward { mut params, xs, mut y, cache, mode }: MergeForward<'_, T, Decoder<T>>) {
        let Decoder { features, attend, norm, drop_out, feed, cross, cross_parameters, outputs, .. } = cache;
        let (x, memory) = (xs[0], xs[1]);
        let (rows, columns) = x.dim();
        let [mut attended, mut normed, mut seen, mut dropped, mut sum] = outputs.each_mut().map(|output| {
            output.reserve(rows * columns);
            output.matrix_mut(rows, columns)
        });
        attend.forward(params.values(attend.parameters), x, attended.view_mut(), mode.inner(0));
        norm.forward(params.values(norm.parameters), attended.view(), normed.view_mut(), mode.inner(1));
        let (params_of_cross, mode_of_cross) = (Params::new(params.values(*cross_parameters)), mode.inner(2));
        let (xs, y_of_cross) = (&[normed.view(), memory], seen.view_mut());
        Merge::forward(
            &self.cross(),
            MergeForward { params: params_of_cross, xs, y: y_of_cross, cache: cross, mode: mode_of_cross },
        );
        drop_out.forward(&[], seen.view(), dropped.view_mut(), mode.inner(3));
        vector::map2(
            attended.view(),
            dropped.view(),
            sum.view_mut(),
            #[inline(always)]
            |z, looked| z + looked,
        );
        feed.forward(params.values(feed.parameters), sum.view(), y.view_mut(), mode.inner(4));
        if self.block.masked {
            spec(x, y, [*features; 2]);
        }
    }

    fn backward(&self, pass: MergeBackward<'_, T, Decoder<T>>) {
        let MergeBackward { mut params, mut grads, xs, y, dy, dxs, cache, share } = pass;
        let Decoder { features, attend, norm, drop_out, feed, cross, cross_parameters, .. } = cache;
        let Decoder { outputs, gradients, dy: copy, .. } = cache;
        let (x, memory) = (xs[0], xs[1]);
        let (rows, columns) = x.dim();
        let [attended, normed, seen, dropped, sum] =
            outputs.each_ref().map(|output| output.matrix(rows, columns));
        let [mut d_attended, mut d_normed, mut d_seen, mut d_sum] = gradients.each_mut().map(|gradient| {
            gradient.reserve(rows * columns);
            gradient.matrix_mut(rows, columns)
        });
        let sizes = [attend.parameters, norm.parameters, *cross_parameters, feed.parameters];
        let [of_attend, of_norm, of_cross, of_feed] =
            sizes.map(|size| (Params::new(params.values(size)), grads.inner(size)));
        let none = (Params::new(&[]), Grads::new(&mut []));
        let dy = if self.block.masked { without_padding(x, dy, [*features; 2], copy) } else { dy };
        feed.backward(of_feed, [sum, y, dy], Some(d_sum.view_mut()), share);
        drop_out.backward(none, [seen, dropped, d_sum.view()], Some(d_seen.view_mut()), share);
        let (params, grads) = of_cross;
        Merge::backward(
            &self.cross(),
            MergeBackward {
                params,
                grads,
                xs: &[normed, memory],
                y: seen,
                dy: d_seen.view(),
                dxs: &mut [Some(d_normed.view_mut()), dxs[1].take()],
                cache: cross,
                share,
            },
        );
        norm.backward(of_norm, [attended, normed, d_normed.view()], Some(d_attended.view_mut()), share);
        d_attended += &d_sum; //                            both ways lead to Z
        attend.backward(of_attend, [x, attended, d_attended.view()], dxs[0].take(), share);
    }
}
