//! The decoder block of a transformer.

use chainrule_core::{
    AnyLayer, Described, Description, DescriptionError, Entry, Grads, Layer, Merge, MergeBackward,
    MergeForward, Params, Plan, Range, Sequential, SettingValue, Settings, ShapeError, Value, entry,
};
use chainrule_tensor::{Buffer, Real, Shape, map};

use super::multi_head::{MultiHeadAttention, MultiHeadAttentionCache};
use super::sequences::{without_padding, zero_padding};
use super::transformer_block::{SubLayer, TransformerBlock, settings};
use crate::{LayerNorm, Relu};

/// A transformer block that also attends to a memory (Vaswani et al. 2017): self-attention, cross-attention, and two dense layers
/// for each step, each with a residual connection.
///
/// A [`Merge`] of a target `[steps, features]`, whose shape it keeps, and a memory `[keys, any features]`.
///
/// ```text
/// Z = norm(X + attention(X))      U = norm(Z + attention(Z, M))       Y = norm(U + f(U W₁ + b₁) W₂ + b₂)
/// Z = X + attention(norm(X))      U = Z + attention(norm(Z), M)       Y = U + f(norm(U) W₁ + b₁) W₂ + b₂
/// ```
///
/// The second line is the variant with the norm first. Defaults are those of PyTorch's `TransformerDecoderLayer`, as for
/// [`TransformerEncoder`](crate::TransformerEncoder); self-attention is causal only if requested by [`causal`](Self::causal). If the
/// block is masked, steps of zeros are padding in the target and in the memory.
#[derive(Clone, Debug)]
pub struct TransformerDecoder<A = Relu> {
    block: TransformerBlock<A>,
    cross: Option<MultiHeadAttention>,
}

