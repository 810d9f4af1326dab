//! The targets for which a loss is defined.

use chainrule_tensor::{AnyTarget, AnyTargetView, Real, Target, TargetError, TargetView};

/// The targets for which a loss is defined: how many values they have, the range of these, and what a class stands for.
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
    /// Whether only whole numbers of the range are allowed.
    whole: bool,
    yes_or_no: bool,
    /// Whether the values are signs: 0 counts as -1, and so do the other classes than the target's.
    signs: bool,
    /// The outputs are this number of equal parts.
    parts: usize,
    width: Width,
    ignored: Option<usize>,
    /// The number of weights of columns that the loss has.
    weights: Option<usize>,
}

/// The number of values of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// One for each column of a part of the outputs.
    Part,
    /// One.
    One,
    /// None: the target is a class of any number.
    Label,
    /// The target is not looked at.
    Nothing,
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

    /// The numbers 0 and 1: which of the columns are labels of the sample.
    pub const fn labels(owner: &'static str) -> Self {
        Self { whole: true, ..Self::between(owner, 0.0, 1.0, "0 and 1") }
    }

    /// The numbers -1 and 1. 0 counts as -1, as in Keras, and so does every column that is not the class.
    pub const fn signs(owner: &'static str) -> Self {
        let range = Self::between(owner, -1.0, 1.0, "-1 and 1, and 0 for -1");
        Self { whole: true, signs: true, ..range.yes_or_no() }
    }

    /// Classes, of which there may be more than columns.
    pub const fn classes(owner: &'static str) -> Self {
        Self { width: Width::Label, ..Self::between(owner, 0.0, f64::MAX, "classes") }
    }

    /// Any targets, which the loss does not look at, such as `()`.
    pub const fn nothing(owner: &'static str) -> Self {
        Self { width: Width::Nothing, ..Self::finite(owner) }
    }

    /// Numbers from `low` to `high`, both included; `allowed` says so in words, in the plural.
    pub const fn between(owner: &'static str, low: f64, high: f64, allowed: &'static str) -> Self {
        Self {
            owner,
            low,
            high,
            allowed,
            whole: false,
            yes_or_no: false,
            signs: false,
            parts: 1,
            width: Width::Part,
            ignored: None,
            weights: None,
        }
    }

    /// Where the outputs have a single column, the classes are 0 and 1, and the class is the target value. Otherwise a class
    /// stands for its one-hot vector, which of a single column is the value 1 of class 0.
    #[must_use]
    pub const fn yes_or_no(self) -> Self {
        Self { yes_or_no: true, ..self }
    }

    /// The outputs are this number of vectors of equal length, and a target has one value for each column of such a vector.
    #[must_use]
    pub const fn in_parts(self, parts: usize) -> Self {
        Self { parts, ..self }
    }

    /// A target is a single value, however many columns there are.
    #[must_use]
    pub const fn single(self) -> Self {
        Self { width: Width::One, ..self }
    }

    /// Targets of this class are ignored, whether there is such a column or not.
    #[must_use]
    pub const fn ignoring(self, class: Option<usize>) -> Self {
        Self { ignored: class, ..self }
    }

    /// The loss has weights, one for each column.
    #[must_use]
    pub fn weighted_by(self, weights: Option<&[f64]>) -> Self {
        Self { weights: weights.map(<[f64]>::len), ..self }
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
        let &Self { owner, allowed, low, high, whole, parts, .. } = self;
        if !columns.is_multiple_of(parts) {
            return Err(TargetError::Parts { row, columns, parts, owner });
        }
        if let Some(found) = self.weights.filter(|&found| found != columns) {
            return Err(TargetError::Weights { row, found, columns, owner });
        }
        let width = match self.width {
            Width::Nothing => return Ok(()),
            Width::One => 1,
            Width::Part | Width::Label => columns / parts,
        };
        match target {
            TargetView::Class(class) => {
                let classes = if self.yes_or_no { width.max(2) } else { width };
                let known = class < classes || self.width == Width::Label || self.ignored == Some(class);
                if !known {
                    return Err(TargetError::Class { row, class, columns: classes });
                }
            }
            TargetView::Values(_) if self.width == Width::Label => {
                return Err(TargetError::NotAClass { row, owner });
            }
            TargetView::Values(values) => {
                let found = values.len();
                if found != width && width == columns {
                    return Err(TargetError::Length { row, found, columns });
                }
                if found != width {
                    return Err(TargetError::Values { row, found, expected: width, columns, owner });
                }
                // All first, which is a loop without branches; NaN is in no range.
                let inside = |value: T| value.as_f64() >= low && value.as_f64() <= high;
                let is_whole = |value: T| !whole || value == value.round();
                let all_inside = values.iter().fold(true, |all, &value| all & inside(value));
                if !all_inside || (whole && !values.iter().all(|&value| is_whole(value))) {
                    let wrong = |&value: &T| !inside(value) || !is_whole(value);
                    let column = values.iter().position(wrong).unwrap_or(0);
                    return Err(TargetError::value(row, column, values[column], allowed, owner));
                }
            }
        }
        Ok(())
    }

    /// Whether there is a class that is ignored.
    pub(crate) fn has_ignored(&self) -> bool {
        self.ignored.is_some()
    }

    /// Whether a target is of the class that is ignored.
    pub(crate) fn ignores<T>(&self, target: TargetView<'_, T>) -> bool {
        matches!((target, self.ignored), (TargetView::Class(class), Some(ignored)) if class == ignored)
    }

    /// The number of values of a target of outputs with this many columns.
    pub(crate) fn width(&self, columns: usize) -> usize {
        match self.width {
            Width::Part => columns / self.parts,
            Width::One => 1,
            Width::Label | Width::Nothing => 0,
        }
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
        if self.signs {
            to.iter_mut().for_each(|to| *to = if *to > 0.0 { 1.0 } else { -1.0 });
        }
    }
}

/// Checks the weight of a target.
pub(crate) fn check_weight(row: usize, weight: f64) -> Result<(), TargetError> {
    if weight >= 0.0 && weight.is_finite() { Ok(()) } else { Err(TargetError::Weight { row, weight }) }
}
