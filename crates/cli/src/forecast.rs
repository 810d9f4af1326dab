//! What a training will take, said before it begins.

use std::fmt;
use std::time::Duration;

use chainrule_config::Configuration;

/// What a training will take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forecast {
    pub(crate) parameters: usize,
    /// Of the trainer, without the data.
    pub(crate) bytes: u64,
    /// Those that are left.
    pub(crate) steps: u64,
    /// How many steps the validations that are left take as long as.
    pub(crate) validating: u64,
    /// Those that are left, one of them perhaps begun.
    pub(crate) epochs: u64,
    /// How long a step takes, if it could be measured.
    pub(crate) step: Option<Duration>,
}

/// What an epoch takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochSteps {
    /// Its steps.
    pub(crate) taken: u64,
    /// How many steps its validations take as long as.
    pub(crate) validating: u64,
}

/// What an epoch over so many samples takes that is validated on so many others, at its end and perhaps within it.
pub(crate) fn steps_in_epoch(configuration: &Configuration, train: usize, validation: usize) -> EpochSteps {
    let batch = configuration.batch_size;
    let taken = train.div_ceil(batch) as u64;
    let within = taken.saturating_sub(1).checked_div(configuration.validate_every).unwrap_or(0);
    // A forward pass is about a third of a step.
    let validating = validation.div_ceil(batch.saturating_mul(3)) as u64;
    EpochSteps { taken, validating: validating.saturating_mul(within + 1) }
}

/// The number of epochs of so many steps for which there is time, at least one; `Err` with the time of an epoch if there is none for
/// one.
pub(crate) fn epochs_in(seconds: f64, step: Duration, steps_per_epoch: u64) -> Result<u64, f64> {
    let epoch = step.as_secs_f64() * steps_per_epoch as f64;
    // A number beyond the range of the type is its largest.
    let epochs = (seconds / epoch) as u64;
    if epochs == 0 { Err(epoch) } else { Ok(epochs) }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameters, bytes, steps, validating, epochs, step } = *self;
        let mib = bytes as f64 / f64::from(1 << 20);
        let plural = if epochs == 1 { "" } else { "s" };
        write!(
            f,
            "{parameters} parameters, {mib:.1} MiB to train them; {steps} steps in {epochs} epoch{plural}"
        )?;
        match step {
            Some(step) => {
                write!(f, ", about {}", time(step.as_secs_f64() * steps.saturating_add(validating) as f64))
            }
            None => Ok(()),
        }
    }
}

/// A time in one unit, or two.
pub(crate) fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..120 => format!("{whole} s"),
        120..7200 => format!("{} min", (whole + 30) / 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_epochs() {
        let cases =
            [(0.04, "0.0 s"), (9.4, "9.4 s"), (59.6, "60 s"), (150.0, "3 min"), (86_000.0, "23 h 53 min")];
        for (seconds, text) in cases {
            assert_eq!(time(seconds), text);
        }
        let step = Duration::from_millis(10);
        assert_eq!(epochs_in(60.0, step, 100), Ok(60));
        assert_eq!(epochs_in(1.999, step, 100), Ok(1));
        assert_eq!(epochs_in(0.5, step, 100), Err(1.0));
        assert_eq!(epochs_in(1e300, step, 1), Ok(u64::MAX));
    }

    #[test]
    fn one_line_says_all() {
        let forecast = Forecast {
            parameters: 13_002,
            bytes: 3 << 19,
            steps: 1875,
            validating: 0,
            epochs: 1,
            step: Some(Duration::from_micros(40)),
        };
        let line = "13002 parameters, 1.5 MiB to train them; 1875 steps in 1 epoch, about 0.1 s";
        assert_eq!(forecast.to_string(), line);
        assert!(Forecast { step: None, epochs: 2, ..forecast }.to_string().ends_with("in 2 epochs"));
        let longer = Forecast { validating: 10 * 1875, ..forecast }.to_string();
        assert!(longer.ends_with("1875 steps in 1 epoch, about 0.8 s"), "{longer}");
    }
}
