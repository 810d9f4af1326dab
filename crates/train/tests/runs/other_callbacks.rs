//! What callbacks see, saved models, and a time limit.

use std::fs;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chainrule_optim::schedule::{Better, LinearDecay};
use chainrule_optim::{Ema, adam, sgd};
use chainrule_train::callbacks::{ModelCheckpoint, TimeLimit};
use chainrule_train::{Event, Fit, Model, TrainWarning};

use super::{BATCHES, data, trainer, trainer_with};

#[test]
fn a_callback_sees_the_training() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let rate = LinearDecay::new(0.1);
    let mut trainer = trainer_with(sgd(rate)).on_event(move |event, training| {
        let name = match event {
            Event::Start { .. } => "start",
            Event::Epoch { .. } => "epoch",
            Event::Batch { .. } => "batch",
            Event::Step { .. } => "step",
            Event::EpochEnd(_) => "epoch end",
            Event::End { .. } => "end",
            _ => "other",
        };
        assert_eq!(training.metric_names(), ["accuracy"]);
        assert_eq!(training.model().parameters().len(), 93);
        let rate = training.learning_rate().unwrap();
        let (steps, planned) = (training.steps_done(), training.steps_planned());
        kept.lock().unwrap().push((name, steps, planned, training.epochs_done(), rate));
        ControlFlow::Continue(())
    });
    trainer.fit(&data(1), 2).unwrap();
    let seen = seen.lock().unwrap();
    let names: Vec<&str> = seen.iter().map(|(name, ..)| *name).collect();
    let epoch = ["epoch"].into_iter().chain(["batch", "step"].repeat(10)).chain(["epoch end"]);
    let right = ["start"].into_iter().chain(epoch.clone()).chain(epoch).chain(["end"]);
    assert_eq!(names, right.collect::<Vec<_>>());
    for (name, steps, planned, epochs, rate) in &*seen {
        assert_eq!(
            (*planned, *epochs),
            (2 * BATCHES, steps.saturating_sub(u64::from(*name == "step")) / BATCHES),
            "{name}"
        );
        assert!((rate - 0.1 * (1.0 - *steps as f64 / 20.0)).abs() < 1e-12, "{steps}: {rate}");
    }
}

#[test]
fn best_last_and_every_model() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let validation = data(2);
    let mut trainer = trainer_with((adam(0.1), Ema { decay: 0.5, every: 1 }))
        .callback(ModelCheckpoint::best(path("best")).monitor("accuracy", Better::Max))
        .callback(ModelCheckpoint::last(path("last")))
        .callback(ModelCheckpoint::every_epochs(2, path("model-{epoch}")));
    let history = trainer.fit(&data(1), Fit::epochs(7).validation(&validation)).unwrap();
    let load = |name: &str| Model::<f32>::load(path(name)).unwrap();
    assert_eq!(load("last").parameters_sha256(), trainer.evaluated_model().parameters_sha256());
    for epoch in 1..=7 {
        assert_eq!(path(&format!("model-{epoch}")).exists(), epoch % 2 == 0);
    }
    let accuracy =
        |report: &chainrule_train::EpochReport| report.validation.as_ref().unwrap().metric("accuracy");
    let best = history.epochs.iter().filter_map(accuracy).fold(0.0, f64::max);
    let mut with_best =
        chainrule_train::Trainer::new(load("best"), chainrule_losses::CrossEntropy::default(), sgd(0.1))
            .metric(chainrule_metrics::Accuracy::default());
    assert_eq!(with_best.evaluate(&validation).unwrap().metric("accuracy"), Some(best));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2 + 3);
}

#[test]
fn a_model_that_cannot_be_saved_is_said_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut trainer = trainer().callback(ModelCheckpoint::last(directory.path().join("gone").join("model")));
    assert_eq!(trainer.fit(&data(1), 3).unwrap().epochs.len(), 3);
    assert!(matches!(trainer.warnings(), [TrainWarning::NotSaved { .. }]), "{:?}", trainer.warnings());
}

#[test]
fn a_time_limit_stops_after_a_step() {
    let slowly = |event: &Event<'_>| {
        if let Event::Batch { .. } = event {
            std::thread::sleep(Duration::from_millis(2));
        }
        ControlFlow::Continue(())
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let limit = || TimeLimit::new(Duration::from_millis(100));
    let mut first = trainer().callback(slowly).callback(limit());
    let begin = Instant::now();
    let history = first.fit(&data(1), 1_000_000).unwrap();
    assert!(history.stopped && begin.elapsed() >= Duration::from_millis(100));
    assert!(history.epochs.len() < 10);
    // What was used before a resume counts, and a new training has all of it.
    first.save(&path).unwrap();
    let mut resumed = trainer().callback(limit()).resume(&path).unwrap();
    let steps = resumed.samples_done();
    assert!(resumed.fit(&data(1), 1_000_000).unwrap().stopped);
    assert_eq!(resumed.samples_done(), steps, "there is no time left");
    let begin = Instant::now();
    assert!(first.fit(&data(1), 1_000_000).unwrap().stopped);
    assert!(begin.elapsed() >= Duration::from_millis(100));
}
