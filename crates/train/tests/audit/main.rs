//! What the audit of a training says: of nine faults in ten it names the right one, of sound trainings nothing, and it changes none.

mod data;
mod faults;
mod parts;
mod quiet;
mod sound;

use chainrule_core::Sequential;
use chainrule_data::{Dataset, Samples};
use chainrule_losses::Loss;
use chainrule_optim::UpdateRule;
use chainrule_train::{Audit, Fit, Model, TrainWarning, Trainer};

/// The number of samples of a batch.
const BATCH: usize = 16;

/// A training, before it has an audit.
fn trainer<Y: Clone + Send + Sync + 'static, D: Samples<f32, Target = Y>>(
    data: &D,
    layers: Sequential<f32>,
    loss: impl Loss<f32, Y> + 'static,
    optimizer: impl UpdateRule<f32> + 'static,
) -> Trainer<f32, Y> {
    let model = Model::new(Dataset::shape(data), layers, 5).unwrap();
    Trainer::new(model, loss, optimizer).batch_size(BATCH).seed(6)
}

/// What is said of a training of about 110 steps, which may fail.
fn said<Y: Clone + Send + Sync + 'static, D: Samples<f32, Target = Y>>(
    data: &D,
    layers: Sequential<f32>,
    loss: impl Loss<f32, Y> + 'static,
    optimizer: impl UpdateRule<f32> + 'static,
) -> Vec<TrainWarning> {
    said_of(data, trainer(data, layers, loss, optimizer))
}

/// What is said of about 110 steps of this training.
fn said_of<Y: Clone + Send + Sync + 'static, D: Samples<f32, Target = Y>>(
    data: &D,
    trainer: Trainer<f32, Y>,
) -> Vec<TrainWarning> {
    let epochs = 110u64.div_ceil(data.len().div_ceil(BATCH) as u64);
    let mut trainer = trainer.audit(Audit::default());
    // What ends a training is named by the audit as well.
    let _ = trainer.fit(data, Fit::epochs(epochs));
    let is_batch = |warning: &&TrainWarning| matches!(warning, TrainWarning::LargeBatch { .. });
    trainer.warnings().iter().filter(|warning| !is_batch(warning)).cloned().collect()
}
