//! The trait that every loss implements.

use std::fmt::Debug;

use chainrule_core::SettingError;
use chainrule_tensor::{Real, Target, TargetView};
use ndarray::{ArrayView2, ArrayViewMut2};

/// The distance of outputs `y`, `[rows, columns]`, from their targets.
pub trait Loss<T: Real, Y>: Debug + Send + Sync {
    /// Returns `scale` times the sum of the rows' losses, and overwrites `dy`, if it is given, with the gradient of that
    /// with respect to `y`. For the mean, `scale` is 1 / the number of rows of the whole batch.
    ///
    /// The targets have passed [`check`](Self::check). It allocates nothing.
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[Y], scale: T, dy: Option<ArrayViewMut2<'_, T>>) -> T;

    /// Checks that the targets fit outputs with this many columns. It is called for every batch, so it is cheap.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not fit.
    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError>;

    /// Checks the settings before training starts.
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
    /// A class without a column.
    #[error("target {row} is class {class}, but the outputs are for classes 0 to {}: give the model more outputs, or look for a wrong label", columns.saturating_sub(1))]
    Class {
        /// The index of the target in its batch.
        row: usize,
        /// Its class.
        class: usize,
        /// The number of columns of the outputs.
        columns: usize,
    },
    /// A number of steps that does not divide the outputs.
    #[error(
        "target {row} has {steps} steps, but the {columns} outputs cannot be divided into so many: give one target per step"
    )]
    Steps {
        /// The index of the target in its batch.
        row: usize,
        /// Its number of steps.
        steps: usize,
        /// The number of columns of the outputs.
        columns: usize,
    },
    /// A vector whose length differs from the outputs'.
    #[error(
        "target {row} has {found} values, but a row of outputs has {columns}: give the model {found} outputs"
    )]
    Length {
        /// The index of the target in its batch.
        row: usize,
        /// Its number of values.
        found: usize,
        /// The number of columns of the outputs.
        columns: usize,
    },
    /// A step of a target that does not fit the outputs of that step.
    #[error("a step of target {row} does not fit the outputs of that step")]
    Step {
        /// The index of the target in its batch.
        row: usize,
        /// What is wrong; its row is the index of the step.
        source: Box<TargetError>,
    },
}

impl TargetError {
    /// The index of the target in its batch.
    pub fn row(&self) -> usize {
        match *self {
            Self::Class { row, .. } | Self::Steps { row, .. } => row,
            Self::Length { row, .. } | Self::Step { row, .. } => row,
        }
    }

    /// The same error in a batch with this many rows before those that were checked.
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
