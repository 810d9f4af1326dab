//! The networks for images of digits that can be chosen by name.

use chainrule::core::Branches;
use chainrule::layers::{
    Add, BatchNorm, ClassToken, Conv2d, GlobalAvgPool, LayerNorm, LearnedPositions, Lstm, MaxPool2d, OneStep,
    Patches, Reshape, TimeDistributed, TransformerEncoder,
};
use chainrule::prelude::*;
use clap::ValueEnum;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelName {
    /// dense layers set by --hidden, --activation and --init: the tutorial's network
    Mlp,
    /// LeNet-5: two convolutions, two poolings, three dense layers (batch 64, 5 epochs)
    Lenet,
    /// a small residual network with batch normalisation (batch 64, 1 epoch)
    Resnet,
    /// an LSTM that reads the image row by row (batch 64, 3 epochs)
    Lstm,
    /// a small vision transformer (batch 64, 5 epochs)
    Vit,
}

impl ModelName {
    /// The default epochs and batch size.
    pub fn defaults(self) -> (u64, usize) {
        match self {
            Self::Mlp => (5, 32),
            Self::Lenet => (5, 64),
            Self::Resnet => (1, 64),
            Self::Lstm => (3, 64),
            Self::Vit => (5, 64),
        }
    }

    /// The layers for images `[28, 28]` and ten classes; `None` for `mlp`, which is made from the options.
    pub fn layers(self) -> Option<Sequential<f32>> {
        match self {
            Self::Mlp => None,
            Self::Lenet => Some(lenet()),
            Self::Resnet => Some(resnet()),
            Self::Lstm => Some(lstm()),
            Self::Vit => Some(vit()),
        }
    }
}

/// LeNet-5 (LeCun et al. 1998) as it is built today: ReLU and maximum pooling.
pub fn lenet() -> Sequential<f32> {
    Sequential::new()
        .then(Reshape::new([1, 28, 28]))
        .then(Conv2d::new(6, 5).padding(2)) // [6, 28, 28]
        .then(Relu)
        .then(MaxPool2d::new(2)) //            [6, 14, 14]
        .then(Conv2d::new(16, 5)) //           [16, 10, 10]
        .then(Relu)
        .then(MaxPool2d::new(2)) //            [16, 5, 5]
        .then(Flatten)
        .then(Dense::new(120))
        .then(Relu)
        .then(Dense::new(84))
        .then(Relu)
        .then(Dense::new(10))
}

/// A 3 by 3 convolution and batch normalisation, which makes a bias superfluous.
fn convolution(channels: usize, stride: usize) -> Sequential<f32> {
    let convolution = Conv2d::new(channels, 3).padding(1).stride(stride).without_bias();
    Sequential::new().then(convolution).then(BatchNorm::new())
}

/// `ReLU(x + f(x))`, or with a stride `ReLU(p(x) + f(x))` for a projection `p` (He et al. 2015).
fn block(channels: usize, stride: usize) -> Sequential<f32> {
    let deep = convolution(channels, stride).then(Relu).then(convolution(channels, 1));
    let block = match stride {
        1 => Sequential::new().then(Residual(deep)),
        _ => {
            let projection = Conv2d::new(channels, 1).stride(stride).without_bias();
            let projection = Sequential::new().then(projection).then(BatchNorm::new());
            Sequential::new().then(Branches::new(Add).branch(projection).branch(deep))
        }
    };
    block.then(Relu)
}

/// Eight convolutions in three residual blocks.
fn resnet() -> Sequential<f32> {
    Sequential::new()
        .then(Reshape::new([1, 28, 28]))
        .then(convolution(16, 2)) //           [16, 14, 14]
        .then(Relu)
        .then(block(16, 1))
        .then(block(32, 2)) //                 [32, 7, 7]
        .then(block(64, 2)) //                 [64, 4, 4]
        .then(GlobalAvgPool::new()) //         [64]
        .then(Dense::new(10))
}

/// An LSTM over the rows of the image.
pub fn lstm() -> Sequential<f32> {
    Sequential::new().then(Lstm::new(128)).then(Dense::new(10))
}

/// A vision transformer (Dosovitskiy et al. 2020) over 16 patches of 7 by 7 pixels.
pub fn vit() -> Sequential<f32> {
    let encoder = || TransformerEncoder::new(4, 128).pre_norm();
    Sequential::new()
        .then(Reshape::new([1, 28, 28]))
        .then(Patches::new(7)) //                         [16, 49]
        .then(TimeDistributed(Dense::new(64))) //         [16, 64]
        .then(ClassToken::new()) //                       [17, 64]
        .then(LearnedPositions::new())
        .then(encoder())
        .then(encoder())
        .then(LayerNorm::new())
        .then(OneStep::first()) //                        [64]
        .then(Dense::new(10))
}
