//! Tables of vectors that are looked up by ids.

mod bag;
mod lookup;
mod table;

pub use bag::{Bag, EmbeddingBag};
pub use lookup::Embedding;
