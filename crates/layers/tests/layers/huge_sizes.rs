//! Layers with more parameters than fit in memory are errors that say so, and nothing overflows. A plan of large
//! samples takes neither their time nor their memory.

use chainrule_core::{Frozen, Graph, Layer, Merge, Plan, Residual, Sequential, ShapeError};
use chainrule_layers::*;
use chainrule_tensor::Shape;

const HUGE: [usize; 4] = [1 << 31, 1 << 40, usize::MAX / 2, usize::MAX];

/// What a model of this layer says.
fn planned(layer: impl Layer<f32> + 'static, input: impl Into<Shape>) -> Result<usize, ShapeError> {
    let mut plan = Plan::new();
    Sequential::<f32>::new().then(layer).plan(input.into(), &mut plan)?;
    Ok(plan.size())
}

fn refused(what: &str, planned: Result<usize, ShapeError>) {
    let error = planned.expect_err(what);
    let message = error.to_string();
    let help = ["choose", "use smaller", "use fewer", "set the multiplier"]
        .iter()
        .any(|help| message.contains(help));
    assert!(error.path().starts_with('0') && help, "{what}: {message}");
}

#[test]
fn sizes_that_cannot_be_counted_are_refused() {
    for huge in HUGE {
        let wide = 1 << 33;
        refused("dense", planned(Dense::new(huge), [wide]));
        refused("dense, one input", planned(Dense::new(usize::MAX), [1]));
        refused("conv 1d", planned(Conv1d::new(huge, 3), [wide, 5]));
        refused("conv 2d", planned(Conv2d::new(huge, 3), [wide, 5, 5]));
        refused("conv transpose", planned(ConvTranspose1d::new(huge, 3), [wide, 5]));
        refused("depthwise", planned(DepthwiseConv1d::new(3).multiplier(huge), [wide, 5]));
        refused("separable", planned(SeparableConv2d::new(huge, 3), [wide, 5, 5]));
    }
    let error = planned(Dense::new(usize::MAX), [3]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "layer 0, Dense(units={max}), expects samples for which its parameters and buffers fit in memory but got [3]: its \
             weight would have the shape [3, {max}]; use smaller samples or fewer units",
            max = usize::MAX
        )
    );
}

#[test]
fn no_channels_do_not_hide_a_huge_axis() {
    for huge in [1 << 32, usize::MAX / 2, usize::MAX] {
        refused("pooling", planned(MaxPool1d::new(2), [0, huge]));
    }
}

#[test]
fn normalisations_without_parameters_are_refused_too() {
    let channels = usize::MAX / 2;
    refused("instances", planned(InstanceNorm::new(), [channels, 2]));
    refused("layers", planned(LayerNorm::new(), [channels]));
    refused("batches", planned(BatchNorm::new(), [channels]));
}

#[test]
fn what_a_layer_keeps_or_adds_is_counted() {
    refused("positions", planned(SinusoidalPositions::new(), [usize::MAX / 2, 2]));
    refused("padding", planned(ZeroPadding1d::new(1), [1, usize::MAX]));
    refused("padding of both ends", planned(CircularPadding1d::new(usize::MAX), [1, usize::MAX]));
    refused("padding without channels", planned(ZeroPadding1d::new(1), [0, usize::MAX]));
}

