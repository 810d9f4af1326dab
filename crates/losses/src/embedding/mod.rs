//! Losses of embeddings: vectors are compared with each other, within a row or over a batch.

mod anchors;
mod circle;
mod contrastive;
mod cosine_embedding;
mod cosine_similarity;
mod distance;
mod hinge_embedding;
mod margin_ranking;
mod nt_xent;
mod ranking_softmax;
mod triplet_margin;
mod triplet_margin_with_distance;

pub use circle::Circle;
pub use contrastive::Contrastive;
pub use cosine_embedding::CosineEmbedding;
pub use cosine_similarity::CosineSimilarity;
pub use distance::Distance;
pub use hinge_embedding::HingeEmbedding;
pub use margin_ranking::MarginRanking;
pub use nt_xent::NtXent;
pub use ranking_softmax::RankingSoftmax;
pub use triplet_margin::TripletMargin;
pub use triplet_margin_with_distance::TripletMarginWithDistance;
