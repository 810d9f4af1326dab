//! The traits that every loss implements.

use std::fmt::Debug;

use chainrule_core::{Description, Kind, SettingError};
use chainrule_tensor::{Buffer, Outputs, Real, TargetError, vector};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use crate::total::{BLOCK, total};
use crate::{Domain, Reduction, Scope};

/// What a loss is, whatever the types of its numbers and targets: what it takes the outputs for, the targets for which it is
/// defined, what becomes of the rows' losses, and its settings.
pub trait Criterion: Debug + Send + Sync {
    /// What the loss takes the outputs for, so that a metric that takes them for something else is noticed.
    fn outputs(&self) -> Outputs;

    /// The targets for which the loss is defined.
    fn domain(&self) -> Domain;

    /// What this is: that of its entry, if it has one (see [`describe!`](chainrule_core::describe!)).
    fn description(&self) -> Description {
        Description::of_debug(self)
    }

    /// What the sum of the rows' losses is divided by.
    fn reduction(&self) -> Reduction {
        Reduction::Mean
    }

    /// Checks the settings before training starts.
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    fn validate(&self) -> Result<(), SettingError> {
        Ok(())
    }
}

/// The distance of outputs `y`, `[rows, columns]`, from their targets.
///
/// A loss computes the loss of each row, in double precision; what is made of the rows' losses is not up to it. One that computes
/// each row for itself from a class or a vector implements [`RowLoss`](crate::RowLoss) instead, and one that is the mean over the
/// columns [`ColumnLoss`](crate::ColumnLoss), which is two formulas.
pub trait Loss<T: Real, Y>: Criterion {
    /// Writes the loss of each row times its weight, and the gradient if it is requested: see [`LossPass`].
    ///
    /// The targets have passed [`check`](Self::check). It allocates nothing but scratch space that grows to its size once. A row's
    /// results do not depend on the others, unless the [`scope`](Self::scope) is the batch: then these are all of its rows.
    fn rows(&self, pass: LossPass<'_, T, Y>);

    /// Checks that the targets fit outputs with this many columns, and that the loss is defined for them:
    /// [`Domain::check`] does. It is called for every batch, so it is cheap.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not fit.
    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError>;

    /// What a row's loss depends on, and whether rows have [`weights`](Self::weights).
    fn scope(&self) -> Scope {
        Scope::Row
    }

    /// Writes the weight of each row, which is a part of what the mean divides by. It is called where [`scope`](Self::scope) says
    /// that rows have weights.
    fn weights(&self, _targets: &[Y], weights: &mut [f64]) {
        weights.fill(1.0);
    }

    /// Returns `scale` times the [`total`](crate::total) of the rows' losses, and overwrites `dy`, if it is given, with the
    /// gradient of that with respect to `y`. For the mean, `scale` is 1 / the number of rows of the whole batch, or 1 / the sum of
    /// their weights, where they have any.
    ///
    /// The targets have passed [`check`](Self::check). It allocates nothing, unless the loss needs scratch space, or all rows
    /// together.
    ///
    /// # Panics
    ///
    /// If there is not one target for each row.
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[Y], scale: T, dy: Option<ArrayViewMut2<'_, T>>) -> T {
        scaled_total(self.scope(), &|pass| self.rows(pass), y, targets, scale, dy)
    }

    /// The loss of a whole batch as its [`reduction`](Criterion::reduction) says, with its gradient if `dy` is given: the mean,
    /// weighted where rows have weights.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not fit.
    ///
    /// # Panics
    ///
    /// If there is not one target for each row.
    fn reduced(
        &self,
        y: ArrayView2<'_, T>,
        targets: &[Y],
        dy: Option<ArrayViewMut2<'_, T>>,
    ) -> Result<T, TargetError> {
        self.check(y.ncols(), targets)?;
        let rows = targets.len();
        let weight = total_weight(self.scope(), rows, &|weights| self.weights(targets, weights));
        let scale = self.reduction().factor(rows, weight);
        Ok(self.loss(y, targets, T::of(scale), dy))
    }
}

