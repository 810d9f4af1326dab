//! The eigenvalues and eigenvectors of a symmetric matrix, in double precision.

use chainrule_tensor::{each, vector};

use super::reflections::{accumulate, reflection};

/// How many steps of the QR algorithm are taken for each eigenvalue at most. Two are usual.
const MAX_STEPS: usize = 60;

/// Replaces a symmetric matrix `A = V Λ Vᵀ` by Vᵀ, whose rows are its eigenvectors, and writes the eigenvalues, in no order.
///
/// First A is made tridiagonal by Householder's reflections (Golub and Van Loan 2013, algorithm 8.3.1), then diagonal by the implicit
/// QR algorithm with Wilkinson's shifts (algorithm 8.3.3). Eigenvalues are right to a few roundings of the largest one, and the
/// vectors are orthogonal to a few roundings, those of equal eigenvalues too. `scratch` has a value for each row.
///
/// Returns false if a value of A is not finite, or if the steps did not suffice: then what is written has no meaning.
pub(super) fn eigen(matrix: &mut [f64], values: &mut [f64], scratch: &mut [f64]) -> bool {
    let size = values.len();
    let largest = vector::largest(matrix);
    if !largest.is_finite() {
        return false;
    }
    // The largest value becomes 1, so that squares do not overflow.
    let scale = if largest > 0.0 { largest } else { 1.0 };
    matrix.iter_mut().for_each(|value| *value /= scale);
    let beside = &mut scratch[..size];
    make_tridiagonal(matrix, values, beside);
    let done = make_diagonal(values, beside, matrix);
    values.iter_mut().for_each(|value| *value *= scale);
    done
}

/// Replaces A by Qᵀ with a tridiagonal `T = Qᵀ A Q`. Writes its diagonal, and the values beside it: the one at k couples k and k + 1.
fn make_tridiagonal(matrix: &mut [f64], diagonal: &mut [f64], beside: &mut [f64]) {
    let size = diagonal.len();
    for k in 0..size {
        let (rows, below) = matrix.split_at_mut((k + 1) * size);
        let row = &mut rows[k * size..];
        diagonal[k] = row[k];
        let v = &mut row[k + 1..];
        if v.is_empty() {
            break;
        }
        let (coupling, w) = beside[k..].split_at_mut(1);
        coupling[0] = reflection(v);
        let v = &*v;
        // The rows and columns B that are left become H B H = B - v wᵀ - w vᵀ with w = B v - ½ ⟨v, B v⟩ v.
        w.iter_mut().zip(below.chunks_exact(size)).for_each(|(w, row)| *w = vector::dot(&row[k + 1..], v));
        let half = 0.5 * vector::dot(v, w);
        each!(w = |v| w - half * v);
        let w = &*w;
        for (row, (&at_v, &at_w)) in below.chunks_exact_mut(size).zip(v.iter().zip(w)) {
            let row = &mut row[k + 1..];
            each!(row = |v, w| row - (at_v * w + at_w * v));
        }
    }
    accumulate(matrix, size, 1);
}

/// Makes a tridiagonal T diagonal by rotations, `G T Gᵀ`, and applies them to the rows of a matrix. Returns whether it succeeded.
fn make_diagonal(diagonal: &mut [f64], beside: &mut [f64], rows: &mut [f64]) -> bool {
    let size = diagonal.len();
    // A rounding of the largest value, 1, may be left out.
    let negligible = |coupling: f64| coupling.abs() <= f64::EPSILON;
    let mut high = size.saturating_sub(1);
    for _ in 0..MAX_STEPS * size {
        while high > 0 && negligible(beside[high - 1]) {
            high -= 1;
        }
        if high == 0 {
            return true;
        }
        let coupled = beside[..high].iter().rev().take_while(|&&coupling| !negligible(coupling)).count();
        let low = high - coupled;
        step(&mut diagonal[low..=high], &mut beside[low..high], &mut rows[low * size..], size);
    }
    false
}

