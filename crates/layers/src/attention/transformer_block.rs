//! What the transformer's encoder and decoder have in common.

use chainrule_core::{
    Backward, DescriptionError, Forward, Grads, Layer, Mode, Params, Plan, Residual, Sequential,
    SequentialCache, SettingValue, Settings, ShapeError, Value,
};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::masked::Masked;
use super::multi_head::MultiHeadAttention;
use super::sequences::sequence;
use crate::{Dense, Dropout, LayerNorm, Relu, TimeDistributed};

/// The settings that the encoder and the decoder share.
#[derive(Clone, Debug)]
pub(super) struct TransformerBlock<A> {
    pub(super) heads: usize,
    pub(super) attention: MultiHeadAttention,
    feedforward: usize,
    activation: A,
    pub(super) pre_norm: bool,
    pub(super) causal: bool,
    pub(super) masked: bool,
    pub(super) dropout: f64,
}

impl TransformerBlock<Relu> {
    pub(super) fn new(heads: usize, feedforward: usize) -> Self {
        Self {
            heads,
            attention: MultiHeadAttention::new(heads),
            feedforward,
            activation: Relu,
            pre_norm: false,
            causal: false,
            masked: false,
            dropout: 0.1,
        }
    }
}

impl<A: SettingValue> TransformerBlock<A> {
    /// The block of the settings of a layer.
    pub(super) fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let heads = settings.get("heads")?;
        let attention = settings.get::<Option<_>>("attention")?;
        Ok(Self {
            heads,
            attention: attention.unwrap_or_else(|| MultiHeadAttention::new(heads)),
            feedforward: settings.get("feedforward")?,
            activation: settings.get("activation")?,
            pre_norm: settings.get("pre_norm")?,
            causal: settings.get("causal")?,
            masked: settings.get("masked")?,
            dropout: settings.get("dropout")?,
        })
    }

    /// The values of these settings, in the order of the entry.
    pub(super) fn values(&self) -> Vec<Value> {
        self.values_with(self.activation.to_value())
    }
}

impl<A> TransformerBlock<A> {
    /// The values of the settings, with this one of the activation.
    fn values_with(&self, activation: Value) -> Vec<Value> {
        let Self { heads, attention, feedforward, pre_norm, causal, masked, dropout, .. } = self;
        vec![
            heads.to_value(),
            feedforward.to_value(),
            activation,
            attention.to_value(),
            causal.to_value(),
            masked.to_value(),
            pre_norm.to_value(),
            dropout.to_value(),
        ]
    }

    /// The values of the settings of a block in this precision.
    pub(super) fn values_of<T: Real>(&self) -> Vec<Value>
    where
        A: Layer<T>,
    {
        self.values_with(self.activation.description().into())
    }

    pub(super) fn activation<B>(self, activation: B) -> TransformerBlock<B> {
        let Self { heads, attention, feedforward, pre_norm, causal, masked, dropout, .. } = self;
        TransformerBlock { heads, attention, feedforward, activation, pre_norm, causal, masked, dropout }
    }

    /// The number of features of a step, if the dense layers are of a possible size.
    pub(super) fn features(&self, input: Shape, plan: &Plan) -> Result<usize, ShapeError> {
        let [steps, features] = sequence(input, plan)?;
        let hidden = Shape::new(&[steps.max(features), self.feedforward]);
        let expected = "[steps, features] for dense layers that fit in memory";
        hidden.map(|_| features).ok_or_else(|| plan.error(input, expected, "choose another size"))
    }

    /// An attention with the dropout and the mask of the block.
    pub(super) fn attention(&self, attention: &MultiHeadAttention) -> MultiHeadAttention {
        let attention = attention.clone().dropout(self.dropout);
        if self.masked { attention.masked() } else { attention }
    }

    /// Appends dropout to these layers.
    pub(super) fn then_dropout<T: Real>(&self, layers: Sequential<T>) -> Sequential<T> {
        if self.dropout == 0.0 { layers } else { layers.then(Dropout::new(self.dropout)) }
    }

    /// The norm before an attention, which keeps padding at zero.
    pub(super) fn norm_first(&self) -> Masked<LayerNorm> {
        Masked { layer: LayerNorm::new(), masked: self.masked }
    }

