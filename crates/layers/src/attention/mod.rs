//! Attention and transformers. Samples are sequences, `[steps, features]`.
//!
//! If a layer is `masked`, a step whose features are all exactly 0 is padding: no step attends to it, and its output is 0.
//! So the mask travels in the data, starting from an `Embedding` with a padding index.

mod attention_core;
mod class_token;
mod dot_product;
mod interleaved_core;
mod interleaved_pass;
mod masked;
mod multi_head;
mod one_step;
mod patches;
mod positions;
mod projection;
mod rotary;
mod sequences;
mod transformer_block;
mod transformer_decoder;
mod transformer_encoder;

pub use class_token::ClassToken;
pub use dot_product::DotProductAttention;
pub use multi_head::MultiHeadAttention;
pub use one_step::OneStep;
pub use patches::Patches;
pub use positions::{LearnedPositions, SinusoidalPositions};
pub use transformer_decoder::TransformerDecoder;
pub use transformer_encoder::TransformerEncoder;
