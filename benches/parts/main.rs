//! Criterion benches of chainrule's parts, each against what it cannot be faster than: a bare BLAS call, or a copy of
//! the bytes that it moves.
//!
//! `cargo bench -p chainrule-benches` runs all of them; a word of a name, as in `cargo bench -p chainrule-benches --
//! adam`, runs those with that word. Whole training steps are measured by `cargo xtask bench`, and other frameworks by
//! the programs in `benches/peers`.

mod convolution;
mod files;
mod functions;
mod gather;
mod gemm;
mod layer_passes;
mod loss;
mod normalization;
mod optimizers;
mod reduction;
mod sparse;

use std::time::Duration;

use chainrule::tensor::{Buffer, Seed, blas, simd};
use chainrule_cli::terminal;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use ndarray::Array2;

/// Runs the benches with one thread and the best kernel of the BLAS.
fn main() {
    if let Some(warning) = blas::insist_on_best_kernel() {
        terminal::note(format_args!("warning: {warning}"));
    }
    if let Err(warning) = simd::check_level() {
        terminal::note(format_args!("warning: {warning}"));
    }
    blas::set_threads(1);
    let criterion = Criterion::default().warm_up_time(Duration::from_millis(300));
    let mut criterion = criterion.measurement_time(Duration::from_secs(1)).configure_from_args();
    convolution::benches(&mut criterion);
    files::benches(&mut criterion);
    functions::benches(&mut criterion);
    gather::benches(&mut criterion);
    gemm::benches(&mut criterion);
    loss::benches(&mut criterion);
    normalization::benches(&mut criterion);
    optimizers::benches(&mut criterion);
    reduction::benches(&mut criterion);
    sparse::benches(&mut criterion);
    criterion.final_summary();
}

/// A matrix of random values from -0.5 to 0.5.
fn matrix(rows: usize, columns: usize) -> Array2<f32> {
    let mut rng = Seed((rows * columns) as u64).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.uniform() as f32 - 0.5)
}

/// The baseline of what moves memory: a copy that moves this number of bytes, half of them read and half written.
fn copy(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, bytes: usize) {
    let values = bytes / 2 / size_of::<f32>();
    let mut to = Buffer::<f32>::zeros(values);
    let mut from = Buffer::zeros(values);
    from.fill(1.0);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| std::hint::black_box(&mut to).copy_from_slice(std::hint::black_box(&from)));
    });
}
