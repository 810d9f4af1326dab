//! The axes of a parameter, and its products along each of them.

use chainrule_tensor::{Real, gemm};
use ndarray::ArrayView2;

use super::{rows_of, rows_of_mut};

/// An axis of a tensor, which has a square matrix of its own. The tensor is `outer` blocks of `size` rows of `inner` values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    outer: usize,
    pub(super) size: usize,
    inner: usize,
}

impl Axis {
    /// The axes of a shape that are not larger than a maximum.
    pub(super) fn of(shape: &[usize], max: usize) -> impl Iterator<Item = Self> + '_ {
        let axis = |(index, &size): (usize, &usize)| Self {
            outer: shape[..index].iter().product(),
            size,
            inner: shape[index + 1..].iter().product(),
        };
        shape.iter().enumerate().map(axis).filter(move |axis| axis.size <= max)
    }

    /// How many values its matrix has.
    pub(super) fn square(self) -> usize {
        self.size * self.size
    }

    /// `sum ← keep · sum + new · X Xᵀ`, where the rows of X are the slices of the tensor at each index of this axis.
    pub(super) fn add_products<T: Real>(self, x: &[T], keep: f64, new: f64, sum: &mut [T]) {
        let [mut keep, new] = [keep, new].map(T::of);
        if self.inner == 1 {
            let x = rows_of(x, self.size);
            return gemm(new, x.reversed_axes(), x, keep, rows_of_mut(sum, self.size));
        }
        for block in x.chunks_exact(self.size * self.inner) {
            let block = rows_of(block, self.inner);
            gemm(new, block, block.reversed_axes(), keep, rows_of_mut(sum, self.size));
            keep = T::one();
        }
    }

    /// Multiplies each vector along this axis by a matrix: `x ← M x`.
    pub(super) fn multiply<T: Real>(self, matrix: ArrayView2<'_, T>, x: &mut [T], scratch: &mut [T]) {
        let to = &mut scratch[..x.len()];
        let [zero, one] = [T::zero(), T::one()];
        if self.inner == 1 {
            let rows = rows_of(&*x, self.size);
            gemm(one, rows, matrix.reversed_axes(), zero, rows_of_mut(&mut *to, self.size));
        } else {
            let size = self.size * self.inner;
            for (block, to) in x.chunks_exact(size).zip(to.chunks_exact_mut(size)) {
                gemm(one, matrix, rows_of(block, self.inner), zero, rows_of_mut(to, self.inner));
            }
        }
        x.copy_from_slice(to);
    }

    /// Exchanges the slices of a tensor at two indices of this axis.
    pub(super) fn swap<T>(self, x: &mut [T], low: usize, high: usize) {
        for block in x.chunks_exact_mut(self.size * self.inner) {
            swap_rows(block, self.inner, low, high);
        }
    }
}

/// Exchanges two rows of this size, of which the first is before the second.
pub(super) fn swap_rows<T>(rows: &mut [T], size: usize, low: usize, high: usize) {
    let (first, rest) = rows.split_at_mut(high * size);
    first[low * size..][..size].swap_with_slice(&mut rest[..size]);
}

/// Each axis with two matrices of its own, a sum of products and another one, which follow each other in `values`.
pub(super) fn with_matrices<T>(
    axes: impl Iterator<Item = Axis>,
    mut values: &mut [T],
) -> impl Iterator<Item = (Axis, &mut [T], &mut [T])> {
    axes.map(move |axis| {
        let (sum, rest) = std::mem::take(&mut values).split_at_mut(axis.square());
        let (other, rest) = rest.split_at_mut(axis.square());
        values = rest;
        (axis, sum, other)
    })
}

/// Makes a square matrix the identity.
pub(super) fn identity<T: Real>(matrix: &mut [T], size: usize) {
    matrix.fill(T::zero());
    matrix.iter_mut().step_by(size + 1).for_each(|value| *value = T::one());
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [2, 3, 4];

    /// The place of each value of a tensor of this shape, as the index along an axis and the place of the others.
    fn places(axis: usize) -> impl Iterator<Item = (usize, [usize; 2])> {
        (0..24).map(move |place: usize| {
            let all = [place / 12, place / 4 % 3, place % 4];
            let others = [all[(axis + 1) % 3], all[(axis + 2) % 3]];
            (all[axis], others)
        })
    }

    #[test]
    fn products_are_those_of_their_definition() {
        let x: Vec<f64> = (0..24).map(|i| f64::from(i * i % 17) - 6.0).collect();
        for (index, axis) in Axis::of(&SHAPE, 4).enumerate() {
            let n = axis.size;
            assert_eq!(n, SHAPE[index]);
            let matrix: Vec<f64> = (0..n * n).map(|i| (i as f64).sin()).collect();
            let mut sum = matrix.clone();
            axis.add_products(&x, 0.5, 2.0, &mut sum);
            let mut product = x.clone();
            axis.multiply(rows_of(&matrix, n), &mut product, &mut [0.0; 24]);
            let values = || places(index).zip(&x);
            for row in 0..n {
                for column in 0..n {
                    let along = |at| values().filter(move |((i, _), _)| *i == at);
                    let dot: f64 = along(row).zip(along(column)).map(|((_, a), (_, b))| a * b).sum();
                    let right = 0.5 * matrix[row * n + column] + 2.0 * dot;
                    assert!((sum[row * n + column] - right).abs() < 1e-12);
                }
            }
            for ((row, others), found) in places(index).zip(&product) {
                let line = values().filter(|((_, place), _)| *place == others);
                let right: f64 = line.map(|((column, _), x)| matrix[row * n + column] * x).sum();
                assert!((found - right).abs() < 1e-12);
            }
            let mut swapped = x.clone();
            axis.swap(&mut swapped, 0, n - 1);
            let at = |values: &[f64], at: usize| -> Vec<f64> {
                places(index).zip(values).filter(|((i, _), _)| *i == at).map(|(_, &x)| x).collect()
            };
            assert_eq!((at(&swapped, 0), at(&swapped, n - 1)), (at(&x, n - 1), at(&x, 0)));
        }
    }

    #[test]
    fn axes_above_the_maximum_are_left_out() {
        let sizes: Vec<usize> = Axis::of(&SHAPE, 3).map(|axis| axis.size).collect();
        assert_eq!(sizes, [2, 3]);
        assert_eq!(Axis::of(&[], 3).count(), 0);
    }
}
