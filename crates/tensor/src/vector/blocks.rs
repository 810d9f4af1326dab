//! Long sums: short chains of additions in each block, and the blocks' sums added with what rounding takes from them.
//!
//! A sum of n terms in one chain has an error that grows with n: beside a large sum, most digits of a small term are rounded away,
//! always to the same side if the terms are alike. So no chain is longer than [`CHAIN`], and [`BlockSums`] adds the sums of the
//! blocks. The error is that of one block, however many there are.

use super::lanes::LANES;
use crate::real::Real;

/// The maximum number of terms that are added one after the other.
///
/// If all are equal, the worst case, the error of a sum in single precision stays below 32 / 3 · 2⁻²⁴ = 6.4e-7 of the sum.
pub const CHAIN: usize = 32;

/// The number of values in a block of a slice: a chain in each lane of two sets.
pub(super) const BLOCK: usize = 2 * LANES * CHAIN;

/// `N` sums side by side, each with what rounding has added to it too much (Kahan 1965, "Further remarks on reducing truncation
/// errors"): the error of n additions is 2ε + O(n ε²).
#[derive(Clone, Copy)]
pub(super) struct BlockSums<T, const N: usize> {
    sums: [T; N],
    excess: [T; N],
}

impl<T: Real, const N: usize> BlockSums<T, N> {
    #[inline(always)]
    pub(super) fn zeros() -> Self {
        Self { sums: [T::zero(); N], excess: [T::zero(); N] }
    }

    /// `K` of them.
    #[inline(always)]
    pub(super) fn zeros_of<const K: usize>() -> [Self; K] {
        [Self::zeros(); K]
    }

    /// The sums of all blocks, of `K`.
    #[inline(always)]
    pub(super) fn totals_of<const K: usize>(sums: &[Self; K]) -> [[T; N]; K] {
        let mut totals = [[T::zero(); N]; K];
        for k in 0..K {
            totals[k] = sums[k].sums;
        }
        totals
    }

    /// Adds a block's sums.
    #[inline(always)]
    pub(super) fn add(&mut self, block: [T; N]) {
        for ((sum, excess), value) in self.sums.iter_mut().zip(&mut self.excess).zip(block) {
            [*sum, *excess] = add(value, *sum, *excess);
        }
    }

    /// The sums of all blocks.
    #[inline(always)]
    pub(super) fn totals(&self) -> [T; N] {
        self.sums
    }
}

/// The sum of a sum and a term, and what rounding has added to it too much.
#[inline(always)]
pub(super) fn add<T: Real>(term: T, before: T, excess: T) -> [T; 2] {
    let term = term - excess;
    let sum = before + term;
    let excess = (sum - before) - term;
    // Beside an infinite sum there is none: ∞ - ∞ is NaN.
    [sum, if excess.is_finite() { excess } else { T::zero() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_blocks_add_up_exactly() {
        let mut sums = BlockSums::<f32, 2>::zeros();
        for _ in 0..10_000_000 {
            sums.add([0.1, -1.5]);
        }
        assert_eq!(sums.totals(), [(1e7 * f64::from(0.1f32)) as f32, -1.5e7]);
    }

    #[test]
    fn infinities_stay_infinite() {
        let total = |blocks: &[f64]| {
            let mut sums = BlockSums::<f64, 1>::zeros();
            blocks.iter().for_each(|&block| sums.add([block]));
            sums.totals()[0]
        };
        let inf = f64::INFINITY;
        assert_eq!(total(&[1.0, inf, 2.0, inf]), inf);
        assert_eq!(total(&[-inf, 1e300]), -inf);
        assert_eq!(total(&[f64::MAX, f64::MAX, 1.0]), inf);
        assert!(total(&[inf, 1.0, -inf]).is_nan());
        assert!(total(&[1.0, f64::NAN, 1.0]).is_nan());
        assert_eq!(total(&[]), 0.0);
    }
}
