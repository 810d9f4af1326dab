//! Optimizers whose step depends on the norms of a whole parameter.

mod adafactor;
mod fromage;
mod lamb;
mod lars;
mod novograd;

pub use adafactor::*;
pub use fromage::*;
pub use lamb::*;
pub use lars::*;
pub use novograd::*;

use crate::{ParamKind, Real, vector};

/// The ratio of the norms of the parameter and of its update, by which the update is multiplied; 1 where one of them is 0.
fn trust_ratio<T: Real>(params: &[T], update: &[T], epsilon: f64) -> f64 {
    let [weights, update] = [vector::norm(params), vector::norm(update)];
    if weights == 0.0 || update == 0.0 { 1.0 } else { weights / (update + epsilon) }
}

/// The weight decay of parameters of this kind: only weights are decayed.
fn decay_of(kind: ParamKind, decay: f64) -> f64 {
    if kind == ParamKind::Weight { decay } else { 0.0 }
}
