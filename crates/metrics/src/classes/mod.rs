//! Metrics of classes.
//!
//! What they have in common is a [`Decision`]: how outputs and targets become classes.

pub(crate) mod accuracy;
mod average;
mod balanced_accuracy;
mod binary_accuracy;
mod class_counts;
mod class_metric;
mod cohen_kappa;
mod confusion_matrix;
mod decision;
mod definition;
mod dice;
mod exact_match;
mod f_beta;
mod hamming_distance;
mod jaccard;
mod matthews_correlation;
mod negative_predictive_value;
mod precision;
mod recall;
mod specificity;
mod top_k_accuracy;

pub use accuracy::Accuracy;
pub use average::Average;
pub use balanced_accuracy::BalancedAccuracy;
pub use binary_accuracy::BinaryAccuracy;
pub use class_counts::{ClassCounts, OneClass};
pub use class_metric::ClassMetric;
pub use cohen_kappa::{CohenKappa, KappaWeights};
pub use confusion_matrix::{ConfusionCounts, ConfusionMatrix, Normalize};
pub use decision::{Decided, Decision, Task};
pub use dice::Dice;
pub use exact_match::ExactMatch;
pub use f_beta::{F1, FBeta};
pub use hamming_distance::HammingDistance;
pub use jaccard::Jaccard;
pub use matthews_correlation::MatthewsCorrelation;
pub use negative_predictive_value::NegativePredictiveValue;
pub use precision::Precision;
pub use recall::Recall;
pub use specificity::Specificity;
pub use top_k_accuracy::TopKAccuracy;

pub(crate) use decision::{answer, argmax, class_of};
pub(crate) use recall::NO_POSITIVE;
pub(crate) use specificity::NO_NEGATIVE;
