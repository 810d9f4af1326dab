//! Targets that cannot be used.

use std::error::Error;
use std::fmt;

use crate::real::Real;

/// A target that does not fit the outputs, or that a loss or a metric is not defined for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TargetError {
    /// A class without a column.
    Class {
        /// The index of the target in its batch.
        row: usize,
        /// Its class.
        class: usize,
        /// The number of classes that the outputs have.
        columns: usize,
    },
    /// A number of steps that does not divide the outputs.
    Steps {
        /// The index of the target in its batch.
        row: usize,
        /// Its number of steps.
        steps: usize,
        /// The number of columns of the outputs.
        columns: usize,
    },
    /// A vector whose length differs from the outputs'.
    Length {
        /// The index of the target in its batch.
        row: usize,
        /// Its number of values.
        found: usize,
        /// The number of columns of the outputs.
        columns: usize,
    },
    /// A value that cannot be a target.
    Value {
        /// The index of the target in its batch.
        row: usize,
        /// The index of the value in the target.
        column: usize,
        /// The value.
        value: f64,
        /// What is allowed, such as `"a number from 0 to 1"`.
        allowed: &'static str,
        /// For what: the loss or the metric.
        owner: &'static str,
    },
    /// A weight that is negative, infinite or NaN.
    Weight {
        /// The index of the target in its batch.
        row: usize,
        /// The weight.
        weight: f64,
    },
    /// A vector that does not say one class.
    NoClass {
        /// The index of the target in its batch.
        row: usize,
        /// The number of its values that are above 0.5.
        labels: usize,
        /// The metric that needs a class.
        owner: &'static str,
    },
    /// A step of a target that does not fit the outputs of that step.
    Step {
        /// The index of the target in its batch.
        row: usize,
        /// What is wrong; its row is the index of the step.
        source: Box<TargetError>,
    },
}

impl TargetError {
    /// The error of a value that `owner` does not allow. An `f32` is shown as it is written: 0.1, not 0.10000000149.
    pub fn value<T: Real>(
        row: usize,
        column: usize,
        value: T,
        allowed: &'static str,
        owner: &'static str,
    ) -> Self {
        let written = value.to_string().parse().unwrap_or(value.as_f64());
        Self::Value { row, column, value: written, allowed, owner }
    }

    /// The index of the target in its batch.
    pub fn row(&self) -> usize {
        match *self {
            Self::Class { row, .. }
            | Self::Steps { row, .. }
            | Self::Length { row, .. }
            | Self::Value { row, .. }
            | Self::Weight { row, .. }
            | Self::NoClass { row, .. }
            | Self::Step { row, .. } => row,
        }
    }

    /// The same error in a batch with this many rows before those that were checked.
    #[must_use]
    pub fn after(mut self, rows: usize) -> Self {
        match &mut self {
            Self::Class { row, .. }
            | Self::Steps { row, .. }
            | Self::Length { row, .. }
            | Self::Value { row, .. }
            | Self::Weight { row, .. }
            | Self::NoClass { row, .. }
            | Self::Step { row, .. } => *row += rows,
        }
        self
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Class { row, class, columns } => write!(
                f,
                "target {row} is class {class}, but the outputs are for classes 0 to {}: give the model more outputs, or look for a wrong label",
                columns.saturating_sub(1)
            ),
            Self::Steps { row, steps, columns } => write!(
                f,
                "target {row} has {steps} steps, but the {columns} outputs cannot be divided into so many: give one target per step"
            ),
            Self::Length { row, found, columns } => write!(
                f,
                "target {row} has {found} values, but a row of outputs has {columns}: give the model {found} outputs"
            ),
            Self::Value { row, column, value, allowed, owner } => write!(
                f,
                "target {row} has the value {value} at {column}, but {owner} takes {allowed}: correct the target, or use a loss or a metric for such targets"
            ),
            Self::Weight { row, weight } => write!(
                f,
                "target {row} has the weight {weight}, but a weight is a finite number of at least 0: correct it, or give 0 to a sample that should not count"
            ),
            Self::NoClass { row, labels, owner } => write!(
                f,
                "target {row} has {labels} values above 0.5, but {owner} takes targets of one class: if each column is a label of its own, say so with `labels()`"
            ),
            Self::Step { row, .. } => {
                write!(f, "a step of target {row} does not fit the outputs of that step")
            }
        }
    }
}

impl Error for TargetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Step { source, .. } => Some(source),
            _ => None,
        }
    }
}
