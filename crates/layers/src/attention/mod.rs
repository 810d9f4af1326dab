//! Attention, and what transformers are made of. Samples are sequences, `[steps, features]`.
//!
//! Where a layer is `masked`, a step whose features are all exactly 0 is padding: it is seen by nobody, and its output is
//! a step of zeros. So the mask travels in the data, from an `Embedding` with a padding index on.

mod affine;
mod block;
mod class_token;
mod decoder;
mod dot_product;
mod encoder;
mod masked;
mod multi_head;
mod patches;
mod positions;
mod rotary;
mod scores;
mod steps;

pub use class_token::{ClassToken, OneStep};
pub use decoder::{Decoder, TransformerDecoder};
pub use dot_product::{DotProductAttention, Looks};
pub use encoder::{Encoder, TransformerEncoder};
pub use multi_head::{Attention, MultiHeadAttention};
pub use patches::{Image, Patches};
pub use positions::{LearnedPositions, Positions, SinusoidalPositions};
