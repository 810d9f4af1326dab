//! What errors call each layer, and how they read.

use chainrule_core::{Layer, Merge, Plan, Sequential};
use chainrule_layers::*;
use chainrule_tensor::Shape;

fn name(layer: impl Layer<f32>) -> String {
    layer.label().to_string()
}

#[test]
fn layers_are_called_what_users_call_them() {
    for (found, right) in [
        (name(Dense::new(0)), "Dense(units=0)"),
        (name(Dense::keras(64).without_bias()), "Dense(units=64)"),
        (name(Relu), "Relu"),
        (name(LeakyRelu::new(0.3)), "LeakyRelu(negative_slope=0.3)"),
        (name(SwiGlu::default()), "Gated(gate=Silu)"),
        (name(Prelu::new()), "Prelu(shared=All)"),
        (name(Conv2d::new(8, 3)), "Conv2d(channels=8, kernel=[3, 3])"),
        (
            name(Conv1d::new(8, 3).stride(2).padding(1)),
            "Conv1d(channels=8, kernel=[3], stride=[2], padding=Explicit([[1, 1]]))",
        ),
        (name(ConvTranspose3d::new(2, 1)), "ConvTranspose3d(channels=2, kernel=[1, 1, 1])"),
        (name(DepthwiseConv2d::new(3)), "DepthwiseConv2d(kernel=[3, 3])"),
        (name(MaxPool2d::new(2)), "MaxPool2d(kernel=[2, 2])"),
        (
            name(AvgPool1d::new(3).padding(1).exclude_padding().ceil()),
            "AvgPool1d(exclude_padding=true, kernel=[3], padding=[1], ceil=true)",
        ),
        (name(LpPool2d::new(0.5, 2)), "LpPool2d(p=0.5, kernel=[2, 2])"),
        (name(AdaptiveAvgPool2d::new(0)), "AdaptiveAvgPool2d(output=[0, 0])"),
        (name(GlobalMaxPool::new()), "GlobalMaxPool"),
        (name(ZeroPadding2d::new(1)), "ZeroPadding2d(sides=[[1, 1], [1, 1]])"),
        (name(ConstantPadding1d::new(1, f64::NAN)), "ConstantPadding1d(value=NaN, sides=[[1, 1]])"),
        (name(Cropping2d::new(1)), "Cropping2d(sides=[[1, 1], [1, 1]])"),
        (name(UpSampling2d::new(2)), "UpSampling2d(size=Factors([2, 2]))"),
        (name(Reshape::new([Some(3), None])), "Reshape(axes=[3, None])"),
        (name(Flatten), "Flatten"),
        (name(Dropout::new(1.5)), "Dropout(p=1.5)"),
        (name(Lstm::new(5).sequences()), "Lstm(units=5, sequences=true)"),
        (name(Rnn::new(5)), "Rnn(with=Tanh, units=5)"),
        (name(TimeDistributed(Dense::new(3))), "TimeDistributed(Dense(units=3))"),
        (name(MultiHeadAttention::new(4).causal()), "MultiHeadAttention(heads=4, bias=true, causal=true)"),
        (
            name(TransformerEncoder::new(2, 8)),
            "TransformerEncoder(heads=2, attention=MultiHeadAttention(heads=2, bias=true), feedforward=8, activation=Relu, dropout=0.1)",
        ),
        (name(WeightNorm::new(Dense::new(3))), "WeightNorm(layer=Dense(units=3))"),
        (name(Embedding::new(5, 2)), "Embedding(vocabulary=5, size=2)"),
        (name(BatchNorm::new()), "BatchNorm(momentum=0.1, epsilon=1e-5, unbiased=true)"),
        (name(Sequential::<f32>::new().then(Relu).then(Relu)), "Sequential of 2 layers"),
        (Merge::<f32>::label(&Add).to_string(), "Add"),
        (Merge::<f32>::label(&Bilinear::new(3)).to_string(), "Bilinear(units=3, bias=true)"),
    ] {
        assert_eq!(found, right);
    }
}

#[test]
fn errors_read_as_sentences() {
    fn error(layer: impl Layer<f32>, input: &[usize]) -> String {
        let layers = Sequential::new().then(Identity).then(layer);
        layers.plan(Shape::new(input).unwrap(), &mut Plan::new()).unwrap_err().to_string()
    }
    for (found, right) in [
        (
            error(Dense::new(0), &[784]),
            "layer 1, Dense(units=0), needs a number of units of at least 1: with 0 nothing would be left; choose another",
        ),
        (
            error(Dense::keras(10), &[28, 28]),
            "layer 1, Dense(units=10), expects a vector, [features] but got [28, 28]: put Flatten before it",
        ),
        (
            error(Dropout::new(1.5), &[784]),
            "layer 1, Dropout(p=1.5), needs a p from 0 to below 1: choose a probability of at least 0 and below 1",
        ),
        (
            error(Conv2d::new(8, 0), &[1, 28, 28]),
            "layer 1, Conv2d(channels=8, kernel=[0, 0]), needs a kernel, a stride and a dilation of at least 1: set kernel, \
             stride and dilation to at least 1",
        ),
        (
            error(LayerNorm::new(), &[1]),
            "layer 1, LayerNorm(axes=Last(1), epsilon=1e-5), expects samples in which at least two values are normalised \
             together but got [1]: there is nothing to normalise: a single value is its own mean, so the output would be \
             the same for every sample; normalise over more values, or leave the layer out",
        ),
    ] {
        assert_eq!(found, right);
    }
    // Alone, a layer is the model.
    let alone = Layer::<f32>::plan(&Dense::new(3), [2, 2].into(), &mut Plan::new()).unwrap_err();
    assert!(alone.to_string().starts_with("the model expects a vector"), "{alone}");
}
