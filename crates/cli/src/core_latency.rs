//! Core-to-core latency: how long a core waits for a value that another core has written.
//!
//! Cores that share a cache hand over a cache line in some tens of nanoseconds, others in some hundreds. The host of a
//! virtual machine may move it from the one kind to the other at any moment. Threads that train a small network meet
//! several times a step and read what the others have written, so the latency decides how much they gain.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Nanoseconds above which cores share no cache: measured were about 25 with and about 200 without one.
const FAR: f64 = 100.0;

/// Whether cores with this latency share no cache.
pub fn is_far(nanoseconds: f64) -> bool {
    nanoseconds > FAR
}

/// How often a cache line goes to the other core and back in one trial.
const TURNS: u32 = 200;

/// The number of trials; the best counts, since another program may take a core during any of them.
const TRIALS: u32 = 8;

/// How often a thread checks whether it is its turn before it yields the core.
const SPINS: u32 = 2_000;

/// A counter on a cache line of its own (two, since CPUs fetch them in pairs).
#[repr(align(128))]
struct SharedCounter(AtomicU32);

impl SharedCounter {
    fn wait_for(&self, turn: u32) {
        let mut spins = 0;
        while self.0.load(Ordering::Acquire) != turn {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// The latency in nanoseconds from this core to that of another thread, wherever the system lets it run; `None` if the system
/// starts no thread.
pub fn nanoseconds() -> Option<f64> {
    let counter = SharedCounter(AtomicU32::new(0));
    let all = 2 * TURNS * TRIALS;
    std::thread::scope(|scope| {
        let answer = || {
            for turn in (1..all).step_by(2) {
                counter.wait_for(turn);
                counter.0.store(turn + 1, Ordering::Release);
            }
        };
        std::thread::Builder::new().spawn_scoped(scope, answer).ok()?;
        let trial = |trial: u32| {
            let begin = Instant::now();
            for turn in (2 * TURNS * trial..2 * TURNS * (trial + 1)).step_by(2) {
                counter.0.store(turn + 1, Ordering::Release);
                counter.wait_for(turn + 2);
            }
            1e9 * begin.elapsed().as_secs_f64() / f64::from(2 * TURNS)
        };
        Some((0..TRIALS).map(trial).fold(f64::INFINITY, f64::min))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cache_line_goes_back_and_forth() {
        let nanoseconds = super::nanoseconds().unwrap();
        assert!(nanoseconds > 0.0 && nanoseconds.is_finite(), "{nanoseconds}");
    }
}
