//! What the blocks of a transformer are made of.

use chainrule_core::{
    Backward, Forward, Grads, Layer, Mode, Params, Plan, Residual, Sequential, SequentialCache, ShapeError,
};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::masked::Masked;
use super::multi_head::MultiHeadAttention;
use super::steps::sequence;
use crate::{Dense, Dropout, LayerNorm, Relu, TimeDistributed};

/// The settings that encoders and decoders share.
#[derive(Clone, Debug)]
pub(super) struct Block<A> {
    pub(super) heads: usize,
    pub(super) attention: MultiHeadAttention,
    feedforward: usize,
    activation: A,
    pub(super) pre_norm: bool,
    pub(super) causal: bool,
    pub(super) masked: bool,
    pub(super) dropout: f64,
}

impl Block<Relu> {
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

impl<A> Block<A> {
    pub(super) fn activation<B>(self, activation: B) -> Block<B> {
        let Self { heads, attention, feedforward, pre_norm, causal, masked, dropout, .. } = self;
        Block { heads, attention, feedforward, activation, pre_norm, causal, masked, dropout }
    }

    /// The features of a step, if the dense layers can take them.
    pub(super) fn features(&self, input: Shape, plan: &Plan) -> Result<usize, ShapeError> {
        let [steps, features] = sequence(input, plan)?;
        let countable = Shape::new(&[steps.max(features), self.feedforward]);
        let expected = "[steps, features] for dense layers that can be counted";
        countable.map(|_| features).ok_or_else(|| plan.error(input, expected, "choose another size"))
    }

    /// An attention with the dropout and the mask of the block.
    pub(super) fn attention(&self, attention: &MultiHeadAttention) -> MultiHeadAttention {
        let attention = attention.clone().dropout(self.dropout);
        if self.masked { attention.masked() } else { attention }
    }

    /// These layers, and then dropout.
    pub(super) fn drop_out<T: Real>(&self, layers: Sequential<T>) -> Sequential<T> {
        if self.dropout == 0.0 { layers } else { layers.then(Dropout::new(self.dropout)) }
    }

    /// The norm before an attention, which is not to make something of padding.
    pub(super) fn norm_first(&self) -> Masked<LayerNorm> {
        Masked { layer: LayerNorm::new(), masked: self.masked }
    }

    /// These layers, and then self-attention with what is carried around it.
    pub(super) fn attend<T: Real>(&self, layers: Sequential<T>) -> Sequential<T> {
        let attention = self.attention(&self.attention);
        let attention = if self.causal { attention.causal() } else { attention };
        match self.pre_norm {
            true => {
                let branch = Sequential::default().then(self.norm_first()).then(attention);
                layers.then(Residual(self.drop_out(branch)))
            }
            false => {
                let branch = Sequential::default().then(attention);
                layers.then(Residual(self.drop_out(branch))).then(LayerNorm::new())
            }
        }
    }

    /// These layers, and then the two dense layers with what is carried around them.
    pub(super) fn feed<T: Real>(&self, layers: Sequential<T>, features: usize) -> Sequential<T>
    where
        A: Layer<T> + Clone,
    {
        let dense = |branch: Sequential<T>| {
            let hidden =
                branch.then(TimeDistributed(Dense::new(self.feedforward))).then(self.activation.clone());
            Residual(self.drop_out(self.drop_out(hidden).then(TimeDistributed(Dense::new(features)))))
        };
        match self.pre_norm {
            true => layers.then(dense(Sequential::default().then(LayerNorm::new()))),
            false => layers.then(dense(Sequential::default())).then(LayerNorm::new()),
        }
    }
}

/// Some layers of a block, once they are planned.
#[derive(Clone, Debug, Default)]
pub(super) struct Planned<T: Real> {
    layers: Sequential<T>,
    cache: SequentialCache<T>,
    pub(super) parameters: usize,
}

impl<T: Real> Planned<T> {
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
        let (params, cache) = (Params::new(params), &mut self.cache);
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

/// The settings of a block.
macro_rules! settings {
    ($name:ident) => {
        impl $name {
            /// A block with so many heads, and so many values between its dense layers.
            pub fn new(heads: usize, feedforward: usize) -> Self {
                Self::of(Block::new(heads, feedforward))
            }
        }

        impl<A> $name<A> {
            /// Another self-attention: with grouped heads, rotary positions or without biases, say. The block sets its dropout,
            /// and whether it is causal and masked.
            #[must_use]
            pub fn attention(mut self, attention: MultiHeadAttention) -> Self {
                self.block.attention = attention;
                self
            }

            /// A step sees itself and those before it.
            #[must_use]
            pub fn causal(mut self) -> Self {
                self.block.causal = true;
                self
            }

            /// DenseSteps of zeros are padding: nobody sees them, and they stay zeros.
            #[must_use]
            pub fn masked(mut self) -> Self {
                self.block.masked = true;
                self
            }

            /// The norm comes before each part of the block instead of behind it.
            #[must_use]
            pub fn pre_norm(mut self) -> Self {
                self.block.pre_norm = true;
                self
            }

            /// Another probability of dropout, in `[0, 1)`.
            #[must_use]
            pub fn dropout(mut self, p: f64) -> Self {
                self.block.dropout = p;
                self
            }
        }
    };
}
pub(super) use settings;
