//! Vectors of one width: what kernels for several sets of instructions are written over.
//!
//! A kernel that is generic over [`Lanes`] is written once. Another set of instructions is one more implementation of the trait,
//! and a line in `kernels` at the crate's root. Every implementation returns the same bits: a product and its sum are rounded
//! once, and lanes do not mix. [`Roots`] are the exception: they are as exact everywhere, but not the same, nor on CPUs of two makers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_double;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_double;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_double;
mod plain;
mod roots;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx2_double::Avx2Double;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512_double::Avx512Double;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon_double::NeonDouble;
pub(crate) use plain::Plain;
pub(crate) use roots::Roots;

use crate::real::Real;
use crate::simd::dispatch::Loop;

/// Vectors of numbers of one type, and of one width.
///
/// # Safety
///
/// All functions require a CPU with the instructions. All but [`run`](Self::run) are meant for what is given to `run`: elsewhere
/// they are slow. Pointers are in bounds, as far as lanes are read or written.
pub(crate) trait Lanes: 'static {
    type Number: Real;
    type Vector: Copy;

    /// How many numbers a vector holds: at most 16.
    const COUNT: usize;

    /// How many rows of two vectors stay in registers while they are summed, next to two vectors and a number: at most 12.
    const ROWS: usize;

    /// The same for rows of four vectors, next to four vectors and a number.
    const ROWS_OF_FOUR: usize = Self::ROWS / 2;

    /// Runs a loop that is compiled for these instructions.
    unsafe fn run<L: Loop>(body: L) -> L::Output;

    /// The same number in all lanes.
    unsafe fn splat(value: Self::Number) -> Self::Vector;

    /// All lanes from memory.
    unsafe fn load(from: *const Self::Number) -> Self::Vector;

    /// The first `count` lanes from memory, at most all of them, and zeros in the others, which are not read.
    unsafe fn load_first(count: usize, from: *const Self::Number) -> Self::Vector;

    /// All lanes to memory.
    unsafe fn store(to: *mut Self::Number, vector: Self::Vector);

    /// The first `count` lanes to memory, at most all of them; nothing else is touched.
    unsafe fn store_first(count: usize, to: *mut Self::Number, vector: Self::Vector);

    /// Requests the cache line of a number, which may be anywhere.
    unsafe fn prefetch(from: *const Self::Number);

    /// `a + b`
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a b + c` with one rounding.
    unsafe fn mul_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// Writes the transpose of a square of `COUNT` by `COUNT` numbers; rows are `from_stride` and `to_stride` numbers apart.
    unsafe fn transpose(
        from: *const Self::Number,
        from_stride: isize,
        to: *mut Self::Number,
        to_stride: usize,
    );
}
