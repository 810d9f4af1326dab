//! Layers made of other layers.

pub(crate) mod any;
pub(crate) mod branches;
mod erased;
pub(crate) mod frozen;
pub(crate) mod graph;
pub(crate) mod kinds;
pub(crate) mod lambda;
pub(crate) mod new;
pub(crate) mod residual;
pub(crate) mod sequential;
pub(crate) mod side_by_side;
