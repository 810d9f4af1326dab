//! A step that may leave the [range](super::range) of its numbers: every number is looked at, and if one is not finite, the
//! parameters and the optimizer's state are what they were before.

use std::sync::{Mutex, PoisonError};

use chainrule_core::ParamKind;
use chainrule_tensor::{Buffer, Real, vector};

use super::buckets::Buckets;

/// A quantity of a step that must be finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    Gradient,
    /// A running statistic.
    Statistic,
    Parameter,
    State,
}

impl Watched {
    pub(crate) const ALL: [Self; 4] = [Self::Gradient, Self::Statistic, Self::Parameter, Self::State];
}

/// A number that is too large, or NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) watched: Watched,
    /// The index of the parameter that it belongs to.
    pub(crate) index: usize,
    pub(crate) value: f64,
}

/// Looks at numbers on all threads, and remembers what it finds.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    found: Mutex<Option<Finding>>,
}

impl Watch {
    /// Looks at the gradients of parameters of this kind from `start` on, of which none may be larger than `limit`, or at the next values of
    /// running statistics.
    pub(crate) fn look_at_gradients<T: Real>(&self, kind: ParamKind, values: &[T], start: usize, limit: T) {
        let index = |position| start + position;
        match kind {
            ParamKind::Frozen => {}
            ParamKind::Buffer => self.look(Watched::Statistic, values, T::max_value(), index),
            ParamKind::Weight | ParamKind::Bias => self.look(Watched::Gradient, values, limit, index),
        }
    }

    /// Notes a value whose absolute value is above `limit`, or that is NaN. `index` is that of the parameter that the value at
    /// a position belongs to.
    pub(crate) fn look<T: Real>(
        &self,
        watched: Watched,
        values: &[T],
        limit: T,
        index: impl Fn(usize) -> usize,
    ) {
        let within = |value: T| value.abs() <= limit;
        if within(vector::largest(values)) {
            return;
        }
        let Some(position) = values.iter().position(|&value| !within(value)) else { return };
        let finding = Finding { watched, index: index(position), value: values[position].as_f64() };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        // The first parameter, whichever thread finds it.
        if found.is_none_or(|other| finding.index < other.index) {
            *found = Some(finding);
        }
    }

    /// The finding with the smallest index.
    pub(crate) fn found(&self) -> Option<Finding> {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies of the parameters and of the optimizer's state, except of tables, of which a step updates few rows: they copy these
/// rows themselves ([`RowCopies`]). Empty until the first careful step.
#[derive(Debug, Default)]
pub(crate) struct Copies<T> {
    pub(crate) params: Buffer<T>,
    pub(crate) state: Buffer<T>,
    pub(crate) numbers: Vec<f64>,
}

impl<T: Real> Copies<T> {
    /// Copies what a step can change. The buffers have the sizes of the slices.
    pub(crate) fn take(&mut self, buckets: &Buckets, params: &[T], state: &[T], numbers: &[f64]) {
        self.numbers.clear();
        self.numbers.extend_from_slice(numbers);
        for (range, of_state) in buckets.without_tables() {
            self.params[range.clone()].copy_from_slice(&params[range]);
            self.state[of_state.clone()].copy_from_slice(&state[of_state]);
        }
    }

    /// Undoes a step.
    pub(crate) fn restore<'a>(
        &self,
        buckets: &Buckets,
        rows: impl Iterator<Item = &'a RowCopies<T>>,
        slots: usize,
        params: &mut [T],
        state: &mut [T],
        numbers: &mut [f64],
    ) {
        numbers.copy_from_slice(&self.numbers);
        for (range, of_state) in buckets.without_tables() {
            params[range.clone()].copy_from_slice(&self.params[range]);
            state[of_state.clone()].copy_from_slice(&self.state[of_state]);
        }
        rows.for_each(|rows| rows.restore(slots, params, state));
    }
}

/// Rows of tables with their state, as they were before a careful step.
#[derive(Clone, Debug)]
pub(crate) struct RowCopies<T> {
    /// Where each row begins in the flat parameters, and the number of its columns.
    rows: Vec<(usize, usize)>,
    /// The parameters of a row, then its state.
    values: Vec<T>,
}

impl<T> Default for RowCopies<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), values: Vec::new() }
    }
}

impl<T: Real> RowCopies<T> {
    /// Forgets all rows.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.values.clear();
    }

    /// Adds a row that begins at `start` in the flat parameters.
    pub(crate) fn add(&mut self, start: usize, params: &[T], state: &[T]) {
        self.rows.push((start, params.len()));
        self.values.extend_from_slice(params);
        self.values.extend_from_slice(state);
    }

    /// Undoes what was done to these rows.
    pub(crate) fn restore(&self, slots: usize, params: &mut [T], state: &mut [T]) {
        let mut rest = &self.values[..];
        for &(start, columns) in &self.rows {
            let (of_params, after) = rest.split_at(columns);
            let (of_state, after) = after.split_at(slots * columns);
            params[start..start + columns].copy_from_slice(of_params);
            state[slots * start..slots * (start + columns)].copy_from_slice(of_state);
            rest = after;
        }
    }
}
