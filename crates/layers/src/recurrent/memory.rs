//! The memory of a recurrent layer.

use std::ops::Range;

use chainrule_tensor::{Buffer, Real, vector};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::Gates;

/// What a recurrent layer remembers of all steps, time first: the rows of a step lie together, in the order in which
/// the steps are taken.
#[derive(Clone, Debug, Default)]
pub struct Memory<T: Real> {
    pub(super) sizes: Sizes,
    /// How many rows the last pass had; 0 at the start.
    pub(super) rows: usize,
    /// Whether the states before the first step came from the pass before; else they are 0.
    pub(super) carried: bool,
    /// The inputs, `[steps, rows, inputs]`. The backward pass leaves their gradients here.
    pub(super) x: Buffer<T>,
    /// The gates, `[steps, rows, parts * units]`. The backward pass leaves the gradients of the products here.
    pub(super) z: Buffer<T>,
    /// Each state before the first step and after every step, `[steps + 1, rows, units]`.
    pub(super) states: [Buffer<T>; 2],
    /// The gradient of each state after the step that the backward pass is at, `[rows, units]`.
    pub(super) gradients: [Buffer<T>; 2],
    /// Which rows of a step are padding, `[steps, rows]`.
    pub(super) padding: Vec<bool>,
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    pub(super) steps: usize,
    /// Values of an input step.
    pub(super) inputs: usize,
    /// Values of a state.
    pub(super) units: usize,
    pub(super) gates: Gates,
    pub(super) states: usize,
    /// All parameters.
    pub(super) parameters: usize,
}

impl Sizes {
    /// The values that a row takes, if they can be counted.
    pub(super) fn values(&self) -> Option<usize> {
        let of_units = self.gates.parts().checked_add(self.states)?.checked_mul(self.units)?;
        let of_states = self.states.checked_mul(self.units)?.checked_mul(2)?;
        self.inputs.checked_add(of_units)?.checked_mul(self.steps)?.checked_add(of_states)
    }
}

impl<T: Real> Memory<T> {
    pub(super) fn new(sizes: Sizes) -> Self {
        Self { sizes, ..Self::default() }
    }

    /// Makes room for so many rows, and carries the last states to the front or makes them 0.
    pub(super) fn begin(&mut self, rows: usize, carry: bool) {
        let Sizes { steps, inputs, units, gates, states, .. } = self.sizes;
        self.carried = carry && self.rows == rows;
        self.rows = rows;
        self.x.reserve(steps * rows * inputs);
        self.z.reserve(steps * rows * gates.parts() * units);
        self.padding.resize(steps * rows, false);
        let block = rows * units;
        for (state, gradient) in self.states.iter_mut().zip(&mut self.gradients).take(states) {
            state.reserve((steps + 1) * block);
            gradient.reserve(block);
            match self.carried {
                true => state.copy_within(steps * block..(steps + 1) * block, 0),
                false => state[..block].fill(T::zero()),
            }
        }
    }

    /// The rows of a step among those of all.
    pub(super) fn at(&self, step: usize) -> Range<usize> {
        step * self.rows..(step + 1) * self.rows
    }

    /// The columns of `z`.
    pub(super) fn width(&self) -> usize {
        self.sizes.gates.parts() * self.sizes.units
    }
}

/// Some rows of a matrix with so many columns.
pub(super) fn part<T>(values: &[T], rows: Range<usize>, columns: usize) -> ArrayView2<'_, T> {
    let (shape, values) = ((rows.len(), columns), &values[rows.start * columns..rows.end * columns]);
    ArrayView2::from_shape(shape, values).expect("as many values")
}

/// Some rows of a matrix with so many columns, to be written.
pub(super) fn part_mut<T>(values: &mut [T], rows: Range<usize>, columns: usize) -> ArrayViewMut2<'_, T> {
    let (shape, values) = ((rows.len(), columns), &mut values[rows.start * columns..rows.end * columns]);
    ArrayViewMut2::from_shape(shape, values).expect("as many values")
}

/// `to = from`.
pub(super) fn copy<T: Real>(from: ArrayView2<'_, T>, to: ArrayViewMut2<'_, T>) {
    vector::map(
        from,
        to,
        #[inline(always)]
        |v| v,
    );
}

/// `to += from`.
pub(super) fn add<T: Real>(from: ArrayView2<'_, T>, mut to: ArrayViewMut2<'_, T>) {
    from.rows().into_iter().zip(to.rows_mut()).for_each(|(from, to)| vector::add(from, to));
}
