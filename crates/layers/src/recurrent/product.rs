//! How a recurrent layer comes to its gates.

use std::fmt::Debug;

use chainrule_core::{Mode, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::{Gates, Memory};

/// Computes what a [`Cell`](super::Cell) is given, `Z`, from the input of each step and the state `H` before it.
///
/// There are two, [`Affine`](super::Affine) and [`Joined`](super::Joined), of which the second takes any layer. The
/// methods are for [`Recurrent`](super::Recurrent) to call.
pub trait Product<T: Real>: Debug + Send + Sync + 'static {
    /// What it remembers between the passes.
    type Cache: Clone + Default + Send + Sync + 'static;

    /// Declares its parameters for samples of shape `input`, of at least one step, and a cell with these gates;
    /// returns the shape of a state, and an empty cache.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if it cannot take such steps or serve such a cell.
    fn plan(&self, input: Shape, gates: Gates, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError>;

    /// Before the first step: the part of all `Z` that depends on no state.
    fn begin(&self, params: &[T], memory: &mut Memory<T>, cache: &mut Self::Cache);

    /// Completes the `Z` of one step.
    fn forward(&self, params: &[T], step: usize, mode: Mode, memory: &mut Memory<T>, cache: &mut Self::Cache);

    /// The chain rule for one step, from the last to the first: adds to the gradient of the state before it, unless it
    /// is the first.
    fn backward(
        &self,
        params: &[T],
        grads: &mut [T],
        step: usize,
        share: T,
        memory: &mut Memory<T>,
        cache: &mut Self::Cache,
    );

    /// After the first step: the rest of the chain rule, for all steps at once. If the gradient of the input is
    /// `wanted`, it takes the place of the input.
    fn end(
        &self,
        params: &[T],
        grads: &mut [T],
        wanted: bool,
        memory: &mut Memory<T>,
        cache: &mut Self::Cache,
    );
}
