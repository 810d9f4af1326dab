//! A learning rate that is wrong in any step of the run is refused before the first, and the schedule and the step are named.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chainrule_core::{Sequential, SettingError};
use chainrule_data::Rows;
use chainrule_layers::Dense;
use chainrule_losses::MeanSquaredError;
use chainrule_metrics::MeanAbsoluteError;
use chainrule_optim::schedule::{Better, ByEpoch, Cosine, ReduceOnPlateau, StepDecay, Threshold, WarmUp};
use chainrule_optim::{ClipByGlobalNorm, UpdateRule, adam, sgd};
use chainrule_tensor::Real;
use chainrule_train::{Event, Fit, Model, TrainError, Trainer};
use ndarray::Array2;

/// 5 batches of 4 samples.
fn data<T: Real>() -> Rows<T, [T; 1]> {
    let x = Array2::from_shape_fn((20, 3), |(row, column)| T::of((row + 7 * column) as f64 / 20.0));
    Rows::new(x, (0..20).map(|row| [T::of(f64::from(row) / 20.0)]).collect::<Vec<_>>()).unwrap()
}

fn trainer<T: Real>(optimizer: impl UpdateRule<T> + 'static) -> Trainer<T, [T; 1]> {
    let model = Model::new([3], Sequential::default().then(Dense::new(1)), 5).unwrap();
    Trainer::new(model, MeanSquaredError, optimizer).batch_size(4).seed(3)
}

fn refused<T: Real>(optimizer: impl UpdateRule<T> + 'static, step: u64, texts: [&str; 2]) {
    let mut trainer = trainer(optimizer);
    let error = trainer.fit(&data(), 20).unwrap_err();
    assert!(
        matches!(error, TrainError::Setting(SettingError::Rate { step: found, .. }) if found == step),
        "{error}"
    );
    let message = error.to_string();
    assert!(message.contains(&format!("step {step} ")), "{message}");
    assert!(texts.iter().all(|text| message.contains(text)), "{message}");
    assert_eq!((trainer.epochs_done(), trainer.samples_done()), (0, 0), "no step was taken");
    // A run that ends before that step is fine.
    let epochs = step / 5;
    trainer.fit(&data(), epochs).unwrap();
    assert_eq!(trainer.epochs_done(), epochs);
    let again = trainer.fit(&data(), 1).unwrap_err();
    assert_eq!(again.to_string(), message);
}

#[test]
fn the_step_and_the_schedule_are_named() {
    refused::<f32>(
        sgd(|s| if s == 3 { f64::NAN } else { 0.1 }),
        3,
        ["function(first=0.1)", "learning rate NaN"],
    );
    refused::<f64>(
        adam(|s| if s == 3 { -0.1 } else { 0.1 }),
        3,
        ["function(first=0.1)", "learning rate -0.1"],
    );
    let overflowing = StepDecay::new(1.0, 1).gamma(1e200);
    refused::<f64>(
        adam(overflowing.clone()),
        2,
        ["step(every=1, gamma=1e200, rate=1.0)", "learning rate inf"],
    );
    refused::<f32>(
        adam(overflowing.clone()),
        1,
        ["step(every=1, gamma=1e200, rate=1.0)", "learning rate 1e200"],
    );
    let later = WarmUp::new(7).then(StepDecay::new(1e-3, 1).gamma(1e200));
    refused::<f64>(
        (ClipByGlobalNorm(1.0), adam(later)),
        9,
        ["warm_up(steps=7, start_factor=none, schedule=step(", "learning rate inf"],
    );
}

