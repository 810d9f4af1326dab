//! Early stopping decides as Keras does.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use chainrule_data::Subset;
use chainrule_optim::schedule::Better;
use chainrule_optim::{Ema, sgd};
use chainrule_train::callbacks::EarlyStopping;
use chainrule_train::{Event, Fit, Snapshot, TrainError};
use serde_json::Value;

use super::{data, trainer, trainer_with};

/// A metric that has these values, one after the other.
#[derive(Clone, Debug)]
struct Script(Arc<Mutex<Vec<f64>>>);

impl chainrule_metrics::Metric for Script {
    fn name(&self) -> &'static str {
        "script"
    }
}

impl chainrule_metrics::Statistic for Script {
    type Counts = [f64; 1];

    fn value(&self, _: &[f64; 1]) -> chainrule_metrics::MetricValue {
        let mut values = self.0.lock().unwrap();
        let value = values.pop().unwrap_or(f64::NAN);
        chainrule_metrics::MetricValue::number(value)
    }
}

impl chainrule_metrics::Count<f32, u8> for Script {
    fn count(&self, _: &mut [f64; 1], _: ndarray::ArrayView2<'_, f32>, _: &[u8]) {}
}

#[test]
fn decisions_are_those_of_keras() {
    let cases: Value = serde_json::from_str(include_str!("early_stopping.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 100);
    let train = Subset::first(data(1), 8);
    for case in cases {
        let values: Vec<f64> =
            case["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        let better = if case["mode"] == "max" { Better::Max } else { Better::Min };
        let mut stopping = EarlyStopping::new(case["patience"].as_u64().unwrap())
            .monitor("script", better)
            .min_delta(case["min_delta"].as_f64().unwrap())
            .start_from(case["start_from_epoch"].as_u64().unwrap())
            .restore_best();
        if let Some(baseline) = case["baseline"].as_f64() {
            stopping = stopping.baseline(baseline);
        }
        let script = Script(Arc::new(Mutex::new(values.iter().rev().copied().collect())));
        let weights = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&weights);
        let mut trainer = trainer().metric(script).callback(stopping).on_event(move |event, training| {
            if let Event::EpochEnd(_) = event {
                kept.lock().unwrap().push(training.model().parameters().to_vec());
            }
            ControlFlow::Continue(())
        });
        let history = trainer.fit(&train, values.len() as u64).unwrap();
        assert_eq!(history.epochs.len() as u64, case["epochs"].as_u64().unwrap(), "{case}");
        assert_eq!(history.stopped, case["stopped"].as_bool().unwrap(), "{case}");
        let restored = case["best_epoch"].as_u64();
        let restored = restored.map_or(history.epochs.len() - 1, |epoch| epoch as usize);
        assert_eq!(trainer.model().parameters(), weights.lock().unwrap()[restored], "{case}");
    }
}

#[test]
fn the_best_weights_come_back_however_it_ends() {
    let (train, validation) = (data(1), data(2));
    let best_of = |trainer: &chainrule_train::Trainer<f32, u8>| {
        let losses = trainer.history().iter().map(|report| report.validation.as_ref().unwrap().loss);
        losses.fold(f64::INFINITY, f64::min)
    };
    for averaged in [false, true] {
        for end in 0..3 {
            let decay = if averaged { 0.8 } else { 0.0 };
            let stopping = EarlyStopping::new(100).restore_best();
            let mut trainer = trainer_with((sgd(1.5), Ema { decay, every: 1 })).callback(stopping).on_event(
                move |event, training| match event {
                    Event::Step { epoch: 8, batch: 3, .. } if end == 1 => ControlFlow::Break(()),
                    Event::Step { epoch: 8, batch: 3, .. } if end == 2 => {
                        training.fail(TrainError::Zero("nerves"));
                        ControlFlow::Continue(())
                    }
                    _ => ControlFlow::Continue(()),
                },
            );
            let result = trainer.fit(&train, Fit::epochs(12).validation(&validation));
            assert_eq!(result.is_err(), end == 2);
            let best = best_of(&trainer);
            let last = trainer.history().last().unwrap().validation.as_ref().unwrap().loss;
            assert!(best < last, "the last is not the best: {best} {last}");
            assert_eq!(trainer.evaluate(&validation).unwrap().loss, best, "end {end}, averaged: {averaged}");
        }
    }
}

#[test]
fn validations_within_an_epoch_count() {
    let (train, validation) = (data(1), data(2));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let mut trainer =
        trainer_with(sgd(0.0)).callback(EarlyStopping::new(3)).callback(move |event: &Event<'_>| {
            if let Event::Step { batch, validation: Some(scores), .. } = event {
                kept.lock().unwrap().push((*batch, scores.loss));
            }
            ControlFlow::Continue(())
        });
    // Nothing improves: the fourth validation stops it, at batch 7 of the second epoch, after those at 3, at the end and at 3.
    let history = trainer.fit(&train, Fit::epochs(9).validation(&validation).validate_every(4)).unwrap();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.iter().map(|(batch, _)| *batch).collect::<Vec<_>>(), [3, 7, 3]);
    assert!(history.stopped && history.epochs.len() == 1, "{history:?}");
    assert_eq!(Some(seen[0].1), history.epochs[0].validation.as_ref().map(|scores| scores.loss));
}

#[test]
fn what_is_not_there_cannot_be_looked_at() {
    let mut trainer = trainer().callback(EarlyStopping::new(1).monitor("acuracy", Better::Max));
    let error = trainer.fit(&data(1), 2).unwrap_err();
    assert!(matches!(error, TrainError::Setting(_)) && error.to_string().contains("no metric"), "{error}");
    assert_eq!(trainer.history().len(), 0);
}

#[test]
fn another_training_begins_anew() {
    let mut trainer = trainer_with(sgd(0.0)).callback(EarlyStopping::new(2));
    let validation = data(2);
    for _ in 0..2 {
        // Nothing changes: a first value, and two that are no better.
        let history = trainer.fit(&data(1), Fit::epochs(9).validation(&validation)).unwrap();
        assert!(history.stopped && history.epochs.len() == 3, "{history:?}");
    }
}

#[test]
fn weights_may_be_changed_by_a_callback() {
    let mut trainer = trainer().on_event(|event, training| {
        if let Event::EpochEnd(_) = event {
            let mut weights = Snapshot::default();
            training.snapshot(&mut weights).unwrap();
            weights.parameters_mut().fill(0.25);
            training.restore(weights);
        }
        ControlFlow::Continue(())
    });
    trainer.fit(&data(1), 2).unwrap();
    assert!(trainer.model().parameters().iter().all(|&weight| weight == 0.25));
}
