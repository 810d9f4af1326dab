//! A setting that cannot work.

/// A setting with which training cannot work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// One value is out of range.
    #[error("{owner}: {setting} is {value}, but must be {allowed}")]
    Range {
        /// The optimizer or schedule, such as `"Adam"`.
        owner: &'static str,
        /// The setting, such as `"beta1"`.
        setting: &'static str,
        /// What it was set to.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Two settings exclude each other.
    #[error("{owner}: {conflict}")]
    Conflict {
        /// The optimizer or schedule.
        owner: &'static str,
        /// What excludes what, and what to do.
        conflict: &'static str,
    },
}

/// The settings of one optimizer or schedule, to be checked one after the other.
pub(crate) struct Settings(pub(crate) &'static str);

impl Settings {
    fn range(
        &self,
        ok: bool,
        setting: &'static str,
        value: f64,
        allowed: &'static str,
    ) -> Result<(), SettingError> {
        if ok { Ok(()) } else { Err(SettingError::Range { owner: self.0, setting, value, allowed }) }
    }

    /// A finite number that is not negative.
    pub(crate) fn not_negative(&self, setting: &'static str, value: f64) -> Result<(), SettingError> {
        self.range(value >= 0.0 && value.is_finite(), setting, value, "a finite number of at least 0")
    }

    /// A number above 0; infinity is one.
    pub(crate) fn positive(&self, setting: &'static str, value: f64) -> Result<(), SettingError> {
        self.range(value > 0.0, setting, value, "a number above 0")
    }

    /// The share of a running mean that is kept.
    pub(crate) fn share(&self, setting: &'static str, value: f64) -> Result<(), SettingError> {
        self.range((0.0..1.0).contains(&value), setting, value, "at least 0 and below 1")
    }

    /// A denominator's least value in numbers of type `T`, where it must not vanish: a parameter whose
    /// gradient has always been 0 would become 0 / 0.
    pub(crate) fn epsilon<T: crate::Real>(&self, value: f64) -> Result<(), SettingError> {
        let ok = T::of(value) > T::zero() && value.is_finite();
        self.range(ok, "epsilon", value, "a finite number above 0, also in the precision of the parameters")
    }
}
