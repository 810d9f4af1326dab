//! Layers of several inputs.
//!
//! Those that act place by place, from [`Add`] to [`Minimum`], broadcast their inputs, as numpy, PyTorch and Keras do. The axes of
//! the samples are compared from the last to the first (the batch is none of them), and where the inputs differ in length,
//! those of length 1 or without the axis are repeated: `[8, 5, 6]` goes together with `[8, 1, 1]`, `[5, 1]` and `[6]`, but
//! with `[8]` only where that is reshaped to `[8, 1, 1]`. Where place `p` of the output has the value `q(p)` of an input `b`,
//! the gradient of that value is the sum over its places:
//!
//! > `y[p] = f(a[p], b[q(p)])`, `db[q] = Σ dy[p] ∂f/∂b` over all `p` with `q(p) = q`

mod bilinear;
mod broadcast;
mod concat;
mod dot;
mod elementwise;

pub use bilinear::Bilinear;
pub use broadcast::Broadcast;
pub use concat::{Blocks, Concat};
pub use dot::Dot;
pub use elementwise::{Add, Average, Maximum, Minimum, Multiply, Subtract};
