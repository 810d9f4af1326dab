//! The factor of focal losses.

/// `uᵞ` and its derivative `γ uᵞ⁻¹`, for u from 0 to 1. At 0, where the derivative has no bound if γ is below 1, it is 0.
#[inline]
pub(super) fn power(u: f64, gamma: f64) -> (f64, f64) {
    if gamma == 2.0 {
        return (u * u, 2.0 * u);
    }
    let power = u.powf(gamma);
    (power, if u == 0.0 { 0.0 } else { gamma * power / u })
}
