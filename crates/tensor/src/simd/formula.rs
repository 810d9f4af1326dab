//! Formulas with roots, which are written once for single numbers and for vectors of them.

use std::ops::{Add, Div, Mul, Sub};

/// What a formula of [`each_root!`](crate::each_root!) computes with: a single number, or a vector of them.
pub trait RootNumbers:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// `√x`, to 1 ulp.
    fn sqrt(self) -> Self;

    /// `∛x` for `x ≥ 0`, to 2 ulp; of a subnormal `x` something from 0 to the root.
    fn cbrt(self) -> Self;

    /// The smaller of the two; NaN where `self` is NaN.
    fn at_most(self, limit: Self) -> Self;

    /// The larger of the two; NaN where `self` is NaN.
    fn at_least(self, limit: Self) -> Self;
}

/// A formula as [`each_root!`](crate::each_root!) writes it: from `K` numbers that are the same everywhere, `N` inputs and what `M`
/// outputs held, to the outputs.
pub trait RootFormula<const K: usize, const N: usize, const M: usize> {
    /// The outputs.
    fn values<V: RootNumbers>(numbers: [V; K], inputs: [V; N], outputs: [V; M]) -> [V; M];
}
