//! Attention, and what transformers are made of. Samples are sequences, `[steps, features]`.
//!
//! Where a layer is `masked`, a step whose features are all exactly 0 is padding: it is seen by nobody, and its output is
//! a step of zeros. So the mask travels in the data, from an `Embedding` with a padding index on.

mod affine;
mod multi_head;
mod rotary;
mod scores;
mod steps;

pub use multi_head::{Attention, MultiHeadAttention};
