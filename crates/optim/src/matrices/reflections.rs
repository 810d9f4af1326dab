//! Householder's reflections `H = I - v vᵀ`, with `‖v‖ = √2`, in double precision.

use chainrule_tensor::{each, vector};

/// Replaces x by the v of the reflection that makes all but its first value 0, and returns that value of `H x`. Where there is
/// nothing to be done, v is 0 and H the identity.
pub(super) fn reflection(x: &mut [f64]) -> f64 {
    let norm = vector::norm(x);
    let first = x[0];
    if norm == 0.0 {
        x.fill(0.0);
        return first;
    }
    // Away from 0, so that no digits are lost in the difference.
    let after = -norm.copysign(first);
    x[0] -= after;
    let scale = 1.0 / (norm * x[0].abs()).sqrt();
    each!(x = scale * x);
    after
}

/// `x ← H x`.
pub(super) fn reflect(v: &[f64], x: &mut [f64]) {
    let along = vector::dot(v, x);
    each!(x = |v| x - along * v);
}

/// Replaces a square matrix by `... H₂ H₁ H₀`, whose vectors are in it: row k has that of Hₖ, from its value `k + offset` on. The
/// product is orthogonal, and its transpose is `H₀ H₁ H₂ ...`.
pub(super) fn accumulate(matrix: &mut [f64], size: usize, offset: usize) {
    for k in (0..size).rev() {
        let (rows, below) = matrix.split_at_mut((k + 1) * size);
        let row = &mut rows[k * size..];
        let from = (k + offset).min(size);
        for other in below.chunks_exact_mut(size) {
            other[k] = 0.0;
            reflect(&row[from..], &mut other[from..]);
        }
        // Row k was that of the identity: it becomes e - ⟨v, e⟩ v.
        let along = if offset == 0 { row[k] } else { 0.0 };
        row[k..].iter_mut().for_each(|v| *v *= -along);
        row[k] += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_reflected_onto_the_first_axis() {
        for x in [vec![3.0, 4.0], vec![-3.0, 0.0, 4.0], vec![0.0, 5.0], vec![0.0, 0.0], vec![-5.0]] {
            let mut v = x.clone();
            let after = reflection(&mut v);
            let mut found = x.clone();
            reflect(&v, &mut found);
            assert!((found[0] - after).abs() < 1e-14, "{x:?}");
            assert!(found[1..].iter().all(|value| value.abs() < 1e-14), "{x:?}");
            assert!((after.abs() - vector::norm(&x)).abs() < 1e-14, "{x:?}");
        }
    }
}
