//! Layers of more parameters than memory has places for are errors that say so, and nothing wraps around.

use chainrule_layer::{Joint, Layer, Plan, Sequential, ShapeError};
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
    assert!(error.path().starts_with('0') && error.to_string().contains("choose"), "{what}: {error}");
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
            "layer 0, {:?}, takes samples whose parameters can be counted, and have places in memory, but is given [3]: its \
             weight would be [3, {}]; take smaller samples, or choose fewer units",
            Dense::new(usize::MAX),
            usize::MAX
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
    refused("padding without channels", planned(ZeroPadding1d::new(1), [0, usize::MAX]));
}

#[test]
fn a_joint_says_so_itself() {
    let inputs = [Shape::from([1 << 31]), Shape::from([1 << 31])];
    let planned = Joint::<f32>::plan(&Bilinear::new(1 << 31), &inputs, &mut Plan::new());
    assert!(planned.unwrap_err().to_string().contains("choose fewer units"));
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
