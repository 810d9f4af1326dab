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
    /// A vector whose length is not what a loss takes for this many outputs.
    Values {
        /// The index of the target in its batch.
        row: usize,
        /// Its number of values.
        found: usize,
        /// The number of values that a target has.
        expected: usize,
        /// The number of columns of the outputs.
        columns: usize,
        /// The loss.
        owner: &'static str,
    },
    /// A vector where a class is needed.
    NotAClass {
        /// The index of the target in its batch.
        row: usize,
        /// What needs a class.
        owner: &'static str,
    },
    /// Outputs that cannot be divided into the parts that a loss compares with each other.
    Parts {
        /// The index of the target in its batch.
        row: usize,
        /// The number of columns of the outputs.
        columns: usize,
        /// The number of equal parts.
        parts: usize,
        /// The loss.
        owner: &'static str,
    },
    /// A loss has weights of columns, but not one for each column.
    Weights {
        /// The index of the target in its batch.
        row: usize,
        /// The number of weights.
        found: usize,
        /// The number of columns of the outputs.
        columns: usize,
        /// The loss.
        owner: &'static str,
    },
    /// Labels that cannot be told in the steps that there are.
    Alignment {
        /// The index of the target in its batch.
        row: usize,
        /// The number of its labels.
        labels: usize,
        /// The number of steps that these labels need.
        needed: usize,
        /// The number of steps of the outputs.
        steps: usize,
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
    /// Outputs that are not as wide as the several of a loss are together, or a target without one for each of them.
    Outputs {
        /// The index of the target in its batch.
        row: usize,
        /// The number of columns of all outputs, or of targets.
        found: usize,
        /// What it has to be.
        expected: usize,
        /// `"columns"` or `"targets"`.
        what: &'static str,
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
            | Self::Values { row, .. }
            | Self::NotAClass { row, .. }
            | Self::Parts { row, .. }
            | Self::Weights { row, .. }
            | Self::Alignment { row, .. }
            | Self::Weight { row, .. }
            | Self::NoClass { row, .. }
            | Self::Outputs { row, .. }
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
            | Self::Values { row, .. }
            | Self::NotAClass { row, .. }
            | Self::Parts { row, .. }
            | Self::Weights { row, .. }
            | Self::Alignment { row, .. }
            | Self::Weight { row, .. }
            | Self::NoClass { row, .. }
            | Self::Outputs { row, .. }
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
            Self::Values { row, found, expected, columns, owner } => write!(
                f,
                "target {row} has {found} values, but {owner} takes {expected} for the {columns} outputs: change the target, or the number of outputs"
            ),
            Self::NotAClass { row, owner } => write!(
                f,
                "target {row} is a vector of values, but {owner} takes a class: give an integer such as a u8"
            ),
            Self::Parts { columns, parts, owner, .. } => write!(
                f,
                "{owner} takes outputs in {parts} equal parts, but there are {columns}: give the model a multiple of {parts}"
            ),
            Self::Weights { found, columns, owner, .. } => write!(
                f,
                "{owner} has {found} weights, but there are {columns} outputs: give one weight for each"
            ),
            Self::Alignment { row, labels, needed, steps } => write!(
                f,
                "target {row} has {labels} labels, which need {needed} steps (one between two equal labels), but the outputs have {steps}: give the model more steps, leave the sample out, or let it count 0 with `zero_infinity`"
            ),
            Self::Weight { row, weight } => write!(
                f,
                "target {row} has the weight {weight}, but a weight is a finite number of at least 0: correct it, or give 0 to a sample that should not count"
            ),
            Self::NoClass { row, labels, owner } => write!(
                f,
                "target {row} has {labels} values above 0.5, but {owner} takes targets of one class: if each column is a label of its own, say so with `labels()`"
            ),
            Self::Outputs { row, found, expected, what } => write!(
                f,
                "at target {row} there are {found} {what}, but the loss or the metric takes {expected}: change the outputs of the model, the targets, or the loss or metric"
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
