//! Layers, activations and initialisers.
//!
//! ```
//! use chainrule_core::{Sequential, gradcheck};
//! use chainrule_layers::{Conv2d, Dense, Dropout, Flatten, MaxPool2d, Relu};
//! let layers = Sequential::<f64>::default()
//!     .then(Conv2d::new(3, 3))
//!     .then(Relu)
//!     .then(MaxPool2d::new(2))
//!     .then(Flatten)
//!     .then(Dropout::new(0.5))
//!     .then(Dense::new(2));
//! gradcheck::gradients(&layers, [1, 6, 6])?;
//! # Ok::<(), chainrule_core::gradcheck::GradientError>(())
//! ```
//!
//! # Families
//!
//! Each layer has a name at the root of this crate; the module of its family explains what its layers have in common. Most layers
//! whose name ends in `2d` also exist for one and for three axes.
//!
//! | family | layers |
//! |---|---|
//! | fully connected | [`Dense`] |
//! | [`activations`] | [`Relu`] and its variants, [`Gelu`], [`Silu`], [`Sigmoid`], [`Tanh`], [`Softplus`], [`Softmax`] and its variants, gated units such as [`SwiGlu`], [`Maxout`], [`Prelu`] |
//! | [`convolution`] | [`Conv2d`], [`ConvTranspose2d`], [`DepthwiseConv2d`], [`SeparableConv2d`], [`Unfold`], [`Fold`] |
//! | [`pooling`] | [`MaxPool2d`], [`AvgPool2d`], [`LpPool2d`], [`AdaptiveAvgPool2d`], [`AdaptiveMaxPool2d`], [`GlobalAvgPool`], [`GlobalMaxPool`], [`MaxUnpool2d`] |
//! | [`normalization`] | [`BatchNorm`], [`LayerNorm`], [`RmsNorm`], [`GroupNorm`], [`InstanceNorm`], [`LocalResponseNorm`], [`UnitNorm`]; around a layer with a weight, [`WeightNorm`] and [`SpectralNorm`] |
//! | [`recurrent`] | [`Rnn`], [`Lstm`], [`Gru`], [`ConvLstm`]; [`Masking`]; around other layers, [`Bidirectional`] and [`TimeDistributed`] |
//! | [`attention`] | [`MultiHeadAttention`], [`DotProductAttention`], [`TransformerEncoder`], [`TransformerDecoder`], [`SinusoidalPositions`], [`LearnedPositions`], [`Patches`], [`ClassToken`], [`OneStep`] |
//! | [`embedding`] | [`Embedding`], [`EmbeddingBag`] |
//! | [`regularization`] | [`Dropout`], [`SpatialDropout`], [`AlphaDropout`], [`FeatureAlphaDropout`], [`DropPath`], [`GaussianNoise`], [`GaussianDropout`], [`ActivityRegularization`] |
//! | [`merge`]: several inputs | [`Add`], [`Subtract`], [`Multiply`], [`Average`], [`Maximum`], [`Minimum`], [`Concat`], [`Dot`], [`Bilinear`] |
//! | [`shape`] | [`Flatten`], [`Reshape`], [`Unflatten`], [`Permute`], [`RepeatVector`], paddings such as [`ZeroPadding2d`], [`Cropping2d`], [`UpSampling2d`] and its variants, [`PixelShuffle`], [`PixelUnshuffle`], [`ChannelShuffle`] |
//!
//! [`init`] has the initialisers: rules for the initial values of parameters.
//!
//! # Design
//!
//! **One layer, one file, and the file reads as the mathematics.** The formula comes first, then `plan` declares the parameters
//! with their shapes, `forward` computes the formula and `backward` its chain rule. Products and vector loops come from
//! [`chainrule_tensor`]; what related layers have in common is in the folder of their family. No layer owns a weight, and a layer
//! uses another only if it is built from it, as a transformer block is built from [`Dense`]. Containers such as `Sequential` and
//! `Graph` are in [`chainrule_core`].
//!
//! **Every layer describes itself**: the [`describe!`](chainrule_core::describe!) in its file has its name, the names that PyTorch
//! and Keras give it, and its settings with their defaults. So it can be written and read as `conv2d(16, 3, padding=same)`, and a
//! model file needs no code; [`registry()`] has all of them.
//!
//! # Adding a layer
//!
//! Write a file in the folder of its family, with its entry, export it in the family's `mod.rs`, name it in `registry.rs`, and add
//! a line to the list of its family in `crates/layer-cases`, which checks its gradients and its entry, and a
//! reference value in its `tests/reference`.
#![doc(html_root_url = "https://docs.rs/chainrule-layers/latest")]

#[macro_use]
mod identity_passes;

pub mod activations;
pub mod attention;
mod axes;
mod bias;
mod contiguous;
pub mod convolution;
mod dense;
pub mod embedding;
pub mod init;
pub mod merge;
pub mod normalization;
pub mod pooling;
pub mod recurrent;
mod registry;
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
pub use registry::{register_initializers, register_layers, registry};
pub use regularization::*;
pub use shape::*;
