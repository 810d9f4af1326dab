//! The list of all layers, merges, activations and initialisers that descriptions may name.

use std::sync::Arc;

use chainrule_core::{AnyLayer, AnyMerge, Constant, Initializer, Registry, register, register_containers};
use chainrule_tensor::Real;

use crate::activations::AnyGated;
use crate::recurrent::{AnyRnn, BidirectionalText, UnitForgetBias, UnitsUniform};
use crate::*;

/// A registry of all layers for this element type, those of [`chainrule_core`] included, and of all initialisers.
///
/// ```
/// use chainrule_core::{Described, Sequential};
/// let description = "flatten then dense(64) then relu then dense(10, bias=false)".parse()?;
/// let layers = Sequential::<f32>::from_description(&description, &chainrule_layers::registry::<f32>())?;
/// assert_eq!(layers.len(), 4);
/// # Ok::<(), chainrule_core::DescriptionError>(())
/// ```
pub fn registry<T: Real>() -> Registry {
    let mut registry = Registry::new();
    register_initializers(&mut registry);
    register_containers::<T>(&mut registry);
    register_layers::<T>(&mut registry);
    registry
}

/// Registers the initialisers.
pub fn register_initializers(registry: &mut Registry) {
    register!(
        *registry, Arc<dyn Initializer>, Arc::new;
        init::Zeros,
        init::Ones,
        Constant,
        init::Identity,
        init::Dirac,
        init::Uniform,
        init::Normal,
        init::TruncatedNormal,
        init::VarianceScaling,
        init::FanInUniform,
        init::GlorotUniform,
        init::GlorotNormal,
        init::HeUniform,
        init::HeNormal,
        init::LecunUniform,
        init::LecunNormal,
        init::Orthogonal,
        init::Sparse,
        UnitsUniform,
        UnitForgetBias,
    );
}

/// Registers the layers, merges and activations of this crate for this element type.
///
/// A program that calls it compiles all of them, for minutes; with the feature `registry`, those of `f32` have been compiled
/// with this crate.
pub fn register_layers<T: Real>(registry: &mut Registry) {
    #[cfg(feature = "registry")]
    if const { size_of::<T>() == size_of::<f32>() } {
        return register_single(registry);
    }
    register_of::<T>(registry);
}

#[cfg(feature = "registry")]
#[inline(never)]
fn register_single(registry: &mut Registry) {
    register_of::<f32>(registry);
}

fn register_of<T: Real>(registry: &mut Registry) {
    register_activations::<T>(registry);
    register_merges::<T>(registry);
    register_recurrent::<T>(registry);
    register!(
        *registry, AnyLayer<T>, AnyLayer::new;
        Dense,
        Maxout,
        Conv1d, Conv2d, Conv3d,
        ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
        DepthwiseConv1d, DepthwiseConv2d,
        SeparableConv1d, SeparableConv2d,
        Unfold<1>, Unfold<2>, Unfold<3>,
        Fold<1>, Fold<2>, Fold<3>,
        MaxPool1d, MaxPool2d, MaxPool3d,
        AvgPool1d, AvgPool2d, AvgPool3d,
        LpPool1d, LpPool2d, LpPool3d,
        AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d,
        AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d,
        GlobalMaxPool, GlobalAvgPool,
        BatchNorm, LayerNorm, RmsNorm, GroupNorm, InstanceNorm, LocalResponseNorm, UnitNorm,
        WeightNorm<AnyLayer<T>>, SpectralNorm<AnyLayer<T>>,
        Masking, TimeDistributed<AnyLayer<T>>,
        MultiHeadAttention, TransformerEncoder<AnyLayer<T>>,
        SinusoidalPositions, LearnedPositions, Patches, ClassToken, OneStep,
        Embedding, EmbeddingBag,
        Dropout, SpatialDropout, AlphaDropout, FeatureAlphaDropout, DropPath,
        GaussianDropout, GaussianNoise, ActivityRegularization,
        Flatten, Reshape, Unflatten, Permute, RepeatVector,
        ZeroPadding1d, ZeroPadding2d, ZeroPadding3d,
        ConstantPadding1d, ConstantPadding2d, ConstantPadding3d,
        ReflectionPadding1d, ReflectionPadding2d, ReflectionPadding3d,
        ReplicationPadding1d, ReplicationPadding2d, ReplicationPadding3d,
        CircularPadding1d, CircularPadding2d, CircularPadding3d,
        Cropping1d, Cropping2d, Cropping3d,
        UpSampling1d, UpSampling2d, UpSampling3d,
        LinearUpSampling1d, BilinearUpSampling2d, TrilinearUpSampling3d,
        PixelShuffle, PixelUnshuffle, ChannelShuffle,
    );
}

fn register_activations<T: Real>(registry: &mut Registry) {
    /// Activations are layers as well.
    macro_rules! activations {
        ($wrap:expr; $($activation:ty),* $(,)?) => {
            register!(*registry, AnyActivation<T>, $wrap; $($activation),*);
            register!(*registry, AnyLayer<T>, AnyLayer::new; $($activation),*);
        };
    }
    activations!(
        AnyActivation::element_wise;
        Relu, Relu6, LeakyRelu, ReluSquared, Threshold, ThresholdedRelu,
        Elu, Celu, Selu, Exponential, Gelu, GeluTanh, HardSigmoid, HardSwish, HardTanh, Identity,
        HardShrink, SoftShrink, TanhShrink, Sigmoid, Tanh, Softsign, Silu, Mish,
        Softplus, LogSigmoid, Squareplus, SparsePlus, SparseSigmoid,
    );
    activations!(
        AnyActivation::new;
        Prelu, Rrelu, Softmax, LogSoftmax, Softmin, Softmax2d, Sparsemax, Glu, SwiGlu, GeGlu, ReGlu,
    );
    register!(*registry, AnyLayer<T>, AnyLayer::new; AnyGated<T>);
}

fn register_merges<T: Real>(registry: &mut Registry) {
    register!(
        *registry, AnyMerge<T>, AnyMerge::new;
        Add, Subtract, Multiply, Average, Maximum, Minimum, Concat, Dot, Bilinear,
        MaxUnpool1d, MaxUnpool2d, MaxUnpool3d,
        MultiHeadAttention, DotProductAttention, TransformerDecoder<AnyLayer<T>>,
    );
}

fn register_recurrent<T: Real>(registry: &mut Registry) {
    register!(*registry, AnyRecurrent<T>, AnyRecurrent::new; AnyRnn<T>, Lstm, Gru, ConvLstm<AnyLayer<T>>);
    register!(*registry, AnyLayer<T>, AnyLayer::new; AnyRnn<T>, Lstm, Gru, ConvLstm<AnyLayer<T>>);
    registry.add::<AnyLayer<T>, BidirectionalText<T>>(|BidirectionalText(layer)| layer);
}
