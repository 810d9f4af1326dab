//! A log as CSV.

use std::ops::ControlFlow;
use std::path::PathBuf;

use chainrule_tensor::Real;

use super::log_file::LogFile;
use super::log_row::LogRow;
use crate::model::encoding::{decode, encode, encoded};
use crate::trainer::{Callback, Event, TrainerView};

/// Writes a row for each epoch to a CSV file, as Keras' `CSVLogger` does: epoch, steps, samples, seconds, learning rate, loss and metrics,
/// then those of the validation with `validation_` before their names.
///
/// The columns are those of the first row. What has no value is empty. A metric of several numbers has a column for each, and a table
/// none. A new training replaces the file, and one that is resumed goes on in it. If it cannot be written, the trainer warns once.
#[derive(Debug)]
pub struct CsvLog {
    file: LogFile,
    every_steps: u64,
    columns: Vec<String>,
}

encoded! {
    /// What a checkpoint holds of it.
    struct Saved {
        length: u64,
        columns: Vec<String>,
    }
}

impl CsvLog {
    /// Writes to this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { file: LogFile::new(path.into()), every_steps: 0, columns: Vec::new() }
    }

    /// Also writes a row, of the epoch so far, after every so many steps; never for 0. Rows of whole epochs are those with seconds.
    #[must_use]
    pub fn every_steps(self, steps: u64) -> Self {
        Self { every_steps: steps, ..self }
    }

    /// The line of a row, after the header if there is none yet.
    fn lines(&mut self, row: LogRow) -> String {
        let LogRow { epoch, steps, samples, seconds, rate, train, validation, .. } = row;
        let whole = |number: u64| Some(number.to_string());
        let decimal = |number: Option<f64>| number.map(|number| number.to_string());
        let mut fields = vec![
            ("epoch".to_owned(), whole(epoch)),
            ("steps".to_owned(), whole(steps)),
            ("samples".to_owned(), whole(samples as u64)),
            ("seconds".to_owned(), decimal(seconds)),
            ("learning_rate".to_owned(), decimal(rate)),
        ];
        fields.extend(train.into_iter().map(|(name, value)| (name, decimal(value))));
        let validation = validation.into_iter();
        fields.extend(validation.map(|(name, value)| (format!("validation_{name}"), decimal(value))));
        let mut lines = String::new();
        if self.columns.is_empty() {
            self.columns = fields.iter().map(|(name, _)| name.clone()).collect();
            let header: Vec<String> = self.columns.iter().map(|name| quoted(name)).collect();
            lines = format!("{}\n", header.join(","));
        }
        let value = |column: &String| {
            let field = fields.iter().find(|(name, _)| name == column);
            field.and_then(|(_, value)| value.clone()).unwrap_or_default()
        };
        let values: Vec<String> = self.columns.iter().map(value).collect();
        lines + &values.join(",") + "\n"
    }
}

/// A name as CSV has it.
fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", name.replace('"', "\"\""));
    }
    name.to_owned()
}

impl<T: Real> Callback<T> for CsvLog {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        if let Some(row) = LogRow::of(event, self.every_steps, training) {
            let lines = self.lines(row);
            self.file.append(lines.as_bytes(), training);
        }
        ControlFlow::Continue(())
    }

    fn name(&self) -> &str {
        "csv_log"
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(encode(&Saved { length: self.file.len(), columns: self.columns.clone() }))
    }

    fn restore(&mut self, state: &[u8]) -> Option<()> {
        let Saved { length, columns } = decode(state).ok()?;
        self.file.resume(length);
        self.columns = columns;
        Some(())
    }
}
