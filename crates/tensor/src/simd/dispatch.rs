//! Loops in plain Rust, compiled once for each set of vector instructions.
//!
//! Products and sums are not fused into one instruction: that would give different last bits on different CPUs.

#[cfg(target_arch = "x86_64")]
use crate::simd::level::{Level, level};

/// A loop to be compiled once for each set of vector instructions. `run` must be `#[inline(always)]`.
pub(crate) trait Loop {
    type Output;
    fn run(self) -> Self::Output;
}

/// Runs the copy of a loop that is compiled for this CPU.
#[inline]
pub(crate) fn run<L: Loop>(body: L) -> L::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma")]
        fn avx512<L: Loop>(body: L) -> L::Output {
            body.run()
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2<L: Loop>(body: L) -> L::Output {
            body.run()
        }
        // A function of its own, as the others are: one copy, however many callers have this one inlined.
        #[inline(never)]
        fn baseline<L: Loop>(body: L) -> L::Output {
            body.run()
        }
        match level() {
            // SAFETY: `level` found every feature that the function enables.
            Level::Avx512 => unsafe { avx512(body) },
            // SAFETY: as above.
            Level::Avx2 => unsafe { avx2(body) },
            // NEON is of another architecture.
            Level::Baseline | Level::Neon => baseline(body),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    body.run()
}
