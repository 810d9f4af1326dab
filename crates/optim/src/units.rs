//! The units of a parameter, and their norms.

use crate::{Parameter, Real, vector};

/// How many columns are summed at a time: those of a cache line.
const COLUMNS: usize = 16;

impl Parameter {
    /// The numbers of rows and columns of the parameter as a matrix: its first axis, and all others together. Of a vector, that
    /// is one row.
    pub fn matrix(&self) -> [usize; 2] {
        match &*self.shape {
            [] => [1, 1],
            [size] => [1, *size],
            [rows, columns @ ..] => [*rows, columns.iter().product()],
        }
    }

    /// Whether each unit of the layer has a column of the matrix, as in a dense layer, whose weight is `[inputs, units]`. With
    /// three axes or more, as the kernels of a convolution `[channels, ...]` have, it has a row. A vector is one unit.
    pub(crate) fn has_units_in_columns(&self) -> bool {
        self.shape.len() == 2
    }
}

/// Multiplies the values of each unit by a factor, which depends on its norm and on that of the same unit in `other` (0 if that is
/// empty): `factor([norm of other, norm of values])`. A factor of 1 changes no bit.
pub(crate) fn scale_units<T: Real>(
    parameter: &Parameter,
    other: &[T],
    values: &mut [T],
    factor: impl Fn([f64; 2]) -> f64,
) {
    let [rows, columns] = parameter.matrix();
    if rows == 0 || columns == 0 {
        return;
    }
    if !parameter.has_units_in_columns() {
        let mut other = other.chunks_exact(columns);
        for row in values.chunks_exact_mut(columns) {
            let norms = [other.next().map_or(0.0, vector::norm), vector::norm(row)];
            let factor = factor(norms);
            if factor != 1.0 {
                let factor = T::of(factor);
                row.iter_mut().for_each(|value| *value *= factor);
            }
        }
        return;
    }
    for first in (0..columns).step_by(COLUMNS) {
        let block = first..columns.min(first + COLUMNS);
        let squares = |values: &[T]| {
            let mut sums = [0.0f64; COLUMNS];
            for row in values.chunks_exact(columns) {
                for (sum, value) in sums.iter_mut().zip(&row[block.clone()]) {
                    *sum += value.as_f64() * value.as_f64();
                }
            }
            sums.map(f64::sqrt)
        };
        let [of_other, of_values] = [squares(other), squares(values)];
        let mut factors = [T::one(); COLUMNS];
        for (index, to) in factors.iter_mut().enumerate().take(block.len()) {
            *to = T::of(factor([of_other[index], of_values[index]]));
        }
        if factors.iter().all(|&factor| factor == T::one()) {
            continue;
        }
        for row in values.chunks_exact_mut(columns) {
            row[block.clone()].iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
        }
    }
}
