//! Layers that only act in training, against learning by heart.

mod dropout;

pub use dropout::{Dropout, Mask};
