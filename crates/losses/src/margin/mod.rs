//! Losses that are 0 where the right side is ahead by a margin.

mod categorical_hinge;
mod hinge;
mod multi_label_margin;
mod multi_label_soft_margin;
mod multi_margin;
mod multiclass_hinge;
mod perceptron;
mod soft_margin;
mod squared_hinge;

pub use categorical_hinge::CategoricalHinge;
pub use hinge::Hinge;
pub use multi_label_margin::MultiLabelMargin;
pub use multi_label_soft_margin::MultiLabelSoftMargin;
pub use multi_margin::MultiMargin;
pub use multiclass_hinge::MulticlassHinge;
pub use perceptron::{MulticlassPerceptron, Perceptron};
pub use soft_margin::SoftMargin;
pub use squared_hinge::SquaredHinge;
