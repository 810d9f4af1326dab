//! The trait of projections: how a recurrent layer computes its gates.

use std::fmt::Debug;

use chainrule_core::{Description, Mode, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::cell::GateLayout;
use super::unrolled::Unrolled;

/// Computes what a [`Cell`](crate::Cell) is given, `Z`, from the input of each step and the hidden state `H` before it.
///
/// There are two, [`GateProjection`](crate::GateProjection) and [`ConcatProjection`](crate::ConcatProjection), of which the
/// second takes any layer. Only [`Recurrent`](crate::Recurrent) calls the methods.
pub trait RecurrentProjection<T: Real>: Debug + Send + Sync + 'static {
    /// What it keeps between the passes.
    type Cache: Clone + Default + Send + Sync + 'static;

    /// Adds its settings to the description of a cell, which may have another name with this projection.
    fn describe(&self, cell: Description) -> Description {
        cell.with("debug", format!("{self:?}"))
    }

    /// Declares its parameters for samples of shape `input`, which have at least one step, and a cell with these gates.
    /// Returns the shape of a state, and an empty cache.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if it cannot take such steps or serve such a cell.
    fn plan(
        &self,
        input: Shape,
        gates: GateLayout,
        plan: &mut Plan,
    ) -> Result<(Shape, Self::Cache), ShapeError>;

    /// Before the first step: computes the part of `Z` that depends on no state, for all steps at once.
    fn forward_sequence(&self, params: &[T], unrolled: &mut Unrolled<T>, cache: &mut Self::Cache);

    /// Completes the `Z` of one step.
    fn forward_step(
        &self,
        params: &[T],
        step: usize,
        mode: Mode,
        unrolled: &mut Unrolled<T>,
        cache: &mut Self::Cache,
    );

    /// The chain rule for one step, called from the last to the first: adds to the gradient of the state before it, unless
    /// it is the first.
    fn backward_step(
        &self,
        params: &[T],
        grads: &mut [T],
        step: usize,
        share: T,
        unrolled: &mut Unrolled<T>,
        cache: &mut Self::Cache,
    );

    /// After the first step: the rest of the chain rule, for all steps at once. With `input_gradient`, the gradient of the
    /// input overwrites the input.
    fn backward_sequence(
        &self,
        params: &[T],
        grads: &mut [T],
        input_gradient: bool,
        unrolled: &mut Unrolled<T>,
        cache: &mut Self::Cache,
    );
}