/// [`Loss::loss`], for a loss that computes its rows so: compiled once for all losses.
fn scaled_total<T: Real, Y>(
    scope: Scope,
    compute: &dyn Fn(LossPass<'_, T, Y>),
    y: ArrayView2<'_, T>,
    targets: &[Y],
    scale: T,
    mut dy: Option<ArrayViewMut2<'_, T>>,
) -> T {
    assert_eq!(targets.len(), y.nrows(), "one target for each row");
    let scale = scale.as_f64();
    let mut scratch = Buffer::default();
    if scope == Scope::Batch {
        let mut losses = vec![0.0; targets.len()];
        compute(LossPass { y, targets, scale, dy, losses: &mut losses, scratch: &mut scratch });
        return T::of(scale * total(losses));
    }
    let mut total = 0.0;
    let mut losses = [0.0; BLOCK];
    for first in (0..y.nrows()).step_by(BLOCK) {
        let rows = first..y.nrows().min(first + BLOCK);
        let losses = &mut losses[..rows.len()];
        compute(LossPass {
            y: y.slice(s![rows.clone(), ..]),
            targets: &targets[rows.clone()],
            scale,
            dy: dy.as_mut().map(|dy| dy.slice_mut(s![rows, ..])),
            losses,
            scratch: &mut scratch,
        });
        total += vector::sum(losses);
    }
    T::of(scale * total)
}

/// The sum of the weights of a batch's rows, of which `weigh` writes those that are not 1.
fn total_weight(scope: Scope, rows: usize, weigh: &dyn Fn(&mut [f64])) -> f64 {
    match scope {
        Scope::Row => rows as f64,
        Scope::WeightedRow | Scope::Batch => {
            let mut weights = vec![0.0; rows];
            weigh(&mut weights);
            total(weights)
        }
    }
}

/// What a loss is given, and where its results go.
#[derive(Debug)]
pub struct LossPass<'a, T, Y> {
    /// The outputs, `[rows, columns]`.
    pub y: ArrayView2<'a, T>,
    /// The target of each row.
    pub targets: &'a [Y],
    /// The factor of the gradient: 1 / the number of rows of the whole batch, for the mean, or 1 / the sum of their weights.
    pub scale: f64,
    /// Where it is given, it is overwritten with the gradient of `scale Σ losses` with respect to `y`.
    pub dy: Option<ArrayViewMut2<'a, T>>,
    /// Overwritten with the loss of each row times its weight, which `scale` is no factor of.
    pub losses: &'a mut [f64],
    /// Scratch space that the caller keeps, for a loss to reserve what it needs.
    pub scratch: &'a mut Buffer<f64>,
}

impl<T, Y> LossPass<'_, T, Y> {
    /// The same pass once more, for a loss that is computed in several parts.
    pub fn reborrow(&mut self) -> LossPass<'_, T, Y> {
        LossPass {
            y: self.y.view(),
            targets: self.targets,
            scale: self.scale,
            dy: self.dy.as_mut().map(|dy| dy.view_mut()),
            losses: &mut *self.losses,
            scratch: &mut *self.scratch,
        }
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<L: Criterion + ?Sized> Criterion for $pointer {
            fn outputs(&self) -> Outputs {
                (**self).outputs()
            }

            fn domain(&self) -> Domain {
                (**self).domain()
            }

            fn description(&self) -> Description {
                (**self).description()
            }

            fn reduction(&self) -> Reduction {
                (**self).reduction()
            }

            fn validate(&self) -> Result<(), SettingError> {
                (**self).validate()
            }
        }

        impl<T: Real, Y, L: Loss<T, Y> + ?Sized> Loss<T, Y> for $pointer {
            fn rows(&self, pass: LossPass<'_, T, Y>) {
                (**self).rows(pass);
            }

            fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
                (**self).check(columns, targets)
            }

            fn scope(&self) -> Scope {
                (**self).scope()
            }

            fn weights(&self, targets: &[Y], weights: &mut [f64]) {
                (**self).weights(targets, weights);
            }
        }
    )*};
}
forward!(&L, Box<L>);

impl<T: Real, Y: 'static> Kind for Box<dyn Loss<T, Y>> {
    const KIND: &'static str = "loss";
    const KINDS: &'static str = "losses";

    fn description(&self) -> Description {
        (**self).description()
    }
}

/// Lets the targets of a loss be checked without saying for which type of numbers, which a class does not tell.
#[doc(hidden)]
#[macro_export]
macro_rules! checks_any_target {
    ($loss:ty) => {
        impl $loss {
            /// Checks that the targets fit outputs with this many columns, and that the loss is defined for them, as
            /// `Loss::check` does.
            ///
            /// # Errors
            ///
            /// `TargetError` for the first target that does not fit.
            pub fn check<Y: $crate::AnyTarget>(
                &self,
                columns: usize,
                targets: &[Y],
            ) -> Result<(), $crate::TargetError> {
                $crate::Criterion::domain(self).check_any(columns, targets)
            }
        }
    };
}
