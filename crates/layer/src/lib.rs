//! The [`Layer`] trait, and what puts layers together: [`Plan`], [`Sequential`], [`Residual`] and the
//! gradient check.
//!
//! The decision here: **a layer is an immutable description without weights.** The parameters of a whole
//! model are one flat vector, the gradients another, and a layer is handed its ranges of both. So an
//! optimizer, a clipping, a checkpoint or an exchange between processes is one loop over one slice, and one
//! layer can run on many threads at once. This crate knows no particular layer, and a layer needs nothing
//! but this crate.
//!
#![doc = include_str!("mathematics.md")]

pub mod check;
mod init;
mod joint;
mod layer;
mod plan;
mod residual;
mod sequential;

pub use init::{Blank, Constant, Initializer};
pub use joint::{Joint, JointBackward, JointForward, SideBySide};
pub use layer::{Backward, Forward, Layer, Mode};
pub use plan::{Entry, Plan, Row, ShapeError, ValueError};
pub use residual::{Branch, Residual};
pub use sequential::{Chain, Sequential};
