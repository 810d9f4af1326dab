//! What all kernels for AVX-512 in single precision share.

use std::arch::x86_64::__mmask16;

/// How many values a register holds.
pub(crate) const LANES: usize = 16;

/// The mask of the lowest `count` lanes, or of all if there are fewer.
#[inline(always)]
pub(crate) fn mask(count: usize) -> __mmask16 {
    if count >= LANES { !0 } else { (1 << count) - 1 }
}
