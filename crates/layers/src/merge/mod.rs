//! Layers that merge several inputs.
//!
//! The elementwise ones, from [`Add`] to [`Minimum`], broadcast their inputs, as NumPy, PyTorch and Keras do. The axes of the samples
//! are compared from the last to the first (the batch is not one of them), and where the lengths differ, an input of length 1 or
//! without the axis is repeated: `[8, 5, 6]` is compatible with `[8, 1, 1]`, `[5, 1]` and `[6]`, and with `[8]` if that is
//! reshaped to `[8, 1, 1]`. If index `p` of the output uses the value at index `q(p)` of an input `b`, the gradient of that value
//! is the sum over all of its uses:
//!
//! > `y[p] = f(a[p], b[q(p)])`, `db[q] = Σ dy[p] ∂f/∂b` over all `p` with `q(p) = q`

mod bilinear;
mod broadcast;
mod concat;
mod dot;
mod elementwise;

pub use bilinear::Bilinear;
pub use concat::Concat;
pub use dot::Dot;
pub use elementwise::{Add, Average, Maximum, Minimum, Multiply, Subtract};
