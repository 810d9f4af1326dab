//! Layers that move values, and compute nothing.

mod flatten;

pub use flatten::Flatten;
