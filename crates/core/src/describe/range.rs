//! The numbers that a setting may be.

/// The numbers that a setting may be, and how errors and lists say so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: f64,
    high: f64,
    includes_low: bool,
    includes_high: bool,
    words: &'static str,
}

impl Range {
    /// Any number, but not NaN.
    pub const ANY: Self = Self::between(f64::NEG_INFINITY, f64::INFINITY, "a number");
    /// Any finite number.
    pub const FINITE: Self = Self::between(-f64::MAX, f64::MAX, "a finite number");
    /// A finite number above 0.
    pub const POSITIVE: Self = Self::between(0.0, f64::MAX, "a finite number above 0").without_low();
    /// A finite number of at least 0.
    pub const NOT_NEGATIVE: Self = Self::between(0.0, f64::MAX, "a finite number of at least 0");
    /// At least 0 and below 1, such as the fraction of a running mean that is kept.
    pub const FRACTION: Self = Self::between(0.0, 1.0, "at least 0 and below 1").without_high();
    /// From 0 to 1.
    pub const UNIT: Self = Self::between(0.0, 1.0, "from 0 to 1");
    /// A finite number of at least 1.
    pub const AT_LEAST_ONE: Self = Self::between(1.0, f64::MAX, "at least 1");

    /// From `low` to `high`, both included; `words` follow "must be".
    pub const fn between(low: f64, high: f64, words: &'static str) -> Self {
        Self { low, high, includes_low: true, includes_high: true, words }
    }

    /// The same without its lower end.
    #[must_use]
    pub const fn without_low(self) -> Self {
        Self { includes_low: false, ..self }
    }

    /// The same without its upper end.
    #[must_use]
    pub const fn without_high(self) -> Self {
        Self { includes_high: false, ..self }
    }

    /// Whether this number is in the range; NaN is in none.
    pub const fn contains(&self, value: f64) -> bool {
        let above = value > self.low || (self.includes_low && value == self.low);
        let below = value < self.high || (self.includes_high && value == self.high);
        above && below
    }

    /// What is allowed, such as `at least 0 and below 1`.
    pub const fn words(&self) -> &'static str {
        self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_what_is_no_number() {
        for (range, inside, outside) in [
            (Range::ANY, vec![0.0, f64::INFINITY], vec![f64::NAN]),
            (Range::FINITE, vec![-f64::MAX], vec![f64::NEG_INFINITY, f64::NAN]),
            (Range::POSITIVE, vec![f64::MIN_POSITIVE], vec![0.0, f64::INFINITY, f64::NAN]),
            (Range::NOT_NEGATIVE, vec![0.0, -0.0], vec![-1e-300, f64::INFINITY]),
            (Range::FRACTION, vec![0.0, 0.999], vec![1.0, -0.1]),
            (Range::UNIT, vec![0.0, 1.0], vec![1.1]),
            (Range::AT_LEAST_ONE, vec![1.0], vec![0.5]),
        ] {
            assert!(inside.iter().all(|&value| range.contains(value)), "{range:?}");
            assert!(!outside.iter().any(|&value| range.contains(value)), "{range:?}");
        }
    }
}
