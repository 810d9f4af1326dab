//! A log for TensorBoard.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use chainrule_tensor::Real;

use super::event_file::{first_record, scalars};
use super::log_file::LogFile;
use super::log_row::LogRow;
use crate::model::FileError;
use crate::model::encoding::{decode, encode, encoded};
use crate::trainer::{Callback, Event, TrainWarning, TrainerView};

/// Writes the losses, the metrics and the learning rate of each epoch to an event file in a directory, which
/// `tensorboard --logdir DIRECTORY` shows: `train/loss`, `train/accuracy`, `validation/loss`, ..., `learning_rate`, over the number of
/// steps.
///
/// The directory is made if it does not exist. A new training begins a new file, and one that is resumed goes on in its own. A metric of
/// several numbers has a curve for each, and a table none. If it cannot be written, the trainer warns once.
#[derive(Debug)]
pub struct TensorBoardLog {
    directory: PathBuf,
    every_steps: u64,
    file: Option<LogFile>,
}

encoded! {
    /// What a checkpoint holds of it: the name and the length of its file.
    struct Saved {
        name: String,
        length: u64,
    }
}

impl TensorBoardLog {
    /// Writes to a file in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), every_steps: 0, file: None }
    }

    /// Also writes the values of the epoch so far after every so many steps; never for 0.
    #[must_use]
    pub fn every_steps(self, steps: u64) -> Self {
        Self { every_steps: steps, ..self }
    }

    /// The file, begun if there is none yet.
    fn begin<T: Real>(&mut self, training: &mut TrainerView<'_, T>) -> &mut LogFile {
        let Self { directory, file, .. } = self;
        file.get_or_insert_with(|| {
            let path = directory.join(new_name(directory));
            let mut file = LogFile::new(path.clone());
            if let Err(source) = fs::create_dir_all(&*directory) {
                let error = FileError::Io { path, doing: "write", source };
                training.warn(TrainWarning::not_saved(&error));
            }
            file.append(&first_record(now()), training);
            file
        })
    }
}

/// A name that no file in the directory has. TensorBoard knows its files by `tfevents`, and reads them in the order of their names.
fn new_name(directory: &Path) -> String {
    let seconds = now() as u64;
    let name = |number: u64| format!("events.out.tfevents.{seconds:010}.{number}.chainrule");
    let free = (0..).map(name).find(|name| !directory.join(name).exists());
    free.unwrap_or_else(|| name(0))
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

impl<T: Real> Callback<T> for TensorBoardLog {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        if let Event::Start { .. } = event {
            // Every checkpoint is to know the file.
            self.begin(training);
        }
        let Some(row) = LogRow::of(event, self.every_steps, training) else {
            return ControlFlow::Continue(());
        };
        let LogRow { is_epoch, steps, rate, train, validation, .. } = row;
        // At the last step of an epoch there may be values of that step and of the whole epoch: curves of their own.
        let of_training = if is_epoch { "train" } else { "train_steps" };
        let named = |group: &str, values: Vec<(String, Option<f64>)>| {
            let group = group.to_owned();
            values.into_iter().filter_map(move |(name, value)| Some((format!("{group}/{name}"), value?)))
        };
        let rate = rate.map(|rate| ("learning_rate".to_owned(), rate));
        let values: Vec<(String, f64)> =
            named(of_training, train).chain(named("validation", validation)).chain(rate).collect();
        let values = values.iter().map(|(tag, value)| (tag.as_str(), *value));
        let record = scalars(now(), steps, values);
        self.begin(training).append(&record, training);
        ControlFlow::Continue(())
    }

    fn name(&self) -> &str {
        "tensor_board_log"
    }

    fn state(&self) -> Option<Vec<u8>> {
        let file = self.file.as_ref()?;
        let name = file.path().file_name()?.to_str()?.to_owned();
        Some(encode(&Saved { name, length: file.len() }))
    }

    fn restore(&mut self, state: &[u8]) -> Option<()> {
        let Saved { name, length } = decode(state).ok()?;
        // The name of a file from outside stays within the directory.
        let is_plain = name.starts_with("events.out.tfevents.") && !name.contains(['/', '\\']);
        if !is_plain {
            return None;
        }
        let mut file = LogFile::new(self.directory.join(name));
        file.resume(length);
        self.file = Some(file);
        Some(())
    }
}
