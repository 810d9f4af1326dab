//! Optimizers that evaluate a batch more than once in a step.

mod lbfgs;
mod sam;
mod wolfe;

pub use lbfgs::*;
pub use sam::*;
