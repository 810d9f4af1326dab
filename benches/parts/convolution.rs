//! The convolutions of LeNet-5 for one of two shards of a batch of 64, forward and backward, against their products on a
//! matrix of the patches (im2col), without the time that it takes to make this matrix.

use chainrule::layers::Conv2d;
use chainrule::tensor::blas;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

use crate::layer_passes::LayerPasses;
use crate::matrix;

const SAMPLES: usize = 32;

/// A convolution of 5 by 5, and the sizes of its products: its depth is channels times the area of the kernel.
struct Convolution {
    name: &'static str,
    input: [usize; 3],
    padding: usize,
    filters: usize,
    depth: usize,
    pixels: usize,
    /// Whether it is the first layer of a network, which needs no gradient of its input.
    first: bool,
}

const CONVOLUTIONS: [Convolution; 2] = [
    Convolution {
        name: "6@5x5 over 1x28x28",
        input: [1, 28, 28],
        padding: 2,
        filters: 6,
        depth: 25,
        pixels: 784,
        first: true,
    },
    Convolution {
        name: "16@5x5 over 6x14x14",
        input: [6, 14, 14],
        padding: 0,
        filters: 16,
        depth: 150,
        pixels: 100,
        first: false,
    },
];

pub(crate) fn benches(criterion: &mut Criterion) {
    for convolution in &CONVOLUTIONS {
        let Convolution { name, filters, depth, pixels, first, .. } = *convolution;
        let flops = 2 * (SAMPLES * filters * depth * pixels) as u64;
        let mut group = criterion.benchmark_group(format!("{name}, forward"));
        group.throughput(Throughput::Elements(flops));
        layer(&mut group, convolution, false);
        products(&mut group, convolution, false);
        group.finish();
        let mut group = criterion.benchmark_group(format!("{name}, backward"));
        group.throughput(Throughput::Elements(if first { flops } else { 2 * flops }));
        layer(&mut group, convolution, true);
        products(&mut group, convolution, true);
        group.finish();
    }
}

/// Our layer.
fn layer(group: &mut BenchmarkGroup<'_, WallTime>, convolution: &Convolution, backward: bool) {
    let &Convolution { input, padding, filters, first, .. } = convolution;
    LayerPasses::new(Conv2d::new(filters, 5).padding(padding), input, SAMPLES, first)
        .bench(group, "ours", backward);
}

/// The bare products: one per sample, and one per batch.
fn products(group: &mut BenchmarkGroup<'_, WallTime>, convolution: &Convolution, backward: bool) {
    let &Convolution { filters, depth, pixels, first, .. } = convolution;
    let w = matrix(filters, depth);
    let mut dw = matrix(filters, depth);
    for (name, count, columns) in
        [("products, one per sample", SAMPLES, pixels), ("products, one per batch", 1, SAMPLES * pixels)]
    {
        let many = |rows| vec![matrix(rows, columns); count];
        let (patches, mut dpatches, mut y) = (many(depth), many(depth), many(filters));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for ((patches, dpatches), y) in patches.iter().zip(&mut dpatches).zip(&mut y) {
                    if !backward {
                        blas::gemm(1.0, w.view(), patches.view(), 0.0, y.view_mut());
                        continue;
                    }
                    blas::gemm(1.0, y.view(), patches.t(), 1.0, dw.view_mut());
                    if !first {
                        blas::gemm(1.0, w.t(), y.view(), 0.0, dpatches.view_mut());
                    }
                }
            });
        });
    }
}