    /// Appends self-attention with its residual connection to these layers.
    pub(super) fn then_attention<T: Real>(&self, layers: Sequential<T>) -> Sequential<T> {
        let attention = self.attention(&self.attention);
        let attention = if self.causal { attention.causal() } else { attention };
        if self.pre_norm {
            let branch = Sequential::default().then(self.norm_first()).then(attention);
            layers.then(Residual(self.then_dropout(branch)))
        } else {
            let branch = Sequential::default().then(attention);
            layers.then(Residual(self.then_dropout(branch))).then(LayerNorm::new())
        }
    }

    /// Appends the two dense layers with their residual connection to these layers.
    pub(super) fn then_feedforward<T: Real>(&self, layers: Sequential<T>, features: usize) -> Sequential<T>
    where
        A: Layer<T> + Clone,
    {
        let dense = |branch: Sequential<T>| {
            let hidden =
                branch.then(TimeDistributed(Dense::new(self.feedforward))).then(self.activation.clone());
            let output = self.then_dropout(hidden).then(TimeDistributed(Dense::new(features)));
            Residual(self.then_dropout(output))
        };
        if self.pre_norm {
            layers.then(dense(Sequential::default().then(LayerNorm::new())))
        } else {
            layers.then(dense(Sequential::default())).then(LayerNorm::new())
        }
    }
}

/// A sublayer of a block, with its cache.
#[derive(Clone, Debug, Default)]
pub(super) struct SubLayer<T: Real> {
    layers: Sequential<T>,
    cache: SequentialCache<T>,
    pub(super) parameters: usize,
}

impl<T: Real> SubLayer<T> {
    pub(super) fn new(
        name: &str,
        layers: Sequential<T>,
        input: Shape,
        plan: &mut Plan,
    ) -> Result<Self, ShapeError> {
        let (_, cache, parameters) = plan.inner(name, &layers, input)?;
        Ok(Self { layers, cache, parameters })
    }

    pub(super) fn forward(
        &mut self,
        params: &[T],
        x: ArrayView2<'_, T>,
        y: ArrayViewMut2<'_, T>,
        mode: Mode,
    ) {
        let params = Params::new(params);
        let cache = &mut self.cache;
        self.layers.forward(Forward { params, x, y, cache, mode });
    }

    pub(super) fn backward(
        &mut self,
        (params, grads): (Params<'_, T>, Grads<'_, T>),
        [x, y, dy]: [ArrayView2<'_, T>; 3],
        dx: Option<ArrayViewMut2<'_, T>>,
        share: T,
    ) {
        let cache = &mut self.cache;
        self.layers.backward(Backward { params, grads, x, y, dy, dx, cache, share });
    }
}

/// The methods that set up a block.
macro_rules! settings {
    ($name:ident) => {
        impl $name {
            /// A block with this number of heads, and with `feedforward` values between its dense layers.
            pub fn new(heads: usize, feedforward: usize) -> Self {
                Self::of(TransformerBlock::new(heads, feedforward))
            }
        }

        impl<A> $name<A> {
            /// Sets the self-attention, for instance with grouped heads, rotary positions or without biases. The block sets its
            /// dropout and whether it is causal and masked.
            #[must_use]
            pub fn attention(mut self, attention: MultiHeadAttention) -> Self {
                self.block.attention = attention;
                self
            }

            /// A step attends only to itself and to the steps before it.
            #[must_use]
            pub fn causal(mut self) -> Self {
                self.block.causal = true;
                self
            }

            /// Steps of zeros are padding: no step attends to them, and they stay zeros.
            #[must_use]
            pub fn masked(mut self) -> Self {
                self.block.masked = true;
                self
            }

            /// Puts the norm before each part of the block instead of after it.
            #[must_use]
            pub fn pre_norm(mut self) -> Self {
                self.block.pre_norm = true;
                self
            }

            /// Sets the probability of dropout, in `[0, 1)`.
            #[must_use]
            pub fn dropout(mut self, p: f64) -> Self {
                self.block.dropout = p;
                self
            }
        }
    };
}
pub(super) use settings;
