//! The number of interleaved parts of a sum.

/// How many parts a sum is kept in, on every CPU: the number of `f32` in an AVX-512 register.
pub(super) const LANES: usize = 16;
