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
mod same_values;

pub mod activations;
pub mod attention;
mod axes;
pub mod convolution;
mod dense;
pub mod embedding;
pub mod init;
pub mod merge;
pub mod normalization;
mod packed;
pub mod pooling;
pub mod recurrent;
pub mod regularization;
pub mod shape;

pub use activations::{
    Activation, Celu, Elu, Exponential, Gated, GeGlu, Gelu, GeluTanh, Glu, HardShrink, HardSigmoid,
    HardSwish, HardTanh, Identity, LeakyRelu, LogSigmoid, LogSoftmax, Maxout, Mish, Prelu, ReGlu, Relu,
    Relu6, ReluSquared, Rrelu, Selu, Sigmoid, Silu, SoftShrink, Softmax, Softmax2d, Softmin, Softplus,
    Softsign, SparsePlus, SparseSigmoid, Sparsemax, Squareplus, SwiGlu, Swish, Tanh, TanhShrink, Threshold,
    ThresholdedRelu,
};
pub use attention::{
    ClassToken, DotProductAttention, LearnedPositions, MultiHeadAttention, OneStep, Patches,
    SinusoidalPositions, TransformerDecoder, TransformerEncoder,
};
pub use axes::Axes;
pub use convolution::{
    Conv, Conv1d, Conv2d, Conv3d, ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
    DepthwiseConv1d, DepthwiseConv2d, Fold, Padding, SeparableConv1d, SeparableConv2d, Unfold,
};
pub use dense::Dense;
pub use embedding::{Embedding, EmbeddingBag};
pub use merge::{Add, Average, Bilinear, Concat, Dot, Maximum, Minimum, Multiply, Subtract};
pub use normalization::{
    BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RmsNorm, SpectralNorm, UnitNorm,
    WeightNorm,
};
pub use pooling::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d, GlobalAvgPool, GlobalMaxPool, LpPool1d, LpPool2d,
    LpPool3d, MaxPool1d, MaxPool2d, MaxPool3d, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d,
};
pub use recurrent::{Bidirectional, ConvLstm, Gru, Lstm, Masking, Rnn, TimeDistributed};
pub use regularization::{
    ActivityRegularization, AlphaDropout, DropPath, Dropout, FeatureAlphaDropout, GaussianDropout,
    GaussianNoise, SpatialDropout,
};
pub use shape::{
    BilinearUpSampling2d, ChannelShuffle, CircularPadding1d, CircularPadding2d, CircularPadding3d,
    ConstantPadding1d, ConstantPadding2d, ConstantPadding3d, Cropping1d, Cropping2d, Cropping3d, Flatten,
    LinearUpSampling1d, Permute, PixelShuffle, PixelUnshuffle, ReflectionPadding1d, ReflectionPadding2d,
    ReflectionPadding3d, RepeatVector, ReplicationPadding1d, ReplicationPadding2d, ReplicationPadding3d,
    Reshape, TrilinearUpSampling3d, Unflatten, UpSampling1d, UpSampling2d, UpSampling3d, ZeroPadding1d,
    ZeroPadding2d, ZeroPadding3d,
};