/// One implicit QR step for a part of T in which all neighbours are coupled, and for rows of this size, of which the first belongs to
/// the first value of the part.
fn step(diagonal: &mut [f64], beside: &mut [f64], rows: &mut [f64], size: usize) {
    let last = beside.len();
    // Wilkinson's shift: the eigenvalue of the last 2 by 2 values that is nearer to the last one.
    let coupling = beside[last - 1];
    let half = 0.5 * (diagonal[last - 1] - diagonal[last]);
    let shift = diagonal[last] - coupling * coupling / (half + half.hypot(coupling).copysign(half));
    let mut x = diagonal[0] - shift;
    let mut z = beside[0];
    for k in 0..last {
        // [c s; -s c] maps (x, z) to (r, 0).
        let r = x.hypot(z);
        let [c, s] = if r == 0.0 { [1.0, 0.0] } else { [x / r, z / r] };
        if k > 0 {
            beside[k - 1] = r;
        }
        let [a, b, d] = [diagonal[k], beside[k], diagonal[k + 1]];
        let twice = 2.0 * c * s * b;
        diagonal[k] = c * c * a + twice + s * s * d;
        diagonal[k + 1] = s * s * a - twice + c * c * d;
        beside[k] = (c * c - s * s) * b + c * s * (d - a);
        if k + 1 < last {
            x = beside[k];
            z = s * beside[k + 1];
            beside[k + 1] *= c;
        }
        let (upper, lower) = rows[k * size..][..2 * size].split_at_mut(size);
        vector::each(
            [],
            [upper, lower],
            #[inline(always)]
            move |[], [upper, lower]| [c * upper + s * lower, c * lower - s * upper],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Seed;

    /// The largest errors of `A v - λ v` beside the largest value of A, and of `V Vᵀ`.
    fn errors(a: &[f64], size: usize) -> [f64; 2] {
        let mut vectors = a.to_vec();
        let mut values = vec![f64::NAN; size];
        assert!(eigen(&mut vectors, &mut values, &mut vec![f64::NAN; size]));
        let largest = vector::largest(a).max(f64::MIN_POSITIVE);
        let rows = || vectors.chunks_exact(size);
        let mut found = [0.0f64; 2];
        for (v, value) in rows().zip(&values) {
            for (row, at) in a.chunks_exact(size).zip(v) {
                found[0] = found[0].max((vector::dot(row, v) / largest - value / largest * at).abs());
            }
        }
        for (i, v) in rows().enumerate() {
            for (j, w) in rows().enumerate() {
                let right = f64::from(u8::from(i == j));
                found[1] = found[1].max((vector::dot(v, w) - right).abs());
            }
        }
        found
    }

    #[test]
    fn vectors_are_orthogonal_and_belong_to_their_values() {
        for size in [1, 2, 3, 5, 16, 47] {
            // Sums of products with themselves of so many vectors: of full rank, and not.
            for rank in [0, 1, size / 2, size, 3 * size] {
                for scale in [1e-200, 1e-20, 1.0, 1e150] {
                    let mut rng = Seed((size * rank) as u64).rng();
                    let mut a = vec![0.0; size * size];
                    for _ in 0..rank {
                        let x: Vec<f64> = (0..size).map(|_| rng.normal()).collect();
                        for (index, value) in a.iter_mut().enumerate() {
                            *value += scale * x[index / size] * x[index % size];
                        }
                    }
                    let [of_products, of_vectors] = errors(&a, size);
                    assert!(
                        of_products < 1e-13 && of_vectors < 1e-13,
                        "{size} {rank} {scale:e}: {of_products:e}, {of_vectors:e}"
                    );
                }
            }
        }
    }

    #[test]
    fn eigenvalues_are_known() {
        // The second difference, with the eigenvalues 2 - 2 cos(π k / (n + 1)).
        let size = 30;
        let mut a = vec![0.0; size * size];
        for row in 0..size {
            a[row * size + row] = 2.0;
            if row > 0 {
                a[row * size + row - 1] = -1.0;
                a[(row - 1) * size + row] = -1.0;
            }
        }
        let mut values = vec![0.0; size];
        assert!(eigen(&mut a, &mut values, &mut vec![0.0; size]));
        values.sort_by(f64::total_cmp);
        for (index, value) in values.iter().enumerate() {
            let angle = std::f64::consts::PI * (index + 1) as f64 / (size + 1) as f64;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-14);
        }
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        for wrong in [f64::NAN, f64::INFINITY] {
            assert!(!eigen(&mut [1.0, wrong, wrong, 1.0], &mut [0.0; 2], &mut [0.0; 2]));
        }
    }
}
