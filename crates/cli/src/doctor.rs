//! `chainrule doctor`: what a bug report about speed should say.

use std::error::Error;
use std::time::Instant;

use chainrule::tensor::{blas, gemm, isa};
use ndarray::Array2;

/// The side of the matrices whose product is timed.
const SIDE: usize = 1024;

/// How often it is timed; the best time counts.
const ROUNDS: usize = 12;

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let cores = std::thread::available_parallelism()?.get();
    println!(
        "chainrule     {}{}",
        env!("CARGO_PKG_VERSION"),
        if cfg!(debug_assertions) { ", debug build" } else { "" }
    );
    println!("system        {} {}", std::env::consts::OS, std::env::consts::ARCH);
    println!("cores         {cores}");
    println!("instructions  {:?}", isa::level());
    println!("BLAS          {}", blas::Blas::current());
    match blas::advice() {
        Some(advice) => println!("kernel        OLD: {advice}"),
        None => println!("kernel        fits the CPU, as far as is known"),
    }
    if let Ok(chosen) = std::env::var("OPENBLAS_CORETYPE") {
        println!("environment   OPENBLAS_CORETYPE={chosen}");
    }
    blas::set_threads(1);
    let one = peak(1);
    println!("sgemm peak    {one:.0} GFLOP/s on 1 thread ({SIDE} x {SIDE}, best of {ROUNDS})");
    if cores > 1 {
        let all = peak(cores);
        println!("              {all:.0} GFLOP/s on {cores} threads side by side ({:.2} times)", all / one);
    }
    Ok(())
}

/// GFLOP/s of products on this many threads at once, each with its own matrices.
fn peak(threads: usize) -> f64 {
    let work = || {
        let matrix = |seed| {
            let mut rng = chainrule::tensor::Seed(seed).rng();
            Array2::from_shape_simple_fn((SIDE, SIDE), || rng.uniform() as f32 - 0.5)
        };
        let (a, b, mut c) = (matrix(1), matrix(2), matrix(3));
        let time = |_| {
            let begin = Instant::now();
            gemm(1.0, a.view(), b.view(), 0.0, c.view_mut());
            begin.elapsed().as_secs_f64()
        };
        (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min)
    };
    let flops = 2.0 * (SIDE as f64).powi(3);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // A thread that died has no rate to add.
        threads.into_iter().filter_map(|thread| thread.join().ok()).map(|seconds| flops / seconds / 1e9).sum()
    })
}
