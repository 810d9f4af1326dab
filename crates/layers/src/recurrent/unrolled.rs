//! The unrolled network: inputs, gates and states of all steps.

use std::ops::Range;

use chainrule_core::carried;
use chainrule_tensor::{Buffer, Real, map};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::cell::GateLayout;

/// What a recurrent layer keeps of all steps, time first: the rows of a step are contiguous, and the steps are in the order
/// in which they are computed.
#[derive(Clone, Debug, Default)]
pub struct Unrolled<T: Real> {
    pub(super) sizes: UnrolledSizes,
    /// The number of rows of the last pass; 0 before the first.
    pub(super) rows: usize,
    /// Whether the states before the first step are those after the previous pass; else they are 0.
    pub(super) resumed: bool,
    /// The inputs, `[steps, rows, inputs]`. The backward pass overwrites them with their gradients.
    pub(super) x: Buffer<T>,
    /// The gates, `[steps, rows, blocks * units]`. The backward pass overwrites them with the gradients of `Z`.
    pub(super) z: Buffer<T>,
    /// Each state before the first step and after every step, `[steps + 1, rows, units]`.
    pub(super) states: [Buffer<T>; 2],
    /// The gradient of each state after the current step of the backward pass, `[rows, units]`.
    pub(super) gradients: [Buffer<T>; 2],
    /// Which rows of a step are padding, `[steps, rows]`.
    pub(super) padding: Vec<bool>,
}

/// The sizes of an [`Unrolled`] network.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnrolledSizes {
    pub(super) steps: usize,
    /// Values of an input step.
    pub(super) inputs: usize,
    /// Values of a state.
    pub(super) units: usize,
    pub(super) gates: GateLayout,
    pub(super) states: usize,
    /// Parameters of the layer.
    pub(super) parameters: usize,
}

impl UnrolledSizes {
    /// The number of values for one row; `None` if it overflows.
    pub(super) fn values(&self) -> Option<usize> {
        let of_units = self.gates.blocks().checked_add(self.states)?.checked_mul(self.units)?;
        let of_states = self.states.checked_mul(self.units)?.checked_mul(2)?;
        self.inputs.checked_add(of_units)?.checked_mul(self.steps)?.checked_add(of_states)
    }
}

impl<T: Real> Unrolled<T> {
    pub(super) fn new(sizes: UnrolledSizes) -> Self {
        Self { sizes, ..Self::default() }
    }

    /// Reserves memory for `rows`, and sets the initial states: the last ones of the previous pass if the layer is
    /// `stateful` and that pass had as many rows, else 0.
    pub(super) fn start(&mut self, rows: usize, stateful: bool) {
        let UnrolledSizes { steps, inputs, units, gates, states, .. } = self.sizes;
        self.resumed = stateful && self.rows == rows;
        self.rows = rows;
        self.x.reserve(steps * rows * inputs);
        self.z.reserve(steps * rows * gates.blocks() * units);
        self.padding.resize(steps * rows, false);
        let size = rows * units;
        for (state, gradient) in self.states.iter_mut().zip(&mut self.gradients).take(states) {
            state.reserve((steps + 1) * size);
            gradient.reserve(size);
            if self.resumed {
                state.copy_within(steps * size..(steps + 1) * size, 0);
            } else {
                state[..size].fill(T::zero());
            }
        }
        if stateful {
            let states = self.states.iter_mut().take(states).map(|state| &mut state[..size]);
            self.resumed = carried::begin(self.resumed, states);
        }
    }

    /// The rows of a step among those of all steps.
    pub(super) fn rows_of(&self, step: usize) -> Range<usize> {
        step * self.rows..(step + 1) * self.rows
    }

    /// The number of columns of `z`.
    pub(super) fn width(&self) -> usize {
        self.sizes.gates.blocks() * self.sizes.units
    }
}

/// Some rows of a matrix with this many columns.
pub(super) fn matrix_rows<T>(values: &[T], rows: Range<usize>, columns: usize) -> ArrayView2<'_, T> {
    let shape = (rows.len(), columns);
    let values = &values[rows.start * columns..rows.end * columns];
    ArrayView2::from_shape(shape, values).expect("the sizes match")
}

/// Some rows of a matrix with this many columns, to be written.
pub(super) fn matrix_rows_mut<T>(
    values: &mut [T],
    rows: Range<usize>,
    columns: usize,
) -> ArrayViewMut2<'_, T> {
    let shape = (rows.len(), columns);
    let values = &mut values[rows.start * columns..rows.end * columns];
    ArrayViewMut2::from_shape(shape, values).expect("the sizes match")
}

/// `to = from`.
pub(super) fn copy<T: Real>(from: ArrayView2<'_, T>, to: ArrayViewMut2<'_, T>) {
    map!(to = |from| from);
}
