//! The CPU's vector instructions, chosen while the program runs.
//!
//! A crate built for any x86-64 may use nothing newer than SSE2 (2001). The same loop built for AVX-512 is up to ten times as
//! fast, and few people pass `-C target-cpu`. There are three ways to the CPU's best instructions:
//!
//! - Every loop over many numbers is written once, as plain Rust, and goes through `dispatch`, which holds a copy of it compiled
//!   for each [`Level`].
//! - Where that leaves something to be gained, a kernel is written by hand. All of them stand behind one trait, in `kernels`; each
//!   returns whether it has done the work. Some for AVX-512 are in files of their own; the others are written once over the
//!   trait in `lanes`, which AVX2, AVX-512 and NEON implement, and which another set of instructions can implement.
//! - A formula with roots is written once for single numbers and for lanes, which have roots that take less time (`formula`).
//!
//! An AArch64 always has NEON, so there the compiler uses it for every loop, and a level decides about the kernels alone.
//!
//! The environment variable `CHAINRULE_ISA` forces a level, for tests and benchmarks: `baseline`, `avx2` or `avx512`, and on
//! AArch64 `baseline` or `neon`.

#[cfg(target_arch = "x86_64")]
pub(crate) mod adam_avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod blocking;
pub(crate) mod dispatch;
pub(crate) mod formula;
#[cfg(target_arch = "x86_64")]
pub(crate) mod formula_lanes;
pub(crate) mod interleaved_operands;
pub(crate) mod kernels;
pub(crate) mod lanes;
pub(crate) mod level;
pub(crate) mod operands;

pub use level::{LEVEL_VARIABLE, Level, LevelError, best_level, check_level, level};