impl<T: Real> Described for TransformerDecoder<AnyLayer<T>> {
    const ENTRY: Entry = entry! {
        /// A transformer block that also attends to a memory: a merge of a sequence and the memory.
        TransformerDecoder = "transformer_decoder";
        aliases ["transformer_decoder_layer"];
        source "Vaswani et al. 2017";
        settings {
            /// The number of heads.
            heads ("num_heads", "nhead"): required, Range::AT_LEAST_ONE;
            /// The number of values between its dense layers.
            feedforward ("dim_feedforward", "intermediate_dim"): required, Range::AT_LEAST_ONE;
            /// The activation between them.
            activation: relu;
            /// The self-attention; by default that of so many heads.
            attention: none;
            /// Whether a step attends only to those before it and to itself.
            causal: false;
            /// Whether steps of zeros are padding.
            masked: false;
            /// Whether the norm is before each part, rather than after it.
            pre_norm ("norm_first"): false;
            /// The probability of dropout.
            dropout: 0.1, Range::FRACTION;
            /// The attention to the memory; by default that of so many heads.
            cross_attention: none;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let block = TransformerBlock::from_settings(settings)?;
        Ok(Self { block, cross: settings.get("cross_attention")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        self.block.values().into_iter().chain([self.cross.to_value()]).collect()
    }
}

impl<A> TransformerDecoder<A> {
    fn of(block: TransformerBlock<A>) -> Self {
        Self { block, cross: None }
    }

    /// Sets `f`, as for [`TransformerEncoder::activation`](crate::TransformerEncoder::activation).
    #[must_use]
    pub fn activation<B>(self, activation: B) -> TransformerDecoder<B> {
        TransformerDecoder { block: self.block.activation(activation), cross: self.cross }
    }

    /// Sets the cross-attention; the block sets its dropout and whether it is masked.
    #[must_use]
    pub fn cross_attention(self, attention: MultiHeadAttention) -> Self {
        Self { cross: Some(attention), ..self }
    }
}

settings!(TransformerDecoder);

/// The cache of a [`TransformerDecoder`]: the layers of the block, their caches and their outputs.
#[derive(Clone, Debug, Default)]
pub struct TransformerDecoderCache<T: Real> {
    features: usize,
    self_attention: SubLayer<T>,
    /// The norm before cross-attention, if there is one.
    norm: SubLayer<T>,
    /// Dropout after cross-attention.
    dropout: SubLayer<T>,
    feedforward: SubLayer<T>,
    cross: MultiHeadAttentionCache<T>,
    cross_attention_parameters: usize,
    /// The outputs of self-attention, of the norm, of cross-attention and of dropout, and the input of the dense layers.
    outputs: [Buffer<T>; 5],
    /// The gradients of the outputs, without that of dropout.
    gradients: [Buffer<T>; 4],
    /// The gradient of the output, without padding.
    dy: Buffer<T>,
}

impl<A> TransformerDecoder<A> {
    fn cross(&self) -> MultiHeadAttention {
        let default = || MultiHeadAttention::new(self.block.heads);
        self.block.attention(&self.cross.clone().unwrap_or_else(default))
    }
}

impl<T: Real, A: Layer<T> + Clone> Merge<T> for TransformerDecoder<A> {
    type Cache = TransformerDecoderCache<T>;

    fn plan(
        &self,
        inputs: &[Shape],
        plan: &mut Plan,
    ) -> Result<(Shape, TransformerDecoderCache<T>), ShapeError> {
        let &[input, _] = inputs else {
            let first = inputs.first().copied().unwrap_or(Shape::from([0]));
            return Err(plan.error(first, "a target and a memory", "give it two inputs"));
        };
        let block = &self.block;
        let features = block.features(input, plan)?;
        let none = Sequential::default;
        let self_attention = SubLayer::new("self_attention", block.then_attention(none()), input, plan)?;
        let norm = if block.pre_norm { none().then(block.norm_first()) } else { none() };
        let norm = SubLayer::new("norm", norm, input, plan)?;
        let (_, cross, cross_attention_parameters) =
            plan.inner_merge("cross_attention", &self.cross(), inputs)?;
        let dropout = SubLayer::new("dropout", block.then_dropout(none()), input, plan)?;
        let feedforward = if block.pre_norm { none() } else { none().then(LayerNorm::new()) };
        let feedforward =
            SubLayer::new("feedforward", block.then_feedforward(feedforward, features), input, plan)?;
        plan.memory(input.size().saturating_mul(9));
        let parts = TransformerDecoderCache {
            features,
            self_attention,
            norm,
            dropout,
            feedforward,
            ..TransformerDecoderCache::default()
        };
        Ok((input, TransformerDecoderCache { cross, cross_attention_parameters, ..parts }))
    }

    fn description(&self) -> Description {
        let values = self.block.values_of::<T>().into_iter().chain([self.cross.to_value()]);
        <TransformerDecoder<AnyLayer<T>> as Described>::ENTRY.description(values)
    }

    fn forward(
        &self,
        MergeForward { mut params, xs, mut y, cache, mode }: MergeForward<'_, T, TransformerDecoderCache<T>>,
    ) {
        let TransformerDecoderCache {
            features,
            self_attention,
            norm,
            dropout,
            feedforward,
            cross,
            cross_attention_parameters,
            outputs,
            ..
        } = cache;
        let (x, memory) = (xs[0], xs[1]);
        let (rows, columns) = x.dim();
        let [mut attended, mut normed, mut crossed, mut dropped, mut sum] =
            outputs.each_mut().map(|output| {
                output.reserve(rows * columns);
                output.matrix_mut(rows, columns)
            });
        self_attention.forward(
            params.values(self_attention.parameters),
            x,
            attended.view_mut(),
            mode.inner(0),
        );
        norm.forward(params.values(norm.parameters), attended.view(), normed.view_mut(), mode.inner(1));
        let pass_of_cross = MergeForward {
            params: Params::new(params.values(*cross_attention_parameters)),
            xs: &[normed.view(), memory],
            y: crossed.view_mut(),
            cache: cross,
            mode: mode.inner(2),
        };
        Merge::forward(&self.cross(), pass_of_cross);
        dropout.forward(&[], crossed.view(), dropped.view_mut(), mode.inner(3));
        let attended = attended.view();
        let dropped = dropped.view();
        let u = sum.view_mut();
        map!(u = |z: attended, a: dropped| z + a);
        feedforward.forward(params.values(feedforward.parameters), sum.view(), y.view_mut(), mode.inner(4));
        if self.block.masked {
            zero_padding(x, y, [*features; 2]);
        }
    }

    fn backward(&self, pass: MergeBackward<'_, T, TransformerDecoderCache<T>>) {
        let MergeBackward { mut params, mut grads, xs, y, dy, dxs, cache, share } = pass;
        let TransformerDecoderCache {
            features,
            self_attention,
            norm,
            dropout,
            feedforward,
            cross,
            cross_attention_parameters,
            ..
        } = cache;
        let TransformerDecoderCache { outputs, gradients, dy: copy, .. } = cache;
        let (x, memory) = (xs[0], xs[1]);
        let (rows, columns) = x.dim();
        let [attended, normed, crossed, dropped, sum] =
            outputs.each_ref().map(|output| output.matrix(rows, columns));
        let [mut d_attended, mut d_normed, mut d_crossed, mut d_sum] = gradients.each_mut().map(|gradient| {
            gradient.reserve(rows * columns);
            gradient.matrix_mut(rows, columns)
        });
        let sizes =
            [self_attention.parameters, norm.parameters, *cross_attention_parameters, feedforward.parameters];
        let [of_self_attention, of_norm, of_cross_attention, of_feedforward] =
            sizes.map(|size| (Params::new(params.values(size)), grads.inner(size)));
        let none = (Params::new(&[]), Grads::new(&mut []));
        let dy = if self.block.masked { without_padding(x, dy, [*features; 2], copy) } else { dy };
        feedforward.backward(of_feedforward, [sum, y, dy], Some(d_sum.view_mut()), share);
        dropout.backward(none, [crossed, dropped, d_sum.view()], Some(d_crossed.view_mut()), share);
        let (params, grads) = of_cross_attention;
        Merge::backward(
            &self.cross(),
            MergeBackward {
                params,
                grads,
                xs: &[normed, memory],
                y: crossed,
                dy: d_crossed.view(),
                dxs: &mut [Some(d_normed.view_mut()), dxs[1].take()],
                cache: cross,
                share,
            },
        );
        norm.backward(of_norm, [attended, normed, d_normed.view()], Some(d_attended.view_mut()), share);
        d_attended += &d_sum; //                            Z is used twice
        self_attention.backward(of_self_attention, [x, attended, d_attended.view()], dxs[0].take(), share);
    }
}
