//! The convolutions of LeNet-5 for one of two shards of a batch of 64, forward and backward, against their products on a
//! matrix of the patches (im2col), without the time that it takes to make this matrix.

use chainrule::core::runner::GradsExt;
use chainrule::core::{Backward, Forward, Grads, Layer, Mode, Params, Plan};
use chainrule::layers::Conv2d;
use chainrule::prelude::*;
use chainrule::tensor::{Buffer, blas};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

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
    let &Convolution { input, padding, filters, pixels, first, .. } = convolution;
    let conv = Conv2d::new(filters, 5).padding(padding);
    let mut plan = Plan::new();
    let planned = Layer::<f32>::plan(&conv, input.into(), &mut plan);
    let (output, mut cache) = planned.expect("a kernel that fits");
    assert_eq!(output.size(), filters * pixels);
    let (mut params, mut grads) = (Buffer::zeros(plan.size()), Buffer::zeros(plan.size()));
    plan.init(Seed(1), &mut params);
    let x = matrix(SAMPLES, input.iter().product());
    let (mut y, mut dx, dy) = (matrix(SAMPLES, output.size()), x.clone(), matrix(SAMPLES, output.size()));
    let mut forward = || {
        conv.forward(Forward {
            params: Params::new(&params),
            x: x.view(),
            y: y.view_mut(),
            cache: &mut cache,
            mode: Mode::Train { seed: Seed(1), first_row: 0 },
        });
    };
    if !backward {
        group.bench_function("ours", |bencher| bencher.iter(&mut forward));
        return;
    }
    forward();
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            conv.backward(Backward {
                params: Params::new(&params),
                grads: Grads::fresh(&mut grads),
                x: x.view(),
                y: y.view(),
                dy: dy.view(),
                dx: (!first).then(|| dx.view_mut()),
                cache: &mut cache,
                share: 1.0,
            });
        });
    });
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
