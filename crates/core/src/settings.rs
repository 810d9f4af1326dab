//! Settings that cannot work, and the checks that find them.

use std::fmt;

use chainrule_tensor::Real;

/// A setting that cannot work: the one error of this kind in the workspace, whoever owns the setting.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SettingError {
    /// A value is out of range.
    Range {
        /// What owns the setting, such as `"Adam"`.
        owner: &'static str,
        /// The setting, such as `"beta1"`.
        setting: &'static str,
        /// What it was set to.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A schedule gives a learning rate that no step can have.
    Rate {
        /// The schedule.
        schedule: String,
        /// The step, from 0.
        step: u64,
        /// The rate.
        rate: f64,
    },
    /// Two settings exclude each other.
    Conflict {
        /// What owns the settings.
        owner: &'static str,
        /// What excludes what, and what to do.
        conflict: &'static str,
    },
    /// A pattern matches the name of no parameter.
    Pattern {
        /// What owns the pattern.
        owner: &'static str,
        /// The pattern.
        pattern: String,
        /// The names of all parameters.
        names: Vec<String>,
    },
}

/// How many names an error lists.
const MAX_NAMES: usize = 20;

/// A number without zeros that are there only because it is very large or very small.
struct InFewDigits(f64);

impl fmt::Display for InFewDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = self;
        let is_plain = *value == 0.0 || (1e-6..1e16).contains(&value.abs()) || !value.is_finite();
        if is_plain { write!(f, "{value}") } else { write!(f, "{value:e}") }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { owner, setting, value, allowed } => {
                write!(f, "{owner}: {setting} is {}, but must be {allowed}", InFewDigits(*value))
            }
            Self::Rate { schedule, step, rate } => write!(
                f,
                "the schedule {schedule} gives step {step} the learning rate {}, but it must be a finite number of at least 0, also in the precision of the parameters: change the schedule",
                InFewDigits(*rate)
            ),
            Self::Conflict { owner, conflict } => write!(f, "{owner}: {conflict}"),
            Self::Pattern { owner, pattern, names } => {
                write!(f, "{owner}: no parameter has a name like `{pattern}`; the names are ")?;
                let shown = &names[..names.len().min(MAX_NAMES)];
                f.write_str(&shown.join(", "))?;
                if shown.len() < names.len() {
                    write!(f, " and {} more", names.len() - shown.len())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for SettingError {}

/// Checks the settings of one owner, such as an optimizer or a loss.
///
/// ```
/// use chainrule_core::SettingCheck;
/// let check = SettingCheck("Adam");
/// check.fraction("beta1", 0.9)?;
/// let error = check.fraction("beta2", 1.0).unwrap_err();
/// assert_eq!(error.to_string(), "Adam: beta2 is 1, but must be at least 0 and below 1");
/// # Ok::<(), chainrule_core::SettingError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SettingCheck(
    /// The owner, as errors name it.
    pub &'static str,
);

impl SettingCheck {
    /// Whether `ok` holds for this value of the setting; if not, the error says what is `allowed`.
    ///
    /// # Errors
    ///
    /// Here and below: [`SettingError::Range`].
    pub fn range(
        &self,
        ok: bool,
        setting: &'static str,
        value: f64,
        allowed: &'static str,
    ) -> Result<(), SettingError> {
        if ok { Ok(()) } else { Err(SettingError::Range { owner: self.0, setting, value, allowed }) }
    }

    /// A finite number that is not negative.
    pub fn not_negative(&self, setting: &'static str, value: f64) -> Result<(), SettingError> {
        self.range(value >= 0.0 && value.is_finite(), setting, value, "a finite number of at least 0")
    }

    /// A number above 0, infinity included.
    pub fn positive(&self, setting: &'static str, value: f64) -> Result<(), SettingError> {
        self.range(value > 0.0, setting, value, "a number above 0")
    }

    /// A number in `[0, 1)`, such as the fraction of a running mean that is kept.
    pub fn fraction(&self, setting: &'static str, value: f64) -> Result<(), SettingError> {
        self.range((0.0..1.0).contains(&value), setting, value, "at least 0 and below 1")
    }

    /// A number in `[0, 1]`.
    pub fn unit_interval(&self, setting: &'static str, value: f64) -> Result<(), SettingError> {
        self.range((0.0..=1.0).contains(&value), setting, value, "from 0 to 1")
    }

    /// The `epsilon` that keeps a denominator above 0, also when rounded to `T`: without it, a parameter whose
    /// gradient has always been 0 would become 0 / 0.
    pub fn epsilon<T: Real>(&self, value: f64) -> Result<(), SettingError> {
        let ok = T::of(value) > T::zero() && value.is_finite();
        self.range(ok, "epsilon", value, "a finite number above 0, also in the precision of the parameters")
    }
}
