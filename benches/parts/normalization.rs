//! Layers that sum many values, forward and backward, against a copy of the bytes that they read and write at least.

use chainrule::core::Layer;
use chainrule::layers::{BatchNorm, GlobalAvgPool, GroupNorm, LayerNorm, RmsNorm};
use chainrule::tensor::Shape;
use criterion::Criterion;

use crate::copy;
use crate::layer_passes::LayerPasses;

const SAMPLES: usize = 32;

pub(crate) fn benches(criterion: &mut Criterion) {
    layer(criterion, "LayerNorm over 64 values", LayerNorm::new(), &[17, 64]);
    layer(criterion, "LayerNorm over 1024 values", LayerNorm::new(), &[8, 1024]);
    layer(criterion, "RmsNorm over 512 values", RmsNorm::new(), &[16, 512]);
    layer(criterion, "GroupNorm of 32x28x28", GroupNorm::new(8), &[32, 28, 28]);
    layer(criterion, "BatchNorm of 32x28x28", BatchNorm::new(), &[32, 28, 28]);
    layer(criterion, "BatchNorm of 512", BatchNorm::new(), &[512]);
    layer(criterion, "GlobalAvgPool of 32x56x56", GlobalAvgPool::new(), &[32, 56, 56]);
}

fn layer(criterion: &mut Criterion, name: &str, layer: impl Layer<f32>, input: &[usize]) {
    let shape = Shape::new(input).expect("at most six axes");
    let bytes = SAMPLES * shape.size() * size_of::<f32>();
    let mut passes = LayerPasses::new(layer, shape, SAMPLES, false);
    for (pass, is_backward, moved) in [("forward", false, 2), ("backward", true, 3)] {
        let mut group = criterion.benchmark_group(format!("{name}, {pass}"));
        passes.bench(&mut group, "ours", is_backward);
        copy(&mut group, "copying", moved * bytes);
        group.finish();
    }
}
