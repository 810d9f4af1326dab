//! The encoder block of a transformer.

use chainrule_core::{
    AnyLayer, Backward, Described, Description, DescriptionError, Entry, Forward, Layer, Plan, Range,
    Sequential, Settings, ShapeError, Value, entry,
};
use chainrule_tensor::{Real, Shape};

use super::masked::{Masked, MaskedCache};
use super::multi_head::MultiHeadAttention;
use super::transformer_block::{TransformerBlock, settings};
use crate::Relu;

/// A transformer block (Vaswani et al. 2017): self-attention and two dense layers for each step, each with a residual connection.
/// Samples are `[steps, features]` and keep their shape.
///
/// ```text
/// Z = norm(X + attention(X))      Y = norm(Z + f(Z W₁ + b₁) W₂ + b₂)            as in the paper and in PyTorch
/// Z = X + attention(norm(X))      Y = Z + f(norm(Z) W₁ + b₁) W₂ + b₂            with the norm first (Xiong et al. 2020)
/// ```
///
/// Defaults are those of PyTorch's `TransformerEncoderLayer`: ReLU, dropout of 0.1 (on the attention's weights, on `f` and on both
/// results) and the norm last. A stack of blocks with the norm first needs a norm at its end. A [`causal`](Self::causal) block
/// is that of a language model (Radford et al. 2018, "GPT").
///
/// ```
/// use chainrule_core::gradcheck;
/// use chainrule_layers::{MultiHeadAttention, SwiGlu, TransformerEncoder};
/// let attention = MultiHeadAttention::new(4).key_value_heads(2).rotary();
/// let block = TransformerEncoder::new(4, 24).attention(attention).activation(SwiGlu::default());
/// gradcheck::gradients(&block.causal().pre_norm(), [3, 8])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TransformerEncoder<A = Relu> {
    block: TransformerBlock<A>,
}

impl<T: Real> Described for TransformerEncoder<AnyLayer<T>> {
    const ENTRY: Entry = entry! {
        /// A transformer block: self-attention and two dense layers, with residuals and norms.
        TransformerEncoder = "transformer_encoder";
        aliases ["transformer_encoder_layer", "transformer_block"];
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
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        TransformerBlock::from_settings(settings).map(Self::of)
    }

    fn setting_values(&self) -> Vec<Value> {
        self.block.values()
    }
}

impl<A> TransformerEncoder<A> {
    fn of(block: TransformerBlock<A>) -> Self {
        Self { block }
    }

    /// Sets `f`: any layer that takes `[steps, features]`, such as [`Gelu`](crate::Gelu). A gated one, such as
    /// [`SwiGlu`](crate::SwiGlu), halves the number of features, and the second dense layer adapts to it.
    #[must_use]
    pub fn activation<B>(self, activation: B) -> TransformerEncoder<B> {
        TransformerEncoder::of(self.block.activation(activation))
    }
}

settings!(TransformerEncoder);

/// The cache of a [`TransformerEncoder`]: the layers of the block and their caches.
#[derive(Clone, Debug, Default)]
pub struct TransformerEncoderCache<T: Real> {
    layers: Masked<Sequential<T>>,
    cache: MaskedCache<T, <Sequential<T> as Layer<T>>::Cache>,
}

impl<T: Real, A: Layer<T> + Clone> Layer<T> for TransformerEncoder<A> {
    type Cache = TransformerEncoderCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, TransformerEncoderCache<T>), ShapeError> {
        let features = self.block.features(input, plan)?;
        let layer = self.block.then_feedforward(self.block.then_attention(Sequential::default()), features);
        let layers = Masked { layer, masked: self.block.masked };
        let (output, cache) = layers.plan(input, plan)?;
        Ok((output, TransformerEncoderCache { layers, cache }))
    }

    fn description(&self) -> Description {
        <TransformerEncoder<AnyLayer<T>> as Described>::ENTRY.description(self.block.values_of::<T>())
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, TransformerEncoderCache<T>>) {
        let TransformerEncoderCache { layers, cache } = cache;
        layers.forward(Forward { params, x, y, cache, mode });
    }

    fn backward(&self, pass: Backward<'_, T, TransformerEncoderCache<T>>) {
        let Backward { params, grads, x, y, dy, dx, cache, share } = pass;
        let TransformerEncoderCache { layers, cache } = cache;
        layers.backward(Backward { params, grads, x, y, dy, dx, cache, share });
    }
}
