//! Callbacks, and trainings that are interrupted and go on.

mod checkpoints;
mod early_stopping;
mod logs;
mod measuring;
mod other_callbacks;

use chainrule_core::Sequential;
use chainrule_data::Rows;
use chainrule_layers::{Dense, Dropout, Relu};
use chainrule_losses::CrossEntropy;
use chainrule_metrics::Accuracy;
use chainrule_optim::{UpdateRule, adam};
use chainrule_tensor::Seed;
use chainrule_train::{Model, Trainer};
use ndarray::Array2;

/// The number of batches in an epoch of [`data`].
const BATCHES: u64 = 10;

/// 77 samples of three classes: 9 batches of 8, and one of 5.
fn data(seed: u64) -> Rows<f32, u8> {
    let mut rng = Seed(seed).rng();
    let x = Array2::from_shape_simple_fn((77, 6), || rng.normal() as f32);
    let class = |row: ndarray::ArrayView1<'_, f32>| u8::from(row[0] > row[1]) + u8::from(row[2] > 0.5);
    let classes = x.rows().into_iter().map(class).collect();
    Rows::new(x, classes).unwrap()
}

fn trainer_with(optimizer: impl UpdateRule<f32> + 'static) -> Trainer<f32, u8> {
    let layers = Sequential::new().then(Dense::new(9)).then(Relu).then(Dropout::new(0.2)).then(Dense::new(3));
    let model = Model::new([6], layers, Seed(4)).unwrap();
    Trainer::new(model, CrossEntropy::default(), optimizer).batch_size(8).seed(9).metric(Accuracy::default())
}

fn trainer() -> Trainer<f32, u8> {
    trainer_with(adam(0.01))
}
