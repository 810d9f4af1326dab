//! The products of the dense workloads of `cargo xtask bench`: ours against one BLAS call.

use chainrule::tensor::{blas, gemm};
use criterion::{Criterion, Throughput};
use ndarray::ArrayView2;

use crate::matrix;

/// The sizes of the layers, and the rows of one of two shards.
const WORKLOADS: [(&str, &[usize], usize); 4] = [
    ("mlp32", &[784, 64, 64, 10], 16),
    ("mlp128", &[784, 64, 64, 10], 64),
    ("wide128", &[784, 512, 512, 10], 64),
    ("tiny", &[4, 32, 16, 4], 32),
];

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, sizes, rows) in WORKLOADS {
        for (layer, pair) in sizes.windows(2).enumerate() {
            let (inputs, units) = (pair[0], pair[1]);
            let x = matrix(rows, inputs);
            let w = matrix(inputs, units);
            let dy = matrix(rows, units);
            let shape = format!("{name}, {rows} rows of {inputs} to {units}");
            product(criterion, format!("{shape}, Y = X W"), x.view(), w.view());
            product(criterion, format!("{shape}, dW = Xᵀ dY"), x.t(), dy.view());
            if layer > 0 {
                product(criterion, format!("{shape}, dX = dY Wᵀ"), dy.view(), w.t());
            }
        }
    }
}

fn product(criterion: &mut Criterion, name: String, a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) {
    let ((m, k), n) = (a.dim(), b.ncols());
    let mut c = matrix(m, n);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| gemm(1.0, a, b, 0.0, c.view_mut())));
    group
        .bench_function("one BLAS call", |bencher| bencher.iter(|| blas::gemm(1.0, a, b, 0.0, c.view_mut())));
    group.finish();
}
