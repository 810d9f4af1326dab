//! Checkpoints by steps, time and epochs.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use chainrule_core::Sequential;
use chainrule_data::Rows;
use chainrule_layers::{Dense, Relu};
use chainrule_losses::CrossEntropy;
use chainrule_optim::{Ema, adam};
use chainrule_train::callbacks::{Checkpoints, EarlyStopping};
use chainrule_train::{Event, FileError, Fit, History, Model, TrainError, TrainWarning, Trainer, file};

use ndarray::array;

use super::{BATCHES, data, trainer, trainer_with};

const EPOCHS: u64 = 3;

/// Stops after this many steps of this call of `fit`.
fn stop_after(steps: u64) -> impl FnMut(&Event<'_>) -> ControlFlow<()> + Send {
    let mut taken = 0;
    move |event| {
        taken += u64::from(matches!(event, Event::Step { .. }));
        if taken == steps { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The steps after which the checkpoint of this name was made.
fn steps_of(path: &Path) -> u64 {
    file::read(path).unwrap().training.unwrap().step
}

#[test]
fn a_run_in_pieces_is_one_run() {
    let (train, validation) = (data(1), data(2));
    let fit = || Fit::until(EPOCHS).validation(&validation).validate_every(4);
    let whole = |trainer: Trainer<f32, u8>| {
        let mut trainer = trainer;
        trainer.fit(&train, fit()).unwrap();
        (
            trainer.model().parameters_sha256(),
            without_seconds(trainer.history()),
            trainer.evaluate(&validation).unwrap(),
        )
    };
    let make = || trainer_with((adam(0.01), Ema { decay: 0.9, every: 1 }));
    let right = whole(make());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    for steps in [1, 3, 7, 10, 13] {
        let start = || {
            make().callback(Checkpoints::new(&path).every_steps(2).keep(3)).resume_or_start(&path).unwrap()
        };
        let mut pieces = 0;
        loop {
            let mut piece = start().callback(stop_after(steps));
            if !piece.fit(&train, fit()).unwrap().stopped {
                break;
            }
            pieces += 1;
            drop(piece);
        }
        assert!(pieces >= (EPOCHS * BATCHES - 1) / steps);
        let found = whole(start());
        assert_eq!(found, right, "in pieces of {steps} steps");
        assert_eq!(names(directory.path()), ["run", "run.1", "run.2"]);
        for name in names(directory.path()) {
            fs::remove_file(directory.path().join(name)).unwrap();
        }
    }
}

fn without_seconds(reports: &[chainrule_train::EpochReport]) -> Vec<chainrule_train::EpochReport> {
    reports.iter().map(|report| chainrule_train::EpochReport { seconds: 0.0, ..report.clone() }).collect()
}

#[test]
fn by_steps_epochs_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let run = |checkpoints: Checkpoints| {
        let mut seen = Vec::new();
        let watched = path.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        // What is there when the next step begins.
        let mut trainer = trainer().callback(checkpoints).callback(move |event: &Event<'_>| {
            if let Event::Batch { .. } = event {
                std::thread::sleep(Duration::from_millis(15));
                sender
                    .send(file::read(&watched).ok().map(|contents| contents.training.unwrap().step))
                    .unwrap();
            }
            ControlFlow::Continue(())
        });
        trainer.fit(&data(1), 2).unwrap();
        seen.extend(receiver.try_iter().flatten());
        seen.dedup();
        assert_eq!(steps_of(&path), 2 * BATCHES, "the end is always saved");
        fs::remove_file(&path).unwrap();
        seen
    };
    assert_eq!(run(Checkpoints::new(&path)), [0; 0]);
    assert!(run(Checkpoints::new(&path).every_steps(6)).iter().all(|steps| steps % 6 == 0));
    assert_eq!(run(Checkpoints::new(&path).every_epochs(1)), [10]);
    assert_eq!(run(Checkpoints::new(&path).every(Duration::from_secs(60))), [0; 0]);
    assert!(run(Checkpoints::new(&path).every(Duration::from_millis(1))).len() > 5);
}

#[test]
fn a_damaged_file_falls_back_to_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let one = directory.path().join("run.1");
    // An interval long enough for a file to be written before the next one is due.
    let slowly = |event: &Event<'_>| {
        if let Event::Batch { .. } = event {
            std::thread::sleep(Duration::from_millis(15));
        }
        ControlFlow::Continue(())
    };
    let checkpoints = Checkpoints::new(&path).every_steps(5).keep(3);
    let mut first = trainer().callback(checkpoints).callback(slowly).callback(stop_after(17));
    first.fit(&data(1), EPOCHS).unwrap();
    assert_eq!((steps_of(&path), steps_of(&one)), (17, 15));
    let mut straight = trainer();
    straight.fit(&data(1), EPOCHS).unwrap();
    let right = straight.model().parameters_sha256();

    let whole = fs::read(&path).unwrap();
    let damages: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes.truncate(bytes.len() / 2), |bytes| bytes[200] ^= 1, |bytes| bytes.clear()];
    for damage in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let mut resumed = trainer().resume_or_start(&path).unwrap();
        let [TrainWarning::OlderCheckpoint { reason, used }] = resumed.warnings() else {
            panic!("{resumed:?}")
        };
        assert!(reason.contains("run ") && *used == one, "{reason}");
        resumed.fit(&data(1), Fit::until(EPOCHS)).unwrap();
        assert_eq!(resumed.model().parameters_sha256(), right);
    }
    fs::remove_file(&path).unwrap();
    let resumed = trainer().resume_or_start(&path).unwrap();
    assert!(resumed.warnings()[0].to_string().ends_with("run.1, which is older"), "{:?}", resumed.warnings());
    // The oldest is the last hope, and then the error is that of the newest.
    fs::write(&path, &whole[..100]).unwrap();
    fs::write(&one, b"chainrul").unwrap();
    assert_eq!(trainer().resume(&path).unwrap().warnings().len(), 2);
    fs::remove_file(directory.path().join("run.2")).unwrap();
    let error = trainer().resume(&path).unwrap_err();
    assert!(matches!(error, TrainError::File(FileError::Length { .. })), "{error}");
    // A file that is whole, but of another training, is never passed over.
    let other = trainer_with(chainrule_optim::sgd(0.1));
    other.save(&path).unwrap();
    assert!(matches!(trainer().resume_or_start(&path), Err(TrainError::Checkpoint(_))));
}

