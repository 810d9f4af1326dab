//! Formulas with roots over the lanes of one set of instructions.

use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Sub};

use crate::simd::dispatch::Loop;
use crate::simd::formula::{RootFormula, RootNumbers};
use crate::simd::lanes::Roots;

/// [`each_root`](crate::vector::each_root()) by vectors, for slices of one length.
///
/// # Safety
///
/// The CPU has the instructions of `L`, and all slices have the length of the first output.
pub(crate) unsafe fn root_lanes<L, F, const K: usize, const N: usize, const M: usize>(
    numbers: [L::Number; K],
    inputs: &[&[L::Number]; N],
    outputs: &mut [&mut [L::Number]; M],
) where
    L: Roots,
    F: RootFormula<K, N, M>,
{
    let n = outputs[0].len();
    let inputs = inputs.each_ref().map(|slice| slice.as_ptr());
    let outputs = outputs.each_mut().map(|slice| slice.as_mut_ptr());
    // SAFETY: the caller has found the instructions.
    unsafe { L::run(RootLoop::<L, F, K, N, M> { n, numbers, inputs, outputs, formula: PhantomData }) }
}

/// Pointers to `n` numbers each.
struct RootLoop<L: Roots, F, const K: usize, const N: usize, const M: usize> {
    n: usize,
    numbers: [L::Number; K],
    inputs: [*const L::Number; N],
    outputs: [*mut L::Number; M],
    formula: PhantomData<F>,
}

impl<L, F, const K: usize, const N: usize, const M: usize> Loop for RootLoop<L, F, K, N, M>
where
    L: Roots,
    F: RootFormula<K, N, M>,
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { n, numbers, inputs, outputs, .. } = self;
        let numbers = numbers.map(
            #[inline(always)]
            // SAFETY: this loop runs where the CPU has the instructions.
            |number| Vector::<L>::of(unsafe { L::splat(number) }),
        );
        let whole = n - n % L::COUNT;
        for first in (0..whole).step_by(L::COUNT) {
            // SAFETY: as above, and a whole vector from `first` on is within each slice.
            unsafe {
                let x = inputs.map(
                    #[inline(always)]
                    |from| Vector::<L>::of(L::load(from.add(first))),
                );
                let y = outputs.map(
                    #[inline(always)]
                    |from| Vector::<L>::of(L::load(from.add(first))),
                );
                let values = F::values(numbers, x, y);
                for k in 0..M {
                    L::store(outputs[k].add(first), values[k].computed());
                }
            }
        }
        if whole < n {
            let rest = n - whole;
            // SAFETY: as above, and so many numbers from `whole` on are within each slice; no others are touched.
            unsafe {
                let x = inputs.map(
                    #[inline(always)]
                    |from| Vector::<L>::of(L::load_first(rest, from.add(whole))),
                );
                let y = outputs.map(
                    #[inline(always)]
                    |from| Vector::<L>::of(L::load_first(rest, from.add(whole))),
                );
                let values = F::values(numbers, x, y);
                for k in 0..M {
                    L::store_first(rest, outputs[k].add(whole), values[k].computed());
                }
            }
        }
    }
}

/// A vector as the numbers of a formula, or the product of two, which is not computed until it is known whether something is added.
/// It exists only while a loop runs that is compiled for its instructions.
struct Vector<L: Roots> {
    value: L::Vector,
    /// Always or never, for an expression: nothing of it remains when the loop is compiled.
    factor: Option<L::Vector>,
}

impl<L: Roots> Vector<L> {
    #[inline(always)]
    fn of(value: L::Vector) -> Self {
        Self { value, factor: None }
    }

    #[inline(always)]
    fn computed(self) -> L::Vector {
        match self.factor {
            // SAFETY: a loop for these instructions runs.
            Some(factor) => unsafe { L::mul(self.value, factor) },
            None => self.value,
        }
    }
}

impl<L: Roots> Clone for Vector<L> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: Roots> Copy for Vector<L> {}

impl<L: Roots> Mul for Vector<L> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self { value: self.computed(), factor: Some(other.computed()) }
    }
}

impl<L: Roots> Add for Vector<L> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a loop for these instructions runs.
        Self::of(unsafe {
            match (self.factor, other.factor) {
                (_, Some(factor)) => L::mul_add(other.value, factor, self.computed()),
                (Some(factor), None) => L::mul_add(self.value, factor, other.value),
                (None, None) => L::add(self.value, other.value),
            }
        })
    }
}

impl<L: Roots> Sub for Vector<L> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: a loop for these instructions runs.
        Self::of(unsafe {
            match other.factor {
                Some(factor) => L::sub_product(self.computed(), other.value, factor),
                None => L::sub(self.computed(), other.value),
            }
        })
    }
}

impl<L: Roots> Div for Vector<L> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: a loop for these instructions runs.
        Self::of(unsafe { L::div(self.computed(), other.computed()) })
    }
}

impl<L: Roots> RootNumbers for Vector<L> {
    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: here and below, a loop for these instructions runs.
        Self::of(unsafe { L::sqrt(self.computed()) })
    }

    #[inline(always)]
    fn cbrt(self) -> Self {
        // SAFETY: as above.
        Self::of(unsafe { L::cbrt(self.computed()) })
    }

    #[inline(always)]
    fn at_most(self, limit: Self) -> Self {
        // SAFETY: as above.
        Self::of(unsafe { L::at_most(self.computed(), limit.computed()) })
    }

    #[inline(always)]
    fn at_least(self, limit: Self) -> Self {
        // SAFETY: as above.
        Self::of(unsafe { L::at_least(self.computed(), limit.computed()) })
    }
}
