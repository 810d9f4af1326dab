//! The encoder block of a transformer.

use chainrule_core::{Backward, Forward, Layer, Plan, Sequential, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::block::{Block, settings};
use super::masked::{Kept, Masked};
use super::multi_head::MultiHeadAttention;
use crate::Relu;

/// A block of a transformer (Vaswani et al. 2017): self-attention, and two dense layers for each step, each with its
/// input carried around it. Samples are `[steps, features]`, and keep their shape.
///
/// ```text
/// Z = norm(X + attention(X))      Y = norm(Z + f(Z W₁ + b₁) W₂ + b₂)            as in the paper and in PyTorch
/// Z = X + attention(norm(X))      Y = Z + f(norm(Z) W₁ + b₁) W₂ + b₂            with the norm first (Xiong et al. 2020)
/// ```
///
/// Defaults are those of PyTorch's `TransformerEncoderLayer`: ReLU, dropout of 0.1 (of the attention's weights, of `f` and
/// of both results), and the norm behind. A stack of blocks with the norm first wants a norm at its end. A
/// [`causal`](Self::causal) block is that of a language model (Radford et al. 2018, "GPT").
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
    block: Block<A>,
}

impl<A> TransformerEncoder<A> {
    fn of(block: Block<A>) -> Self {
        Self { block }
    }

    /// Another `f`: any layer that takes `[steps, features]`, such as [`Gelu`](crate::Gelu). A gated one, such as
    /// [`SwiGlu`](crate::SwiGlu), gives half as many features, and the second dense layer takes these.
    #[must_use]
    pub fn activation<B>(self, activation: B) -> TransformerEncoder<B> {
        TransformerEncoder::of(self.block.activation(activation))
    }
}

settings!(TransformerEncoder);

/// What a [`TransformerEncoder`] remembers: the layers that it is made of, and what these remember.
#[derive(Clone, Debug, Default)]
pub struct Encoder<T: Real> {
    layers: Masked<Sequential<T>>,
    cache: Kept<T, <Sequential<T> as Layer<T>>::Cache>,
}

impl<T: Real, A: Layer<T> + Clone> Layer<T> for TransformerEncoder<A> {
    type Cache = Encoder<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Encoder<T>), ShapeError> {
        let features = self.block.features(input, plan)?;
        let layer = self.block.feed(self.block.attend(Sequential::default()), features);
        let layers = Masked { layer, masked: self.block.masked };
        let (output, cache) = layers.plan(input, plan)?;
        Ok((output, Encoder { layers, cache }))
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, Encoder<T>>) {
        let Encoder { layers, cache } = cache;
        layers.forward(Forward { params, x, y, cache, mode });
    }

    fn backward(&self, pass: Backward<'_, T, Encoder<T>>) {
        let Backward { params, grads, x, y, dy, dx, cache, share } = pass;
        let Encoder { layers, cache } = cache;
        layers.backward(Backward { params, grads, x, y, dy, dx, cache, share });
    }
}
