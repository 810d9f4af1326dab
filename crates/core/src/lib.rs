//! The [`Layer`] trait, what puts layers together ([`Plan`], [`Sequential`], [`Residual`], [`Branches`], [`Graph`]), and
//! the gradient check.
//!
//! The decision here: **a layer is an immutable description without weights.** The parameters of a whole
//! model are one flat vector, the gradients another, and a layer is handed its ranges of both. So an
//! optimizer, a clipping, a checkpoint or an exchange between processes is one loop over one slice, and one
//! layer can run on many threads at once. This crate knows no particular layer, and a layer needs nothing
//! but this crate.
//!
#![doc = include_str!("mathematics.md")]

mod branches;
mod frozen;
pub mod gradcheck;
mod graph;
mod graph_cache;
mod init;
mod lambda;
mod layer;
mod merge;
mod param_kind;
mod params;
mod part;
mod plan;
mod residual;
mod sequential;
mod settings;
mod sparse_grad;

pub use branches::Branches;
pub use frozen::{Apart, Frozen};
pub use graph::Graph;
pub use graph_cache::GraphCache;
pub use init::{Constant, Initializer, ParamSpec};
pub use lambda::Lambda;
pub use layer::{Backward, Forward, Layer, Mode};
pub use merge::{Merge, MergeBackward, MergeForward, SideBySide};
pub use param_kind::ParamKind;
pub use params::{Grads, Params};
pub use plan::{Entry, LayerInfo, Plan, ShapeError, ValueError};
pub use residual::{Branch, Residual};
pub use sequential::{Sequential, SequentialCache};
pub use settings::{SettingCheck, SettingError};
pub use sparse_grad::{SparseGrad, TableGrad};
