//! Layers of several inputs.

mod bilinear;
mod concat;
mod dot;
mod elementwise;

pub use bilinear::Bilinear;
pub use concat::{Blocks, Concat};
pub use dot::Dot;
pub use elementwise::{Add, Average, Maximum, Minimum, Multiply, Subtract};
