//! The parts of a training step, each beside what it cannot be faster than: a bare BLAS call, or a copy.

use std::hint::black_box;

use chainrule::optim::{Kind, Update};
use chainrule::prelude::*;
use chainrule::tensor::{Buffer, FlushDenormals, Real, blas, gemm, vector};
use criterion::{BenchmarkId, Criterion, Throughput};
use ndarray::{Array2, linalg::general_mat_mul};

fn matrix(rows: usize, columns: usize) -> Array2<f32> {
    let mut rng = Seed((rows * columns) as u64).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.uniform() as f32 - 0.5)
}

/// Our product beside one BLAS call, on the shapes of the works of `cargo xtask bench`.
fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gemm");
    for (m, n, k) in
        [(16, 64, 784), (64, 64, 784), (784, 64, 64), (64, 512, 784), (784, 512, 64), (32, 16, 32)]
    {
        let (a, b, mut c) = (matrix(m, k), matrix(k, n), matrix(m, n));
        group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
        group.bench_function(BenchmarkId::new("ours", format!("{m}x{n}x{k}")), |bencher| {
            bencher.iter(|| gemm(1.0, a.view(), b.view(), 0.0, c.view_mut()));
        });
        group.bench_function(BenchmarkId::new("one call", format!("{m}x{n}x{k}")), |bencher| {
            bencher.iter(|| general_mat_mul(1.0, &a, &b, 0.0, &mut c));
        });
    }
    group.finish();
}

/// Functions of 4,096 numbers beside copying them.
fn functions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("4096 values");
    let (x, mut y) = (matrix(64, 64), matrix(64, 64));
    group.throughput(Throughput::Elements(4096));
    macro_rules! map {
        ($($name:literal: $f:expr),*) => {$(
            group.bench_function($name, |bencher| bencher.iter(|| vector::map(x.view(), y.view_mut(), $f)));
        )*};
    }
    map!("copy": |x| x, "std exp": f32::exp, "std tanh": f32::tanh, "std ln_1p": f32::ln_1p);
    map!("exp": Real::fast_exp, "tanh": Real::fast_tanh, "sigmoid": Real::fast_sigmoid, "ln_1p": Real::fast_ln_1p);
    group.finish();
}

/// One step of each optimizer over 55,050 and 10 million parameters, beside copying them.
fn optimizers(criterion: &mut Criterion) {
    let optimizers: [(&str, Box<dyn Optimizer<f32>>); 5] = [
        ("sgd", Box::new(sgd(0.1))),
        ("momentum", Box::new(sgd(0.1).momentum(0.9))),
        ("adam", Box::new(adam(1e-3))),
        ("adamw", Box::new(adamw(1e-3))),
        ("rmsprop", Box::new(rmsprop(1e-3))),
    ];
    for size in [55_050, 10_000_000] {
        let mut group = criterion.benchmark_group(format!("{size} parameters"));
        group.throughput(Throughput::Elements(size as u64)).sample_size(20);
        let (mut params, mut grads) = (Buffer::<f32>::zeros(size), Buffer::zeros(size));
        grads.fill(1e-3);
        group.bench_function("copy", |bencher| bencher.iter(|| params.copy_from_slice(black_box(&grads))));
        for (name, optimizer) in &optimizers {
            let mut state = Buffer::zeros(optimizer.slots() * size);
            group.bench_function(*name, |bencher| {
                let _flush = FlushDenormals::new();
                let mut step = 0;
                bencher.iter(|| {
                    let (params, grads, state) = (&mut *params, &mut *grads, &mut *state);
                    optimizer.update(Update { step, kind: Kind::Weight, params, grads, state });
                    step += 1;
                });
            });
        }
        group.finish();
    }
}

/// The loss of a batch of 32 with its gradient, and the gathering of its images.
fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a batch of 32");
    let (logits, mut gradient) = (matrix(32, 10), matrix(32, 10));
    let targets: Vec<u8> = (0..32).map(|row| row % 10).collect();
    let loss = CrossEntropy::default();
    group.bench_function("cross-entropy", |bencher| {
        bencher.iter(|| loss.loss(logits.view(), &targets, 1.0 / 32.0, Some(gradient.view_mut())));
    });
    let images = digits(10_000, Seed(1));
    let mut rows = Buffer::<f32>::zeros(32 * 784);
    let mut order: Vec<usize> = (0..10_000).collect();
    Seed(2).rng().shuffle(&mut order);
    let mut batches = order.chunks_exact(32).cycle();
    group.bench_function("gather", |bencher| {
        bencher.iter(|| {
            let indices = batches.next().unwrap_or_default();
            for (row, &index) in rows.chunks_exact_mut(784).zip(indices) {
                black_box(images.read(index, row));
            }
        });
    });
    group.finish();
}

fn main() {
    if let Some(warning) = blas::use_best_kernel() {
        eprintln!("warning: {warning}");
    }
    blas::set_threads(1);
    let mut criterion = Criterion::default().configure_from_args();
    products(&mut criterion);
    functions(&mut criterion);
    optimizers(&mut criterion);
    batch(&mut criterion);
    criterion.final_summary();
}
