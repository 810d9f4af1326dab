//! The sum of many vectors that are made one after the other.

use super::add_block::add_block;
use super::blocks::CHAIN;
use crate::buffer::Buffer;
use crate::each;
use crate::real::Real;

/// The sum of many vectors whose error does not grow with their number: they are added block by block.
///
/// It is scratch space of a layer, which allocates only while it grows.
///
/// ```
/// use chainrule_tensor::vector::LongSum;
/// let mut sum = LongSum::default();
/// sum.start(1);
/// (0..1_000_000).for_each(|_| sum.part()[0] += 0.1f32);
/// let mut total = [0.0];
/// sum.add_to(&mut total);
/// // In one chain it would be 100_958.34.
/// assert!((total[0] - 100_000.0).abs() < 0.1, "{total:?}");
/// ```
#[derive(Clone, Debug)]
pub struct LongSum<T: Real> {
    /// The sum of a block, that of all blocks, and what rounding has added to it too much.
    values: Buffer<T>,
    size: usize,
    /// How many vectors the block has.
    terms: usize,
}

impl<T: Real> Default for LongSum<T> {
    fn default() -> Self {
        Self { values: Buffer::default(), size: 0, terms: 0 }
    }
}

impl<T: Real> LongSum<T> {
    /// Starts a sum of vectors of this size.
    pub fn start(&mut self, size: usize) {
        self.values.reserve(3 * size);
        self.values[..3 * size].fill(T::zero());
        self.size = size;
        self.terms = 0;
    }

    /// What the next vector is to be added to.
    #[inline]
    pub fn part(&mut self) -> &mut [T] {
        if self.terms == CHAIN {
            self.end_block();
        }
        self.terms += 1;
        &mut self.values[..self.size]
    }

    /// What [`part`](Self::part) returned last: for a vector whose values are made in several steps.
    #[inline]
    pub fn same_part(&mut self) -> &mut [T] {
        &mut self.values[..self.size]
    }

    fn end_block(&mut self) {
        let (part, rest) = self.values[..3 * self.size].split_at_mut(self.size);
        let (total, excess) = rest.split_at_mut(self.size);
        add_block(part, total, excess);
        part.fill(T::zero());
        self.terms = 0;
    }

    /// Ends the sum and adds it to `sums`.
    ///
    /// # Panics
    ///
    /// If `sums` is longer than the vectors.
    pub fn add_to(&mut self, sums: &mut [T]) {
        self.end_block();
        let total = &self.values[self.size..2 * self.size];
        each!(sums = |total| sums + total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_vectors() {
        let mut sum = LongSum::default();
        for count in [0, 1, CHAIN, CHAIN + 1, 3 * CHAIN, 100_000] {
            sum.start(2);
            for _ in 0..count {
                let part = sum.part();
                part[0] += 0.1f32;
                part[1] -= 1.0;
            }
            let mut total = [1.0, 1.0];
            sum.add_to(&mut total);
            let right = 1.0 + count as f64 * f64::from(0.1f32);
            assert!((f64::from(total[0]) / right - 1.0).abs() < 1e-6, "{count}: {}", total[0]);
            assert_eq!(total[1], 1.0 - count as f32);
        }
    }
}
