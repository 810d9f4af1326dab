//! How often a training is saved.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chainrule::train::callbacks::Checkpoints;

/// How often checkpoints are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CheckpointInterval {
    /// After every so many steps.
    Steps(u64),
    /// After a time.
    Seconds(f64),
    /// After every so many epochs.
    Epochs(u64),
    /// When the training ends or is interrupted.
    End,
}

impl CheckpointInterval {
    /// Checkpoints in this file, of which the last `keep` stay.
    pub fn checkpoints(self, path: impl Into<PathBuf>, keep: usize) -> Checkpoints {
        let checkpoints = Checkpoints::new(path).keep(keep);
        match self {
            Self::Steps(steps) => checkpoints.every_steps(steps),
            Self::Seconds(seconds) => checkpoints.every(Duration::from_secs_f64(seconds)),
            Self::Epochs(epochs) => checkpoints.every_epochs(epochs),
            Self::End => checkpoints,
        }
    }
}

impl FromStr for CheckpointInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let other = || {
            format!(
                "`{text}` is no interval: give a number and a unit, such as 60s, 5m, 1h, 500steps or 1epoch, or `end`"
            )
        };
        if text == "end" {
            return Ok(Self::End);
        }
        let (number, unit) = number_and_unit(text);
        let whole = || number.parse::<u64>().ok().filter(|&number| number > 0).ok_or_else(other);
        match unit {
            "step" | "steps" => whole().map(Self::Steps),
            "epoch" | "epochs" => whole().map(Self::Epochs),
            _ => seconds(text).map(Self::Seconds).map_err(|_| other()),
        }
    }
}

/// The seconds of a time such as 60s, 5m or 1h.
///
/// # Errors
///
/// If it is no time above 0, with what it may be.
pub fn seconds(text: &str) -> Result<f64, String> {
    let other = || format!("`{text}` is no time: give a number above 0 and a unit, such as 60s, 5m or 1h");
    let (number, unit) = number_and_unit(text);
    let unit = match unit {
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        _ => return Err(other()),
    };
    let seconds = number.parse::<f64>().map_err(|_| other())? * unit;
    let possible = seconds > 0.0 && Duration::try_from_secs_f64(seconds).is_ok();
    if possible { Ok(seconds) } else { Err(other()) }
}

fn number_and_unit(text: &str) -> (&str, &str) {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

impl fmt::Display for CheckpointInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => write!(f, "{steps}steps"),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
            Self::Epochs(epochs) => write!(f, "{epochs}epochs"),
            Self::End => f.write_str("end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written() {
        use CheckpointInterval::{End, Epochs, Seconds, Steps};
        let cases = [
            ("500steps", Steps(500)),
            ("1 step", Steps(1)),
            ("60s", Seconds(60.0)),
            ("0.5s", Seconds(0.5)),
            ("5m", Seconds(300.0)),
            ("1.5h", Seconds(5400.0)),
            ("2epochs", Epochs(2)),
            ("end", End),
        ];
        for (text, interval) in cases {
            assert_eq!(text.parse(), Ok(interval));
            assert_eq!(interval.to_string().parse(), Ok(interval));
        }
        for text in [
            "",
            "60",
            "s",
            "0s",
            "0steps",
            "1.5steps",
            "-1s",
            "1e9h",
            "1..2s",
            "99999999999999999999h",
            "never",
        ] {
            let error = text.parse::<CheckpointInterval>().unwrap_err();
            assert!(error.contains("such as 60s"), "{text}: {error}");
        }
    }
}
