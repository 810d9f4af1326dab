//! The trait that every loss implements.

use std::fmt::Debug;

use chainrule_core::SettingError;
use chainrule_tensor::{Real, Target, TargetView};
use ndarray::{ArrayView2, ArrayViewMut2};

/// How far the outputs `y`, `[rows, columns]`, are from their targets.
pub trait Loss<T: Real, Y>: Debug + Send + Sync {
    /// `scale` times the sum of the losses of the rows; overwrites `dy`, if it is wanted, with the gradient of
    /// that with respect to `y`. `scale` is one by the number of rows of the whole batch for the mean.
    ///
    /// The targets have passed [`check`](Self::check). It allocates nothing.
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[Y], scale: T, dy: Option<ArrayViewMut2<'_, T>>) -> T;

    /// Whether the targets fit outputs of this many columns. Called for every batch, so it is cheap.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not.
    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError>;

    /// Looks for a setting that cannot work, before training starts.
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    fn validate(&self) -> Result<(), SettingError> {
        Ok(())
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Real, Y, L: Loss<T, Y> + ?Sized> Loss<T, Y> for $pointer {
            fn loss(
                &self,
                y: ArrayView2<'_, T>,
                targets: &[Y],
                scale: T,
                dy: Option<ArrayViewMut2<'_, T>>,
            ) -> T {
                (**self).loss(y, targets, scale, dy)
            }

            fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
                (**self).check(columns, targets)
            }

            fn validate(&self) -> Result<(), SettingError> {
                (**self).validate()
            }
        }
    )*};
}
forward!(&L, Box<L>);

/// A target that does not fit the outputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// A class that has no column.
    #[error("target {row} is class {class}, but the outputs are for classes 0 to {}: give the model more outputs, or look for a wrong label", columns.saturating_sub(1))]
    Class {
        /// Which target of the batch.
        row: usize,
        /// Its class.
        class: usize,
        /// How many columns the outputs have.
        columns: usize,
    },
    /// Targets for a number of steps that the outputs do not have.
    #[error(
        "target {row} has {steps} steps, which the {columns} outputs cannot be cut into: give a target for each step"
    )]
    Steps {
        /// Which target of the batch.
        row: usize,
        /// How many steps it has.
        steps: usize,
        /// How many columns the outputs have.
        columns: usize,
    },
    /// A vector of another length than the outputs.
    #[error(
        "target {row} has {found} values, but the outputs have {columns}: give the model as many outputs"
    )]
    Length {
        /// Which target of the batch.
        row: usize,
        /// How many values it has.
        found: usize,
        /// How many columns the outputs have.
        columns: usize,
    },
    /// One of a target's steps does not fit the outputs of its step.
    #[error("of the steps of target {row}, {source}")]
    Step {
        /// Which target of the batch.
        row: usize,
        /// What is wrong, with the step in the place of the row.
        source: Box<TargetError>,
    },
}

impl TargetError {
    /// Which target of the batch it is.
    pub fn row(&self) -> usize {
        match *self {
            Self::Class { row, .. } | Self::Steps { row, .. } => row,
            Self::Length { row, .. } | Self::Step { row, .. } => row,
        }
    }

    /// The same error in a batch that has so many rows before those that were looked at.
    #[must_use]
    pub fn after(mut self, rows: usize) -> Self {
        match &mut self {
            Self::Class { row, .. } | Self::Steps { row, .. } => *row += rows,
            Self::Length { row, .. } | Self::Step { row, .. } => *row += rows,
        }
        self
    }
}

/// Checks classes against `classes` and vectors against `columns`.
pub(crate) fn check<T: Real, Y: Target<T>>(
    columns: usize,
    classes: usize,
    targets: &[Y],
) -> Result<(), TargetError> {
    targets.iter().enumerate().try_for_each(|(row, target)| match target.view() {
        TargetView::Class(class) if class >= classes => {
            Err(TargetError::Class { row, class, columns: classes })
        }
        TargetView::Values(values) if values.len() != columns => {
            Err(TargetError::Length { row, found: values.len(), columns })
        }
        _ => Ok(()),
    })
}