#[test]
fn the_model_is_as_the_last_good_step_left_it() {
    let mut good = trainer::<f32>(sgd(0.1));
    good.fit(&data(), 1).unwrap();
    // The rate of step 5 becomes wrong after all rates were checked.
    let started = Arc::new(AtomicBool::new(false));
    let wrong = Arc::clone(&started);
    let rate = move |step| if step == 5 && wrong.load(Ordering::Relaxed) { -0.1 } else { 0.1 };
    let mut stopped = trainer::<f32>(sgd(rate)).callback(move |_: &Event<'_>| {
        started.store(true, Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    let error = stopped.fit(&data(), 2).unwrap_err();
    assert!(matches!(error, TrainError::Setting(SettingError::Rate { step: 5, .. })), "{error}");
    assert_eq!(stopped.model().parameters_sha256(), good.model().parameters_sha256());
}

/// The parameters after some epochs.
fn sha256(optimizer: impl UpdateRule<f32> + 'static, epochs: u64) -> String {
    let mut trainer = trainer(optimizer);
    trainer.fit(&data(), epochs).unwrap();
    trainer.model().parameters_sha256()
}

#[test]
fn a_length_that_is_left_out_is_that_of_the_run() {
    let right = sha256(sgd(Cosine::new(0.1).steps(20)), 4);
    assert_eq!(sha256(sgd(Cosine::new(0.1)), 4), right);
    assert_ne!(sha256(sgd(Cosine::new(0.1)), 3), sha256(sgd(Cosine::new(0.1).steps(20)), 3));
    let warm = |cosine| sgd(WarmUp::new(3).then(cosine));
    assert_eq!(sha256(warm(Cosine::new(0.1)), 4), sha256(warm(Cosine::new(0.1).steps(17)), 4));
    let right = sha256(sgd(|step| 0.1 * 0.5f64.powf((step / 10) as f64)), 4);
    assert_eq!(sha256(sgd(ByEpoch::new(StepDecay::new(0.1, 2).gamma(0.5))), 4), right);
    assert_eq!(sha256(sgd(StepDecay::new(0.1, 10).gamma(0.5)), 4), right);

    // In three parts, one of them from a checkpoint: the run is that of all.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint");
    let mut stopped = trainer::<f32>(sgd(Cosine::new(0.1))).callback(|event: &Event<'_>| match event {
        Event::Step { epoch: 1, batch: 2, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    stopped.fit(&data(), 4).unwrap();
    stopped.save(&path).unwrap();
    let mut resumed = trainer::<f32>(sgd(Cosine::new(0.1))).resume(&path).unwrap();
    resumed.fit(&data(), 4 - resumed.epochs_done()).unwrap();
    assert_eq!(resumed.model().parameters_sha256(), sha256(sgd(Cosine::new(0.1)), 4));
}

/// Nothing counts as an improvement but the first value.
fn plateau(rate: f64) -> ReduceOnPlateau {
    ReduceOnPlateau::new(rate).factor(0.5).patience(1).threshold(1e9, Threshold::Absolute)
}

#[test]
fn the_rate_is_reduced_when_nothing_improves() {
    // The best of epoch 0, then two epochs without an improvement each time.
    let by_hand = |step: u64| 0.1 * [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125][step as usize / 5];
    let right = sha256(sgd(by_hand), 8);
    assert_eq!(sha256(sgd(plateau(0.1)), 8), right);
    assert_eq!(
        sha256((ClipByGlobalNorm(1e6), sgd(plateau(0.1))), 8),
        sha256((ClipByGlobalNorm(1e6), sgd(by_hand)), 8)
    );
    // A loss that improves leaves the rate as it is.
    assert_eq!(sha256(sgd(ReduceOnPlateau::new(0.01).patience(1)), 8), sha256(sgd(0.01), 8));

    // What was counted is in checkpoints, between epochs and within one.
    let directory = tempfile::tempdir().unwrap();
    for batches in [5, 10, 15, 18, 20, 32] {
        let path = directory.path().join("checkpoint");
        let mut count = 0;
        let mut stopped = trainer::<f32>(sgd(plateau(0.1))).callback(move |event: &Event<'_>| {
            let step = matches!(event, Event::Step { .. });
            count += u64::from(step);
            if step && count == batches { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        stopped.fit(&data(), 8).unwrap();
        stopped.save(&path).unwrap();
        let mut resumed = trainer::<f32>(sgd(plateau(0.1))).resume(&path).unwrap();
        resumed.fit(&data(), 8 - resumed.epochs_done()).unwrap();
        assert_eq!(resumed.model().parameters_sha256(), right, "stopped after {batches} batches");
        // And the same trainer goes on.
        stopped.fit(&data(), 8 - stopped.epochs_done()).unwrap();
        assert_eq!(stopped.model().parameters_sha256(), right, "stopped after {batches} batches");
    }
}

#[test]
fn what_a_plateau_looks_at() {
    let by_metric = |better| plateau(0.1).monitor("mean_absolute_error", better);
    let trained = |schedule: ReduceOnPlateau, validated: bool| {
        let mut trainer = trainer::<f32>(sgd(schedule)).metric(MeanAbsoluteError);
        let (data, other) = (data(), data());
        let fit = Fit::epochs(8);
        trainer.fit(&data, if validated { fit.validation(&other) } else { fit }).unwrap();
        trainer.model().parameters_sha256()
    };
    let right = sha256(sgd(plateau(0.1)), 8);
    for validated in [false, true] {
        assert_eq!(trained(by_metric(Better::Min), validated), right);
        assert_eq!(trained(by_metric(Better::Max), validated), right);
        // The error falls, which is no improvement if more is better, and one if less is.
        let exact = |better| by_metric(better).threshold(0.0, Threshold::Absolute);
        assert_eq!(trained(exact(Better::Max), validated), right);
        assert_eq!(trained(exact(Better::Min), validated), sha256(sgd(0.1), 8));
    }

    let refused = |optimizer: Box<dyn UpdateRule<f32>>| {
        let error = trainer::<f32>(optimizer).fit(&data(), 1).unwrap_err();
        assert!(matches!(error, TrainError::Setting(SettingError::Conflict { .. })), "{error}");
        error.to_string()
    };
    let unknown = refused(Box::new(sgd(by_metric(Better::Min))));
    assert!(unknown.contains("what it looks at is no metric of the trainer: add that metric"), "{unknown}");
    let two = (sgd(plateau(0.1)), sgd(plateau(0.1).cooldown(3)));
    assert!(refused(Box::new(two)).contains("the optimizer has two that differ"));
    trainer::<f32>((sgd(plateau(0.1)), sgd(plateau(0.2)))).fit(&data(), 1).unwrap();
}
