//! Embeddings: tables of vectors that are looked up by ids.

#[expect(clippy::module_inception, reason = "a file is named after its layer")]
mod embedding;
mod embedding_bag;
mod table;

pub use embedding::Embedding;
pub use embedding_bag::EmbeddingBag;
