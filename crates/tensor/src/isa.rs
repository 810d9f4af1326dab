//! The CPU's vector instructions, chosen while the program runs.
//!
//! A crate built for any x86-64 may use nothing newer than SSE2 (2001). The same loop built for AVX-512 is
//! up to ten times as fast, and few people pass `-C target-cpu`. So every loop over many numbers in this
//! workspace is written once, as plain Rust, and goes through `run`, which holds a copy of it compiled
//! for AVX-512, one for AVX2 and one for any CPU, and calls the best that this CPU has.
//!
//! Products and sums are not fused into one instruction: fusing would give different last bits on
//! different CPUs.

use std::sync::atomic::{AtomicU8, Ordering};

/// A loop to be compiled once for each set of instructions. `run` must be `#[inline(always)]`.
pub(crate) trait Kernel {
    type Output;
    fn run(self) -> Self::Output;
}

/// The sets of instructions told apart here, from old to new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What every CPU of this architecture has.
    Baseline = 1,
    /// x86-64 with AVX2 and FMA (Haswell, Zen).
    Avx2 = 2,
    /// x86-64 with AVX-512 F, BW, CD, DQ and VL (Skylake-X, Zen 4).
    Avx512 = 3,
}

/// The best level that this CPU has; looked up once.
#[inline]
pub fn level() -> Level {
    static FOUND: AtomicU8 = AtomicU8::new(0);
    match FOUND.load(Ordering::Relaxed) {
        1 => Level::Baseline,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => {
            let found = detect();
            FOUND.store(found as u8, Ordering::Relaxed);
            found
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Baseline
}

#[cfg(target_arch = "x86_64")]
#[cold]
fn detect() -> Level {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        Level::Baseline
    } else if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
    {
        Level::Avx512
    } else {
        Level::Avx2
    }
}

/// Runs the copy of `kernel` compiled for this CPU.
#[inline]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma")]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        match level() {
            // SAFETY: `level` found every feature that the function enables.
            Level::Avx512 => return unsafe { avx512(kernel) },
            // SAFETY: as above.
            Level::Avx2 => return unsafe { avx2(kernel) },
            Level::Baseline => {}
        }
    }
    kernel.run()
}
