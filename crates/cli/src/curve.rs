//! A learning rate over the steps of a run, as it is drawn.

/// Into how many columns the steps are divided at most.
const COLUMNS: u64 = 1440;

/// Some steps in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Column {
    /// The first of these steps.
    pub(crate) begin: u64,
    /// The lowest rate.
    pub(crate) low: f64,
    /// The highest.
    pub(crate) high: f64,
    /// The rate of the first step.
    pub(crate) first: f64,
    /// The rate of the last step.
    pub(crate) last: f64,
}

/// The rates of all steps.
#[derive(Debug)]
pub(crate) struct Curve {
    /// The number of steps.
    pub(crate) steps: u64,
    /// In order; none is empty.
    pub(crate) columns: Vec<Column>,
    /// The step with the lowest rate, and that.
    lowest: (u64, f64),
    /// The step with the highest rate, and that.
    highest: (u64, f64),
}

impl Curve {
    /// The rates of these steps, at least one.
    pub(crate) fn of(steps: u64, rate: impl Fn(u64) -> f64) -> Self {
        let count = steps.clamp(1, COLUMNS);
        let border = |column: u64| (u128::from(column) * u128::from(steps.max(1)) / u128::from(count)) as u64;
        let start = rate(0);
        let (mut lowest, mut highest) = ((0, start), (0, start));
        let column = |column: u64| {
            let begin = border(column);
            let first = rate(begin);
            let mut found = Column { begin, low: first, high: first, first, last: first };
            for step in begin..border(column + 1) {
                let rate = rate(step);
                found = Column { low: found.low.min(rate), high: found.high.max(rate), last: rate, ..found };
                if rate < lowest.1 {
                    lowest = (step, rate);
                }
                if rate > highest.1 {
                    highest = (step, rate);
                }
            }
            found
        };
        let columns = (0..count).map(column).collect();
        Self { steps, columns, lowest, highest }
    }

    /// The highest rate.
    pub(crate) fn top(&self) -> f64 {
        self.highest.1
    }

    /// The rates that say most, one in a line.
    pub(crate) fn figures(&self) -> String {
        let first = self.columns.first().map_or(0.0, |column| column.first);
        let last = self.columns.last().map_or(0.0, |column| column.last);
        let [first, last, lowest, highest] = [first, last, self.lowest.1, self.highest.1].map(short);
        let end = self.steps - 1;
        format!(
            "first       {first}\nhighest     {highest} at step {}\nlowest      {lowest} at step {}\nlast        {last} at step {end}",
            self.highest.0, self.lowest.0
        )
    }
}

/// A rate in a few digits.
pub(crate) fn short(rate: f64) -> String {
    if rate == 0.0 || (1e-3..1e4).contains(&rate) {
        let text = format!("{rate:.6}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let text = format!("{rate:.3e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => {
            format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_is_left_out() {
        for steps in [1, 2, 7, 1440, 1441, 100_003] {
            for peak in [0, steps / 2, steps - 1] {
                let curve = Curve::of(steps, |step| if step == peak { 2.0 } else { 1.0 });
                assert_eq!(curve.highest, (peak, 2.0));
                assert_eq!(curve.columns.iter().filter(|column| column.high == 2.0).count(), 1);
                assert!(curve.columns.windows(2).all(|pair| pair[0].begin < pair[1].begin));
                assert_eq!(curve.columns[0].begin, 0);
            }
        }
    }

    #[test]
    fn numbers_in_a_few_digits() {
        for (rate, text) in [
            (0.0, "0"),
            (0.1, "0.1"),
            (1.0, "1"),
            (0.001, "0.001"),
            (0.012_345_678, "0.012346"),
            (1e-4, "1e-4"),
            (2.5e-7, "2.5e-7"),
            (12_350.0, "1.235e4"),
        ] {
            assert_eq!(short(rate), text);
        }
    }
}
