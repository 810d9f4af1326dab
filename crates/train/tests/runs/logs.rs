//! Logs, and that a training in pieces writes the same as one in one piece.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use chainrule_metrics::{Average, ConfusionMatrix, Precision};
use chainrule_train::callbacks::{Checkpoints, CsvLog, JsonLinesLog, TensorBoardLog};
use chainrule_train::{Event, Fit, TrainWarning, Trainer};
use serde_json::Value;

use super::{BATCHES, data, trainer};

const EPOCHS: u64 = 3;

fn logging(directory: &Path) -> Trainer<f32, u8> {
    trainer()
        .metric(ConfusionMatrix::default())
        .metric_as("a \"b\", c", Precision::default().average(Average::PerClass))
        .callback(CsvLog::new(directory.join("log.csv")).every_steps(7))
        .callback(JsonLinesLog::new(directory.join("log.jsonl")).every_steps(7))
        .callback(TensorBoardLog::new(directory.join("board")).every_steps(7))
}

/// The one file in the directory for TensorBoard.
fn event_file(directory: &Path) -> PathBuf {
    let files: Vec<_> =
        fs::read_dir(directory.join("board")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// The scalars of an event file: by tag, the steps and the values. Every checksum is verified.
fn scalars(path: &Path) -> BTreeMap<String, Vec<(u64, f32)>> {
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut found: BTreeMap<String, Vec<(u64, f32)>> = BTreeMap::new();
    let mut first = true;
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        let (crc, after) = after.split_at(4);
        assert_eq!(u32::from_le_bytes(crc.try_into().unwrap()), masked(crc32c(length)));
        let (event, after) = after.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let (crc, after) = after.split_at(4);
        assert_eq!(u32::from_le_bytes(crc.try_into().unwrap()), masked(crc32c(event)));
        rest = after;
        let fields = fields(event);
        let seconds = f64::from_le_bytes(fields[0].1[..].try_into().unwrap());
        assert!(fields[0].0 == 1 && seconds > 1.7e9, "{seconds}");
        if std::mem::take(&mut first) {
            assert_eq!(fields[1], (3, b"brain.Event:2".to_vec()));
            continue;
        }
        let step = u64::from_le_bytes(fields[1].1[..].try_into().unwrap());
        assert_eq!((fields[1].0, fields[2].0), (2, 5));
        for (_, value) in self::fields(&fields[2].1) {
            let value = self::fields(&value);
            let tag = String::from_utf8(value[0].1.clone()).unwrap();
            let number = f32::from_le_bytes(value[1].1[..].try_into().unwrap());
            found.entry(tag).or_default().push((step, number));
        }
    }
    found
}

/// The numbers and the values of the fields of a message; a varint in 8 bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = message.split_first().unwrap();
            *message = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => varint(&mut message).to_le_bytes().to_vec(),
            encoding => {
                let length = match encoding {
                    1 => 8,
                    2 => varint(&mut message) as usize,
                    _ => 4,
                };
                let (value, rest) = message.split_at(length);
                message = rest;
                value.to_vec()
            }
        };
        fields.push((key >> 3, value));
    }
    fields
}

/// By the definition of the remainder, over the bits of the data, so that it shares nothing with the writer.
fn crc32c(data: &[u8]) -> u32 {
    let bits = data.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
    let mut register = [true; 32];
    for bit in bits {
        let feedback = register[0] ^ (bit == 1);
        register.rotate_left(1);
        register[31] = false;
        if feedback {
            // x^32 + x^28 + x^27 + x^26 + x^25 + x^23 + x^22 + x^20 + x^19 + x^18 + x^14 + x^13 + x^11 + x^10 + x^9 + x^8 + x^6 + 1
            for power in [28, 27, 26, 25, 23, 22, 20, 19, 18, 14, 13, 11, 10, 9, 8, 6, 0] {
                register[31 - power] ^= true;
            }
        }
    }
    register.iter().enumerate().fold(0, |crc, (bit, set)| crc | u32::from(!set) << bit)
}

fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[test]
fn rows_columns_and_curves() {
    let directory = tempfile::tempdir().unwrap();
    let (train, validation) = (data(1), data(2));
    let mut trainer = logging(directory.path());
    let history = trainer.fit(&train, Fit::epochs(EPOCHS).validation(&validation).validate_every(8)).unwrap();
    let report = &history.epochs[2];

    let csv = fs::read_to_string(directory.path().join("log.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    let names = "loss,accuracy,\"a \"\"b\"\", c[0]\",\"a \"\"b\"\", c[1]\",\"a \"\"b\"\", c[2]\"";
    assert_eq!(lines[0], format!("epoch,steps,samples,seconds,learning_rate,{names}"));
    // Steps 7, 14, 21, 28, the validations at 8, 18 and 28, and three epochs.
    assert_eq!(lines.len(), 1 + 9, "{csv}");
    assert!(lines[9].starts_with("3,30,77,"), "{}", lines[9]);
    assert!(lines[9].contains(&format!(
        ",0.01,{},{}",
        report.train.loss,
        report.train.metric("accuracy").unwrap()
    )));

    let json = fs::read_to_string(directory.path().join("log.jsonl")).unwrap();
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 9);
    let last = &rows[8];
    assert_eq!(
        (last["event"].as_str(), last["epoch"].as_u64(), last["steps"].as_u64()),
        (Some("epoch"), Some(3), Some(30))
    );
    assert_eq!(last["train"]["loss"].as_f64(), Some(report.train.loss));
    assert!(last["train"]["a \"b\", c[1]"].is_number() && last["validation"]["accuracy"].is_number());
    assert_eq!(rows[0]["event"], "step");
    assert!(rows[0]["validation"].is_null() && rows[1]["validation"]["loss"].is_number(), "{}", rows[1]);

    let curves = scalars(&event_file(directory.path()));
    assert_eq!(curves["train/loss"].iter().map(|(step, _)| *step).collect::<Vec<_>>(), [10, 20, 30]);
    assert_eq!(curves["train/loss"][2].1, report.train.loss as f32);
    assert_eq!(curves["train_steps/accuracy"].len(), 6);
    assert_eq!(curves["validation/loss"].len(), 6);
    assert_eq!(curves["learning_rate"][0], (7, 0.01));
    assert!(!curves.keys().any(|tag| tag.contains("confusion")));
}

#[test]
fn a_validation_has_its_columns() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.csv");
    let mut trainer = trainer().callback(CsvLog::new(&path));
    let history = trainer.fit(&data(1), Fit::epochs(2).validation(&data(2))).unwrap();
    let csv = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].ends_with(",loss,accuracy,validation_loss,validation_accuracy"));
    let scores = history.epochs[1].validation.as_ref().unwrap();
    assert!(lines[2].ends_with(&format!(",{},{}", scores.loss, scores.metric("accuracy").unwrap())));
    // Another call of `fit` goes on, another trainer begins anew.
    trainer.fit(&data(1), Fit::epochs(1).validation(&data(2))).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    super::trainer().callback(CsvLog::new(&path)).fit(&data(1), 1).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn a_training_in_pieces_logs_as_one() {
    let whole = tempfile::tempdir().unwrap();
    logging(whole.path()).fit(&data(1), EPOCHS).unwrap();
    for stop in [3, 7, 13, 20, 29] {
        let pieces = tempfile::tempdir().unwrap();
        let path = pieces.path().join("run");
        // A checkpoint before the break, and rows after the checkpoint that will be written again.
        let early = path.clone();
        let mut first = logging(pieces.path()).on_event(move |event, training| {
            if let Event::Step { .. } = event {
                if training.steps_done() == stop {
                    training.save(&early);
                }
                if training.steps_done() == (stop + 8).min(EPOCHS * BATCHES) {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        first.fit(&data(1), EPOCHS).unwrap();
        drop(first);
        let mut second = logging(pieces.path()).callback(Checkpoints::new(&path)).resume(&path).unwrap();
        second.fit(&data(1), Fit::until(EPOCHS)).unwrap();
        let without_seconds = |directory: &Path| -> Vec<Vec<String>> {
            let csv = fs::read_to_string(directory.join("log.csv")).unwrap();
            let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
            csv.lines()
                .map(fields)
                .map(|mut fields| {
                    fields.remove(3);
                    fields
                })
                .collect()
        };
        assert_eq!(without_seconds(pieces.path()), without_seconds(whole.path()), "{stop}");
        let lines =
            |directory: &Path| fs::read_to_string(directory.join("log.jsonl")).unwrap().lines().count();
        assert_eq!(lines(pieces.path()), lines(whole.path()));
        assert_eq!(scalars(&event_file(pieces.path())), scalars(&event_file(whole.path())), "{stop}");
    }
}

#[test]
fn a_log_that_cannot_be_written_is_said_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gone").join("log.csv");
    let mut trainer = trainer().callback(CsvLog::new(&path));
    assert_eq!(trainer.fit(&data(1), 3).unwrap().epochs.len(), 3);
    let [TrainWarning::NotSaved { reason }] = trainer.warnings() else { panic!("{:?}", trainer.warnings()) };
    assert!(reason.contains("log.csv"), "{reason}");
}

/// What the real TensorBoard reads. The test needs a Python that has it: `CHAINRULE_PYTHON`, or `python3`.
#[test]
fn tensorboard_reads_the_file() {
    const PROGRAM: &str = "\
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
from tensorboard.util import tensor_util
def values(tag):
    return [[event.step, float(event.value)] for event in events.Scalars(tag)]
print(json.dumps({tag: values(tag) for tag in events.Tags()['scalars']}))
";
    let python = std::env::var("CHAINRULE_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {python} has no tensorboard; install it, or set CHAINRULE_PYTHON");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    logging(directory.path()).fit(&data(1), Fit::epochs(2).validation(&data(2))).unwrap();
    let board = directory.path().join("board");
    let output = Command::new(&python).args(["-c", PROGRAM]).arg(&board).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: BTreeMap<String, Vec<(u64, f32)>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read, scalars(&event_file(directory.path())));
    assert!(read.contains_key("validation/accuracy"));
}
