//! Metrics: figures for people, accumulated over batches.
//!
//! The decision here: **a metric is a tally.** It counts batch by batch and keeps no samples, and two tallies of one kind
//! merge ([`Mergeable`]) into what a single one would have counted, so that shards and processes can count independently.
//! Unlike a loss, it needs no gradient.
//!
//! ```
//! use chainrule_metrics::{Accuracy, Measure, Metric};
//! use ndarray::array;
//! let mut accuracy = Accuracy::default();
//! accuracy.update(array![[0.1f32, 0.9], [0.8, 0.2]].view(), &[1u8, 1]);
//! assert_eq!(accuracy.value(), 0.5);
//! ```
#![doc(html_root_url = "https://docs.rs/chainrule-metrics/latest")]

mod accuracy;
mod confusion_matrix;
mod mean;
mod metric;
mod per_step;

pub use accuracy::*;
pub use chainrule_tensor::{Target, TargetView};
pub use confusion_matrix::*;
pub use mean::*;
pub use metric::*;
pub use per_step::*;