#[test]
fn a_plan_of_large_samples_is_small() {
    let long = [1, (1 << 32) - 3];
    let tall = [1 << 22, 4, 4];
    let square = [1, 1 << 15, 1 << 15];
    let many = [1 << 40];
    let plans = [
        ("zero padding", planned(ZeroPadding1d::new(1), long)),
        ("constant padding", planned(ConstantPadding2d::new(1, 0.5), square)),
        ("reflection padding", planned(ReflectionPadding1d::new(1), long)),
        ("replication padding", planned(ReplicationPadding1d::new(1), long)),
        ("circular padding", planned(CircularPadding1d::new(1), long)),
        ("cropping", planned(Cropping1d::new(1), long)),
        ("upsampling", planned(UpSampling1d::new(1), long)),
        ("upsampling to a size", planned(UpSampling2d::to_size([1 << 16, 1 << 15]), square)),
        ("linear upsampling", planned(LinearUpSampling1d::new(1), long)),
        ("bilinear upsampling", planned(BilinearUpSampling2d::to_size(1 << 15).align_corners(), square)),
        ("pixel shuffle", planned(PixelShuffle::new(1 << 10), tall)),
        ("pixel unshuffle", planned(PixelUnshuffle::new(1 << 10), square)),
        ("channel shuffle", planned(ChannelShuffle::new(2), many)),
        ("permute", planned(Permute::new([2, 1, 0]), square)),
        ("repeat", planned(RepeatVector::new(1 << 11), [1 << 20])),
        ("unfold", planned(Unfold::new([3, 3]), square)),
        ("maximum pooling", planned(MaxPool1d::new(1), long)),
        ("average pooling", planned(AvgPool1d::new(3).stride(1).padding(1).ceil(), long)),
        ("pooling with gaps", planned(LpPool1d::new(2.0, 2).stride(1).dilation(1 << 31), long)),
        ("adaptive pooling", planned(AdaptiveAvgPool1d::new((1 << 32) - 5), long)),
        ("global pooling", planned(GlobalMaxPool::new(), long)),
        ("positions", planned(SinusoidalPositions::new(), [1 << 20, 1 << 20])),
        ("batch normalisation", planned(BatchNorm::new(), many)),
        ("batches without scales", planned(BatchNorm::new().without_affine(), many)),
        ("layer normalisation", planned(LayerNorm::new(), many)),
        ("layers without scales", planned(LayerNorm::new().without_affine(), many)),
        ("layers without shifts", planned(LayerNorm::new().without_bias(), many)),
        ("rms normalisation", planned(RmsNorm::new(), many)),
        ("group normalisation", planned(GroupNorm::new(2), many)),
        ("instance normalisation", planned(InstanceNorm::new(), [1 << 40, 2])),
        ("unit length", planned(UnitNorm::new(), many)),
        ("local response", planned(LocalResponseNorm::new(1 << 40), many)),
        ("weight normalisation", planned(WeightNorm::new(Dense::new(1 << 15)), many)),
        ("spectral normalisation", planned(SpectralNorm::new(Dense::new(1 << 15)), many)),
        ("frozen", planned(Frozen(Dense::new(1 << 15)), many)),
        ("steps", planned(TimeDistributed(LayerNorm::new()), [1 << 20, 1 << 40])),
        ("residual", planned(Residual(BatchNorm::new()), many)),
        ("glu", planned(Glu::default(), many)),
        ("prelu", planned(Prelu::new().per_channel(0), many)),
        ("maxout", planned(Maxout::new(1 << 30), many)),
        ("graph", planned(Graph::new().layer("a", Dense::new(1 << 15), "input").outputs(["a"]), many)),
    ];
    for (what, plan) in plans {
        assert!(plan.is_ok(), "{what}: {}", plan.unwrap_err());
    }
    let inputs = [Shape::from([1, 1 << 31]), Shape::from([1, 1 << 31])];
    let unpool = MaxUnpool1d::new(MaxPool1d::new(1));
    assert!(Merge::<f32>::plan(&unpool, &inputs, &mut Plan::new()).is_ok());
}

#[test]
fn attention_that_memory_cannot_hold_is_refused_before_it_runs() {
    let steps = 1 << 24;
    let bytes = 8 * (steps * steps + steps / 8) * 4;
    for planned in [
        planned(MultiHeadAttention::new(8), [steps, 64]),
        planned(MultiHeadAttention::new(8).causal().rotary(), [steps, 64]),
        planned(TransformerEncoder::new(8, 64), [steps, 64]),
    ] {
        let message = planned.unwrap_err().to_string();
        assert!(
            message.contains("16777216 x 16777216 weights of each of 8 heads fit in memory"),
            "{message}"
        );
        assert!(message.contains(&format!("they take {bytes} bytes")), "{message}");
        assert!(message.contains("shorter sequences or fewer heads"), "{message}");
    }
    let sequences = [Shape::from([1 << 24, 2]), Shape::from([1 << 20, 2])];
    let planned = Merge::<f64>::plan(&DotProductAttention::new(), &sequences, &mut Plan::new());
    let message = planned.unwrap_err().to_string();
    assert!(message.contains(&format!("take {} bytes", 8 * ((1u64 << 44) + (1 << 20)))), "{message}");
    // Several layers that fit alone, but not together.
    let memory = chainrule_tensor::memory_limit().unwrap_or(1 << 30);
    let steps = (memory / 4 / 3).isqrt() as usize;
    let block = || MultiHeadAttention::new(1);
    let layers = Sequential::<f32>::new().then(block()).then(block()).then(block()).then(block());
    if let Err(error) = layers.plan([steps, 1].into(), &mut Plan::new()) {
        assert!(["1", "2", "3"].contains(&error.path()), "{error}");
        assert!(error.to_string().contains("all layers up to this one"), "{error}");
    } else {
        assert!(chainrule_tensor::memory_limit().is_none());
    }
}

#[test]
fn a_merge_refuses_by_itself() {
    let inputs = [Shape::from([1 << 31]), Shape::from([1 << 31])];
    let planned = Merge::<f32>::plan(&Bilinear::new(1 << 31), &inputs, &mut Plan::new());
    assert!(planned.unwrap_err().to_string().contains("use smaller samples or fewer units"));
}

#[test]
fn parameters_are_counted_together() {
    // Each is within the bounds, but not all of them.
    let units = (isize::MAX as usize / 8) / 3;
    let layers = (0..4).fold(Sequential::<f32>::new(), |layers, _| {
        layers.then(Dense::new(units).without_bias()).then(Dense::new(1))
    });
    let error = layers.plan([1].into(), &mut Plan::new()).unwrap_err();
    assert_eq!(error.path(), "2", "{error}");
}
