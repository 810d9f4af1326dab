//! Columns that may be plain numbers.

use crate::values::Numbers;
use crate::values::missing::{is_missing, is_missing_number};
use crate::values::number::plain;

/// The numbers of a column, as long as all of its fields are numbers.
#[derive(Default)]
pub(super) struct NumberBuilder {
    numbers: Numbers,
    failed: bool,
    has_number: bool,
    /// Whether a field is missing only if the others are numbers, as `-` is.
    has_sign: bool,
}

impl NumberBuilder {
    /// One of a column that is not to be read as numbers.
    pub(super) fn failed() -> Self {
        Self { failed: true, ..Self::default() }
    }

    /// Adds a field; `None` if there is no memory for it.
    #[inline]
    pub(super) fn push(&mut self, field: &str) -> Option<()> {
        if self.failed {
            return Some(());
        }
        self.numbers.try_reserve()?;
        if let Some(value) = plain(field) {
            self.has_number = true;
            self.numbers.push(field, value);
        } else if is_missing(field) {
            self.numbers.push_exact(f64::NAN);
        } else if is_missing_number(field) {
            self.has_sign = true;
            self.numbers.push_exact(f64::NAN);
        } else {
            *self = Self::failed();
        }
        Some(())
    }

    /// The numbers, if all fields are numbers or missing.
    pub(super) fn finish(self) -> Option<Numbers> {
        let numbers = !self.failed && (self.has_number || !self.has_sign);
        numbers.then_some(self.numbers)
    }

    /// Adds the rows of the part of the column that follows.
    pub(super) fn append(&mut self, next: Self) {
        if self.failed || next.failed {
            *self = Self::failed();
            return;
        }
        self.numbers.append(next.numbers);
        self.has_number |= next.has_number;
        self.has_sign |= next.has_sign;
    }
}
