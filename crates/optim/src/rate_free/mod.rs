//! Optimizers that find their learning rate from sums over all parameters, or from the loss.

mod cocob;
mod dadapt;
mod dog;
mod mechanic;
mod momo;
mod polyak;
mod prodigy;

pub use cocob::*;
pub use dadapt::*;
pub use dog::*;
pub use mechanic::*;
pub use momo::*;
pub use polyak::*;
pub use prodigy::*;

use crate::Real;

/// `Σ f(aᵢ, bᵢ)` in double precision, in order.
fn sum_of<T: Real>(a: &[T], b: &[T], f: impl Fn(f64, f64) -> f64) -> f64 {
    a.iter().zip(b).map(|(a, b)| f(a.as_f64(), b.as_f64())).sum()
}
