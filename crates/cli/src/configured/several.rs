//! Several trainings of one configuration, side by side.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use chainrule_cli::machine::cores;
use chainrule_cli::{families, terminal};
use chainrule_config::{ConfigError, Configuration, LoadedData, StopSignal, TrainedModel, side_by_side};

use crate::interrupt::Interrupt;

/// What has come of trainings, or the code of what has ended the program.
pub(super) enum Ended {
    /// All have ended.
    All(Vec<TrainedModel>),
    /// The program was told to end.
    Interrupted(ExitCode),
}

/// Trains these configurations, each on one thread, as many at a time as there are threads. `names` say which each is.
pub(super) fn train(
    configurations: &[Configuration],
    names: &[String],
    data: &LoadedData,
    threads: Option<usize>,
) -> Result<Ended, Box<dyn Error>> {
    let interrupt = Interrupt::watch()?;
    let told = interrupt.clone();
    let stop: StopSignal = Arc::new(move || told.by().is_some());
    let count = configurations.len();
    let done = |index: usize, result: &Result<TrainedModel, ConfigError>| match result {
        Ok(trained) => {
            let last = trained.validation.as_ref().unwrap_or(&trained.train);
            terminal::note(format_args!("{}/{count}  {}  {}", index + 1, names[index], last.scores));
        }
        Err(error) => terminal::note(format_args!("{}/{count}  {}  error: {error}", index + 1, names[index])),
    };
    let workers = threads.unwrap_or_else(cores);
    let results = side_by_side(configurations, families::registry(), data, workers, &stop, &done);
    if let Some((signal, code)) = interrupt.by() {
        terminal::note(format_args!("{signal} after {} of {count} trainings", results.len()));
        return Ok(Ended::Interrupted(code));
    }
    let trained: Result<Vec<TrainedModel>, ConfigError> = results.into_iter().collect();
    Ok(Ended::All(trained?))
}
