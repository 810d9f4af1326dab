//! The orthogonal factor of a matrix, by Householder's reflections.
//!
//! LAPACK computes it too, but not every build has one, and each adds up in its own order. Here the order is fixed: the factor has
//! the same bits in every build and on every CPU.

use chainrule_tensor::{each, vector};

/// The number of reflections that are applied to one column after the other, so that they stay in a core's cache.
const PANEL: usize = 32;

/// The columns of a matrix, stored one after the other, each of `rows` numbers; not more columns than rows.
pub(super) struct Columns<'a> {
    pub(super) values: &'a mut [f64],
    pub(super) rows: usize,
}

impl Columns<'_> {
    fn count(&self) -> usize {
        self.values.len() / self.rows
    }

    fn column(&self, index: usize) -> &[f64] {
        &self.values[index * self.rows..][..self.rows]
    }

    /// Some columns, and those after them.
    fn split(&mut self, index: usize) -> (Columns<'_>, Columns<'_>) {
        let rows = self.rows;
        let (before, after) = self.values.split_at_mut(index * rows);
        (Columns { values: before, rows }, Columns { values: after, rows })
    }
}

/// `H = I - v vᵀ` for a vector with `|v|² = 2`: `a ← H a`. Numbers of `v` before the first of the slices are 0.
fn reflect(v: &[f64], a: &mut [f64]) {
    let product = vector::dot(v, a);
    each!(a = |v| a - product * v);
}

/// Replaces a column `a` by the `v` whose reflection maps it to `(r, 0, 0, ...)`; returns the sign of `r`.
fn reflection(a: &mut [f64]) -> f64 {
    let norm = vector::norm(a);
    let first = a[0];
    if norm == 0.0 {
        return 1.0;
    }
    // r = ∓|a|, the sign for which nothing cancels in v = a - r e₁, so |v|² = 2 |a| (|a| + |a₁|).
    a[0] = first + norm.copysign(first);
    let scale = 1.0 / (norm * (norm + first.abs())).sqrt();
    each!(a = scale * a);
    -1f64.copysign(first)
}

/// Overwrites `a` with vectors `v₀, v₁, ...` such that `A = Q R` with `Q = H₀ H₁ ...`, `vₖ` in column `k` from row `k` on; returns
/// the signs of the diagonal of `R` (Golub and Van Loan, "Matrix Computations", algorithm 5.2.1).
pub(super) fn factor(a: &mut Columns<'_>) -> Vec<f64> {
    let count = a.count();
    let rows = a.rows;
    let mut signs = Vec::with_capacity(count);
    for start in (0..count).step_by(PANEL) {
        let end = count.min(start + PANEL);
        for j in start..end {
            let (before, after) = a.split(j);
            let column = &mut after.values[..rows];
            (start..j).for_each(|k| reflect(&before.column(k)[k..], &mut column[k..]));
            signs.push(reflection(&mut column[j..]));
        }
        let (before, after) = a.split(end);
        for column in after.values.chunks_exact_mut(rows) {
            (start..end).for_each(|k| reflect(&before.column(k)[k..], &mut column[k..]));
        }
    }
    signs
}

/// The columns of `Q = H₀ H₁ ...` for the vectors of [`factor`], column `j` times `scales[j]`.
pub(super) fn product(v: &Columns<'_>, scales: &[f64], q: &mut Columns<'_>) {
    let count = v.count();
    let rows = v.rows;
    q.values.fill(0.0);
    for (j, (column, &scale)) in q.values.chunks_exact_mut(rows).zip(scales).enumerate() {
        column[j] = scale;
    }
    for start in (0..count).step_by(PANEL).rev() {
        // A reflection leaves the unit vectors before its own alone.
        for (j, column) in q.values.chunks_exact_mut(rows).enumerate().skip(start) {
            let end = count.min(start + PANEL).min(j + 1);
            (start..end).rev().for_each(|k| reflect(&v.column(k)[k..], &mut column[k..]));
        }
    }
}

#[cfg(test)]
mod tests {
    use chainrule_tensor::Seed;

    use super::*;

    /// Every step is an operation that IEEE 754 defines, in an order that is fixed: no build and no CPU has other bits.
    #[test]
    fn the_bits_are_the_same_everywhere() {
        let (rows, count) = (100, 70);
        let mut rng = Seed(5).rng();
        let mut a: Vec<f64> = (0..rows * count).map(|_| rng.between(-1.0, 1.0)).collect();
        let mut q = vec![f64::NAN; a.len()];
        let mut v = Columns { values: &mut a, rows };
        let signs = factor(&mut v);
        product(&v, &signs, &mut Columns { values: &mut q, rows });
        let mix = |hash: u64, value: &f64| {
            (hash.rotate_left(5) ^ value.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        assert_eq!(q.iter().fold(0, mix), 3_883_996_542_190_467_873);
    }
}
