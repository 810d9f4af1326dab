//! How far apart the cores are: how long one waits for what another has written.
//!
//! Cores with a common cache hand a line over in some tens of nanoseconds, others in some hundreds. A virtual machine may
//! be moved from the one kind to the other at any moment. Threads that train a small network meet several times a step
//! and read what the others have written, so it decides how much they gain.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Cores that take longer have no cache in common: here they took about 25 nanoseconds or about 200.
const FAR: f64 = 100.0;

/// Whether cores that take so many nanoseconds have no cache in common.
pub(crate) fn is_far(nanoseconds: f64) -> bool {
    nanoseconds > FAR
}

/// How often a line goes to the other core and back in one look.
const TURNS: u32 = 200;

/// How many looks there are; the best counts, since in any of them something else may want a core.
const LOOKS: u32 = 8;

/// How often a thread looks whether it is its turn before it lets others have the core.
const SPINS: u32 = 2_000;

/// A place on a line of its own (two, since CPUs fetch them in pairs).
#[repr(align(128))]
struct Line(AtomicU32);

impl Line {
    fn wait_for(&self, turn: u32) {
        let mut spins = 0;
        while self.0.load(Ordering::Acquire) != turn {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// Nanoseconds from this core to that of another thread, wherever the system lets it run.
pub(crate) fn nanoseconds() -> f64 {
    let line = Line(AtomicU32::new(0));
    let all = 2 * TURNS * LOOKS;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in (1..all).step_by(2) {
                line.wait_for(turn);
                line.0.store(turn + 1, Ordering::Release);
            }
        });
        let look = |look: u32| {
            let begin = Instant::now();
            for turn in (2 * TURNS * look..2 * TURNS * (look + 1)).step_by(2) {
                line.0.store(turn + 1, Ordering::Release);
                line.wait_for(turn + 2);
            }
            1e9 * begin.elapsed().as_secs_f64() / f64::from(2 * TURNS)
        };
        (0..LOOKS).map(look).fold(f64::INFINITY, f64::min)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_goes_to_and_fro() {
        let nanoseconds = super::nanoseconds();
        assert!(nanoseconds > 0.0 && nanoseconds.is_finite(), "{nanoseconds}");
    }
}
