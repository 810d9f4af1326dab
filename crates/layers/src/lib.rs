//! The layers, activations and initialisers.
//!
//! The decision here: **one layer, one file, and the file reads as the mathematics.** The formula comes first,
//! then `plan` states the parameters with their shapes, `forward` computes the formula and `backward` its
//! chain rule. Products and vector loops are [`chainrule_tensor`]'s; what near relatives have in common lies beside them
//! in the folder of their family. No layer owns a weight, and a layer knows another only where it is made of it, as a block
//! of a transformer is of [`Dense`]. What puts layers together, such as `Sequential` and `Graph`, is [`chainrule_core`]'s.
//!
//! # Where to find a layer
//!
//! Each has a name at the root of this crate, and the module of its family says what its layers share. Most of those that
//! end in `2d` have kin for one axis and for three.
//!
//! | family | layers |
//! |---|---|
//! | a product with weights | [`Dense`] |
//! | [`activations`] | [`Relu`] and its kin, [`Gelu`], [`Silu`], [`Sigmoid`], [`Tanh`], [`Softplus`], [`Softmax`] and its kin, gated units such as [`SwiGlu`], [`Maxout`], [`Prelu`] |
//! | [`convolution`] | [`Conv2d`], [`ConvTranspose2d`], [`DepthwiseConv2d`], [`SeparableConv2d`], [`Unfold`], [`Fold`] |
//! | [`pooling`] | [`MaxPool2d`], [`AvgPool2d`], [`LpPool2d`], [`AdaptiveAvgPool2d`], [`AdaptiveMaxPool2d`], [`GlobalAvgPool`], [`GlobalMaxPool`], [`MaxUnpool2d`] |
//! | [`normalization`] | [`BatchNorm`], [`LayerNorm`], [`RmsNorm`], [`GroupNorm`], [`InstanceNorm`], [`LocalResponseNorm`], [`UnitNorm`]; around a layer with a weight, [`WeightNorm`] and [`SpectralNorm`] |
//! | [`recurrent`] | [`Rnn`], [`Lstm`], [`Gru`], [`ConvLstm`]; [`Masking`]; around other layers, [`Bidirectional`] and [`TimeDistributed`] |
//! | [`attention`] | [`MultiHeadAttention`], [`DotProductAttention`], [`TransformerEncoder`], [`TransformerDecoder`], [`SinusoidalPositions`], [`LearnedPositions`], [`Patches`], [`ClassToken`], [`OneStep`] |
//! | [`embedding`] | [`Embedding`], [`EmbeddingBag`] |
//! | [`regularization`] | [`Dropout`], [`SpatialDropout`], [`AlphaDropout`], [`FeatureAlphaDropout`], [`DropPath`], [`GaussianNoise`], [`GaussianDropout`], [`ActivityRegularization`] |
//! | [`merge`], of several inputs | [`Add`], [`Subtract`], [`Multiply`], [`Average`], [`Maximum`], [`Minimum`], [`Concat`], [`Dot`], [`Bilinear`] |
//! | [`shape`] | [`Flatten`], [`Reshape`], [`Unflatten`], [`Permute`], [`RepeatVector`], paddings such as [`ZeroPadding2d`], [`Cropping2d`], [`UpSampling2d`] and its kin, [`PixelShuffle`], [`PixelUnshuffle`], [`ChannelShuffle`] |
//!
//! [`init`] has the initialisers: rules for the first values of parameters.
//!
//! ```
//! use chainrule_core::{Sequential, gradcheck};
//! use chainrule_layers::{Dense, Dropout, Tanh};
//! let layers = Sequential::<f64>::default().then(Dense::new(8)).then(Tanh).then(Dropout::new(0.5));
//! gradcheck::gradients(&layers, [4])?;
//! # Ok::<(), chainrule_core::gradcheck::GradientError>(())
//! ```
//!
//! # A new layer
//!
//! It is a file in the folder of its family, its name in the folder's `mod.rs` and in this file, and a line in the list of
//! `tests/every_layer/cases`, which checks its gradients.

#[macro_use]
mod identity_passes;

pub mod activations;
pub mod attention;
mod axes;
mod contiguous;
pub mod convolution;
mod dense;
pub mod embedding;
pub mod init;
pub mod merge;
pub mod normalization;
pub mod pooling;
pub mod recurrent;
pub mod regularization;
pub mod shape;

pub use activations::*;
pub use attention::*;
pub use axes::Axes;
pub use convolution::*;
pub use dense::Dense;
pub use embedding::*;
pub use merge::*;
pub use normalization::*;
pub use pooling::*;
pub use recurrent::*;
pub use regularization::*;
pub use shape::*;