#[test]
fn what_cannot_be_written_is_said_once_and_the_training_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let gone = directory.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let path = gone.join("run");
    let mut straight = trainer();
    straight.fit(&data(1), EPOCHS).unwrap();
    let slowly = move |event: &Event<'_>| {
        if let Event::Epoch { epoch: 1 } = event {
            // A file may just be written.
            while gone.exists() {
                let _ = fs::remove_dir_all(&gone);
            }
        }
        if let Event::Batch { .. } = event {
            std::thread::sleep(Duration::from_millis(5));
        }
        ControlFlow::Continue(())
    };
    let mut trainer = trainer().callback(Checkpoints::new(&path).every_steps(2)).callback(slowly);
    let history = trainer.fit(&data(1), EPOCHS).unwrap();
    assert_eq!(history.epochs.len() as u64, EPOCHS);
    assert_eq!(trainer.model().parameters_sha256(), straight.model().parameters_sha256());
    let [TrainWarning::NotSaved { reason }] = trainer.warnings() else { panic!("{:?}", trainer.warnings()) };
    // It says why in other words where the directory goes away while a file is written.
    assert!(reason.contains("cannot write") && reason.contains("directory"), "{reason}");
}

#[test]
fn an_error_is_saved_up_to_the_step_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let mut trainer = trainer().callback(Checkpoints::new(&path)).on_event(|event, training| {
        if let Event::Step { epoch: 1, batch: 2, .. } = event {
            training.fail(TrainError::Zero("nerves"));
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(trainer.fit(&data(1), EPOCHS), Err(TrainError::Zero("nerves"))));
    assert_eq!(steps_of(&path), BATCHES + 3);
}

#[test]
fn early_stopping_goes_on_where_it_was() {
    let (train, validation) = (data(1), data(2));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let fit = || Fit::until(60).validation(&validation);
    let make = || trainer_with(adam(0.05)).callback(EarlyStopping::new(4).restore_best());
    let mut straight = make();
    let history: History = straight.fit(&train, fit()).unwrap();
    let epochs = history.epochs.len();
    assert!(history.stopped && (6..60).contains(&epochs), "{epochs}");
    let right = straight.model().parameters_sha256();
    let loss = |report: &chainrule_train::EpochReport| report.validation.as_ref().unwrap().loss;
    let best = history.epochs.iter().map(loss).fold(f64::INFINITY, f64::min);
    assert_eq!(straight.evaluate(&validation).unwrap().loss, best, "the best weights are back");
    for steps in [7, 10, 33, 10 * epochs as u64 - 1] {
        let start =
            || make().callback(Checkpoints::new(&path).every_epochs(1)).resume_or_start(&path).unwrap();
        loop {
            let mut piece = start().callback(stop_after(steps));
            piece.fit(&train, fit()).unwrap();
            // A callback that is told of the end before the weights come back has saved the last ones.
            if steps_of(&path) == 10 * epochs as u64 && file::read(&path).unwrap().position.is_none() {
                break;
            }
        }
        let mut last = start();
        assert!(last.fit(&train, fit()).unwrap().stopped, "it had stopped");
        assert_eq!(last.model().parameters_sha256(), right, "in pieces of {steps} steps");
        assert_eq!(last.history().len(), epochs);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn notes_and_weights_are_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let mut trainer = trainer().note("config", "a").note("other", "ü").note("config", "b");
    trainer.fit(&data(1), 1).unwrap();
    trainer.checkpoint().unwrap().write(&path).unwrap();
    let notes = file::read(&path).unwrap().record.unwrap().notes;
    assert_eq!(notes, [("other".into(), "ü".into()), ("config".into(), "b".into())]);
    let model = Model::<f32>::load(&path).unwrap();
    assert_eq!(model.parameters_sha256(), trainer.model().parameters_sha256());
}

/// A file that version 5 of the format wrote, after an epoch of two samples.
#[test]
fn a_checkpoint_of_version_5_is_resumed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/version-5-checkpoint.bin");
    assert_eq!(fs::read(&path).unwrap()[8], 5);
    let layers = Sequential::new().then(Dense::new(4)).then(Relu).then(Dense::new(2));
    let model = Model::<f32>::new([3], layers, 0).unwrap();
    let trainer = Trainer::<f32, u8>::new(model, CrossEntropy::default(), adam(0.01));
    let mut trainer = trainer.resume(&path).unwrap();
    assert_eq!((trainer.epochs_done(), trainer.history().len()), (1, 0));
    let data = Rows::new(array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], vec![0u8, 1]).unwrap();
    assert_eq!(trainer.fit(&data, Fit::until(3)).unwrap().epochs.len(), 2);
    let again = file::read(&path).unwrap().training.unwrap();
    assert_eq!((again.step, again.batch_size), (2, 1));
}
