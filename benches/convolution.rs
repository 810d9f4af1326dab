//! The convolutions of LeNet-5 for the samples of one of two shards of a batch of 64: the products that they take
//! when the patches under the kernels are laid out as a matrix, without the laying out.

use chainrule::tensor::blas;
use chainrule_benches::{matrix, run};
use criterion::{Criterion, Throughput};

const SAMPLES: usize = 32;

/// Filters, depth (channels times the area of the kernel) and pixels of the output.
const CONVOLUTIONS: [(&str, usize, usize, usize); 2] =
    [("6@5x5 over 1x28x28", 6, 25, 784), ("16@5x5 over 6x14x14", 16, 150, 100)];

fn benches(criterion: &mut Criterion) {
    for (name, filters, depth, pixels) in CONVOLUTIONS {
        let (w, mut dw) = (matrix(filters, depth), matrix(filters, depth));
        let samples = |rows| vec![matrix(rows, pixels); SAMPLES];
        let (patches, mut dpatches, mut y) = (samples(depth), samples(depth), samples(filters));
        let mut group = criterion.benchmark_group(name);
        let flops = 2 * (SAMPLES * filters * depth * pixels) as u64;
        group.throughput(Throughput::Elements(flops));
        group.bench_function("products forward, one a sample", |bencher| {
            bencher.iter(|| {
                for (patches, y) in patches.iter().zip(&mut y) {
                    blas::gemm(1.0, w.view(), patches.view(), 0.0, y.view_mut());
                }
            });
        });
        group.throughput(Throughput::Elements(2 * flops));
        group.bench_function("products backward, one a sample", |bencher| {
            bencher.iter(|| {
                for ((patches, dpatches), dy) in patches.iter().zip(&mut dpatches).zip(&y) {
                    blas::gemm(1.0, dy.view(), patches.t(), 1.0, dw.view_mut());
                    blas::gemm(1.0, w.t(), dy.view(), 0.0, dpatches.view_mut());
                }
            });
        });
        let (patches, mut dpatches) = (matrix(depth, SAMPLES * pixels), matrix(depth, SAMPLES * pixels));
        let mut y = matrix(filters, SAMPLES * pixels);
        group.throughput(Throughput::Elements(flops));
        group.bench_function("products forward, one a batch", |bencher| {
            bencher.iter(|| blas::gemm(1.0, w.view(), patches.view(), 0.0, y.view_mut()));
        });
        group.throughput(Throughput::Elements(2 * flops));
        group.bench_function("products backward, one a batch", |bencher| {
            bencher.iter(|| {
                blas::gemm(1.0, y.view(), patches.t(), 1.0, dw.view_mut());
                blas::gemm(1.0, w.t(), y.view(), 0.0, dpatches.view_mut());
            });
        });
        group.finish();
    }
}

fn main() {
    run(benches);
}
