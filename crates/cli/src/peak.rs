//! The sgemm peak: the speed that products in single precision reach on this machine.

use std::io;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread::{self, Builder};
use std::time::Instant;

use chainrule::tensor::{Seed, blas};
use ndarray::Array2;

/// The side of the square matrices that [`sgemm`] multiplies.
pub const SIDE: usize = 1024;

/// How often [`sgemm`] multiplies them; the best time counts.
pub const ROUNDS: usize = 12;

/// GFLOP/s of BLAS products on this many threads at once, each with matrices of its own.
///
/// # Errors
///
/// If the system refuses the threads or the memory of their products.
pub fn sgemm(threads: usize) -> io::Result<f64> {
    best(Products { threads, side: SIDE, rounds: ROUNDS })
}

/// An estimate of [`sgemm`] for one thread that takes a few milliseconds.
///
/// # Errors
///
/// If the system refuses the memory of a product.
pub fn quick_estimate() -> io::Result<f64> {
    best(Products { threads: 1, side: SIDE / 2, rounds: 4 })
}

/// What is multiplied: square matrices on each of the threads.
struct Products {
    threads: usize,
    side: usize,
    rounds: usize,
}

fn best(Products { threads, side, rounds }: Products) -> io::Result<f64> {
    blas::set_threads(1);
    blas::reserve(threads).map_err(io::Error::other)?;
    let barrier = Barrier::new(threads);
    // Locked until it is known whether all threads could be started: at the barrier they would wait for one that could not.
    let all_started = Mutex::new(false);
    let work = || {
        if !*all_started.lock().unwrap_or_else(PoisonError::into_inner) {
            return Vec::new();
        }
        let matrix = |seed| {
            let mut rng = Seed(seed).rng();
            Array2::from_shape_simple_fn((side, side), || rng.uniform() as f32 - 0.5)
        };
        let a = matrix(1);
        let b = matrix(2);
        let mut c = matrix(3);
        let time = |_| {
            barrier.wait();
            let begin = Instant::now();
            blas::gemm(1.0, a.view(), b.view(), 0.0, c.view_mut());
            begin.elapsed().as_secs_f64()
        };
        (0..rounds).map(time).collect::<Vec<_>>()
    };
    let times: Vec<Vec<f64>> = thread::scope(|scope| {
        let mut started = all_started.lock().unwrap_or_else(PoisonError::into_inner);
        let spawn = |_| Builder::new().spawn_scoped(scope, work);
        let threads: Vec<_> = (0..threads).map(spawn).collect::<io::Result<_>>()?;
        *started = true;
        drop(started);
        Ok::<_, io::Error>(threads.into_iter().filter_map(|thread| thread.join().ok()).collect())
    })?;
    // A round takes as long as its slowest thread.
    let round = |round: usize| times.iter().map(|times| times[round]).fold(0.0, f64::max);
    let seconds = (0..rounds).map(round).fold(f64::INFINITY, f64::min);
    Ok(2.0 * (side as f64).powi(3) * threads as f64 / seconds / 1e9)
}
