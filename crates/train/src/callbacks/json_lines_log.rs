//! A log as lines of JSON.

use std::ops::ControlFlow;
use std::path::PathBuf;

use chainrule_tensor::Real;

use super::log_file::LogFile;
use super::log_row::LogRow;
use crate::trainer::{Callback, Event, TrainerView};

/// Writes an object of JSON for each epoch, one on each line:
///
/// ```json
/// {"event":"epoch","epoch":1,"steps":1875,"samples":60000,"seconds":0.5,"learning_rate":0.001,"train":{"loss":0.25,"accuracy":0.93},"validation":{"loss":0.2,"accuracy":0.95}}
/// ```
///
/// Without a validation there is no `validation`. What has no value, or no finite one, is `null`. A metric of several numbers has an
/// entry for each, and a table none. A new training replaces the file, and one that is resumed goes on in it. If it cannot be written,
/// the trainer warns once.
#[derive(Debug)]
pub struct JsonLinesLog {
    file: LogFile,
    every_steps: u64,
}

impl JsonLinesLog {
    /// Writes to this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { file: LogFile::new(path.into()), every_steps: 0 }
    }

    /// Also writes an object with the event `step`, of the epoch so far, after every so many steps; never for 0.
    #[must_use]
    pub fn every_steps(self, steps: u64) -> Self {
        Self { every_steps: steps, ..self }
    }
}

fn line(row: &LogRow) -> String {
    let LogRow { is_epoch, epoch, steps, samples, seconds, rate, train, validation } = row;
    let event = if *is_epoch { "epoch" } else { "step" };
    let mut line =
        format!("{{\"event\":\"{event}\",\"epoch\":{epoch},\"steps\":{steps},\"samples\":{samples}");
    if let Some(seconds) = seconds {
        line += &format!(",\"seconds\":{}", number(Some(*seconds)));
    }
    line += &format!(",\"learning_rate\":{},\"train\":{}", number(*rate), object(train));
    if !validation.is_empty() {
        line += &format!(",\"validation\":{}", object(validation));
    }
    line + "}\n"
}

fn object(numbers: &[(String, Option<f64>)]) -> String {
    let entries: Vec<String> =
        numbers.iter().map(|(name, value)| format!("{}:{}", text(name), number(*value))).collect();
    format!("{{{}}}", entries.join(","))
}

fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => value.to_string(),
        _ => "null".to_owned(),
    }
}

fn text(name: &str) -> String {
    let mut text = String::from("\"");
    for character in name.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            control if control < ' ' => text += &format!("\\u{:04x}", u32::from(control)),
            character => text.push(character),
        }
    }
    text + "\""
}

impl<T: Real> Callback<T> for JsonLinesLog {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        if let Some(row) = LogRow::of(event, self.every_steps, training) {
            self.file.append(line(&row).as_bytes(), training);
        }
        ControlFlow::Continue(())
    }

    fn name(&self) -> &str {
        "json_lines_log"
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.file.len().to_le_bytes().to_vec())
    }

    fn restore(&mut self, state: &[u8]) -> Option<()> {
        let length = u64::from_le_bytes(state.try_into().ok()?);
        self.file.resume(length);
        Some(())
    }
}
