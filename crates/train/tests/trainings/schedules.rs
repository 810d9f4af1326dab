//! A learning rate that is wrong in any step of the run is refused before the first, and the schedule and the step are named.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chainrule_core::{Sequential, SettingError};
use chainrule_data::Rows;
use chainrule_layers::Dense;
use chainrule_losses::MeanSquaredError;
use chainrule_optim::schedule::{StepDecay, WarmUp};
use chainrule_optim::{ClipByGlobalNorm, UpdateRule, adam, sgd};
use chainrule_tensor::Real;
use chainrule_train::{Event, Model, TrainError, Trainer};
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
        ["step(every=1, gamma=1e200, rate=1.0)", "learning rate 1000000"],
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
