//! The targets for which a loss is defined.

use chainrule_tensor::{AnyTarget, AnyTargetView, Real, Target, TargetError, TargetView};

/// The targets for which a loss is defined: the range of their values, and what a class stands for.
///
/// ```
/// use chainrule_losses::Domain;
/// let domain = Domain::probabilities("CrossEntropy");
/// assert!(domain.check_any(2, &[[0.25, 0.75]]).is_ok());
/// let error = domain.check_any(2, &[[0.0, 1.0], [1.0, -1.0]]).unwrap_err();
/// assert!(error.to_string().starts_with("target 1 has the value -1 at 1, but CrossEntropy takes numbers from 0 to 1"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Domain {
    owner: &'static str,
    low: f64,
    high: f64,
    allowed: &'static str,
    yes_or_no: bool,
}

impl Domain {
    /// All finite numbers. `owner` is the loss, as errors name it.
    pub const fn finite(owner: &'static str) -> Self {
        Self::between(owner, -f64::MAX, f64::MAX, "finite numbers")
    }

    /// Finite numbers that are not negative.
    pub const fn not_negative(owner: &'static str) -> Self {
        Self::between(owner, 0.0, f64::MAX, "finite numbers of at least 0")
    }

    /// Numbers from 0 to 1.
    pub const fn probabilities(owner: &'static str) -> Self {
        Self::between(owner, 0.0, 1.0, "numbers from 0 to 1")
    }

    /// Numbers from `low` to `high`, both included; `allowed` says so in words, in the plural.
    pub const fn between(owner: &'static str, low: f64, high: f64, allowed: &'static str) -> Self {
        Self { owner, low, high, allowed, yes_or_no: false }
    }

    /// Where the outputs have a single column, the classes are 0 and 1, and the class is the target value. Otherwise a class
    /// stands for its one-hot vector, which of a single column is the value 1 of class 0.
    #[must_use]
    pub const fn yes_or_no(self) -> Self {
        Self { yes_or_no: true, ..self }
    }

    /// Checks that targets fit outputs with this many columns, and are in the domain.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not fit.
    pub fn check<T: Real, Y: Target<T>>(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        let mut targets = targets.iter().enumerate();
        targets.try_for_each(|(row, target)| {
            check_weight(row, target.weight())?;
            self.check_one(columns, row, target.view())
        })
    }

    /// As [`check`](Self::check), for targets of either type of numbers.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_any<Y: AnyTarget>(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        targets.iter().enumerate().try_for_each(|(row, target)| {
            check_weight(row, target.weight())?;
            match target.any() {
                AnyTargetView::Class(class) => self.check_one(columns, row, TargetView::<f64>::Class(class)),
                AnyTargetView::Single(values) => self.check_one(columns, row, TargetView::Values(values)),
                AnyTargetView::Double(values) => self.check_one(columns, row, TargetView::Values(values)),
            }
        })
    }

    fn check_one<T: Real>(
        &self,
        columns: usize,
        row: usize,
        target: TargetView<'_, T>,
    ) -> Result<(), TargetError> {
        match target {
            TargetView::Class(class) => {
                let classes = if self.yes_or_no { columns.max(2) } else { columns };
                if class >= classes {
                    return Err(TargetError::Class { row, class, columns: classes });
                }
            }
            TargetView::Values(values) => {
                if values.len() != columns {
                    return Err(TargetError::Length { row, found: values.len(), columns });
                }
                // All first, which is a loop without branches; NaN is in no range.
                let inside = |value: T| value.as_f64() >= self.low && value.as_f64() <= self.high;
                if !values.iter().fold(true, |all, &value| all & inside(value)) {
                    let column = values.iter().position(|&value| !inside(value)).unwrap_or(0);
                    return Err(TargetError::value(row, column, values[column], self.allowed, self.owner));
                }
            }
        }
        Ok(())
    }

    /// Writes the target values of the columns from `start` on, of `columns` in all.
    pub(crate) fn read<T: Real>(
        &self,
        target: TargetView<'_, T>,
        start: usize,
        columns: usize,
        to: &mut [f64],
    ) {
        match target {
            TargetView::Class(class) if self.yes_or_no && columns == 1 => to.fill(class as f64),
            TargetView::Class(class) => {
                to.fill(0.0);
                if let Some(hot) = class.checked_sub(start).and_then(|column| to.get_mut(column)) {
                    *hot = 1.0;
                }
            }
            TargetView::Values(values) => {
                to.iter_mut().zip(&values[start..]).for_each(|(to, value)| *to = value.as_f64());
            }
        }
    }
}

/// Checks the weight of a target.
pub(crate) fn check_weight(row: usize, weight: f64) -> Result<(), TargetError> {
    if weight >= 0.0 && weight.is_finite() { Ok(()) } else { Err(TargetError::Weight { row, weight }) }
}
