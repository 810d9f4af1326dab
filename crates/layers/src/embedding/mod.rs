//! Tables of vectors that are looked up by ids.

mod bag;
mod lookup;
pub(crate) mod start;
mod table;

pub use bag::{Bag, EmbeddingBag};
pub use lookup::Embedding;
