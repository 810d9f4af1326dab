//! That an audit changes no bit of a training, and a record of the sizes of weights and gradients neither.

use chainrule_core::Sequential;
use chainrule_data::{Rows, Samples};
use chainrule_layers::activations::Relu;
use chainrule_layers::embedding::Embedding;
use chainrule_layers::normalization::BatchNorm;
use chainrule_layers::recurrent::Lstm;
use chainrule_layers::regularization::Dropout;
use chainrule_layers::{Dense, Flatten};
use chainrule_losses::{CrossEntropy, Loss, NtXent};
use chainrule_optim::adam;
use chainrule_train::{Audit, Fit, Trainer};
use ndarray::Array2;

use crate::data::{classes, pictures};
use crate::parts::mlp;
use crate::trainer;

/// Trains with and without an audit, and compares parameters and reports; an audit also sees the validation.
fn unchanged<D: Samples<f32, Target = u8>>(
    name: &str,
    data: &D,
    layers: &Sequential<f32>,
    loss: impl Loss<f32, u8> + Clone + 'static,
    settings: impl Fn(Trainer<f32, u8>) -> Trainer<f32, u8>,
) {
    let results = [false, true].map(|audited| {
        let mut trainer = settings(trainer(data, layers.clone(), loss.clone(), adam(0.01)));
        if audited {
            // Records of sizes are made by passes of the same kind, after the audit too.
            trainer = trainer.audit(Audit::steps(25)).record_sizes(9);
        }
        let history = trainer.fit(data, Fit::epochs(3).validation(data)).unwrap();
        let points =
            trainer.weight_sizes().iter().flat_map(|sizes| [sizes.weight.len(), sizes.gradient.len()]);
        let points: Vec<usize> = points.collect();
        let right = if audited { 8..11 } else { 0..0 };
        assert!(
            points.is_empty() != audited && points.iter().all(|count| right.contains(count)),
            "{name}: {points:?}"
        );
        // The times of each layer with parameters are known.
        let times = trainer.layer_times();
        let layers = trainer.model().plan().layers();
        let is_layer = |path: &str| layers.iter().any(|layer| layer.path == path);
        assert!(
            times.is_empty() != audited && times.iter().all(|time| is_layer(&time.path)),
            "{name}: {times:?}"
        );
        let has_time = |path: &str| {
            times.iter().any(|time| time.path == path && time.backward.is_some_and(|time| !time.is_zero()))
        };
        let trained = trainer.model().plan().entries().iter().filter_map(|entry| entry.name.rsplit_once('.'));
        assert!(trained.into_iter().all(|(layer, _)| has_time(layer) == audited), "{name}: {times:?}");
        let scores: Vec<_> =
            history.epochs.into_iter().map(|epoch| (epoch.train, epoch.validation)).collect();
        (trainer.model().parameters_sha256(), scores, trainer.evaluate(data).unwrap())
    });
    assert!(results[0] == results[1], "{name}: {results:?}");
}

#[test]
fn no_bit_of_a_training_is_changed() {
    let data = classes(320);
    let same = |trainer: Trainer<f32, u8>| trainer;
    unchanged("plain", &data, &mlp(3), CrossEntropy, same);
    // With two shards, the first product is split along the columns.
    unchanged("pictures", &pictures(300), &mlp(10), CrossEntropy, |trainer| trainer.shards(2).threads(2));
    let normalized =
        Sequential::new().then(Dense::new(16)).then(BatchNorm::new()).then(Relu).then(Dropout::new(0.3));
    let normalized = normalized.then(Dense::new(3));
    unchanged("normalised", &data, &normalized, CrossEntropy, |trainer| trainer.shards(2));
    unchanged("accumulated", &data, &mlp(3), CrossEntropy, |trainer| trainer.accumulate(2));
    unchanged("compared", &data, &mlp(4), NtXent::default(), |trainer| trainer.shards(2));
    let ids = Array2::from_shape_fn((320, 4), |(row, step)| ((row * (step + 3)) % 17) as f32);
    let ids = Rows::new(ids, (0..320).map(|row| (row % 3) as u8).collect()).unwrap();
    let recurrent =
        |lstm| Sequential::new().then(Embedding::new(17, 6)).then(lstm).then(Flatten).then(Dense::new(3));
    unchanged("a sparse table", &ids, &recurrent(Lstm::new(5)), CrossEntropy, same);
    unchanged("carried states", &ids, &recurrent(Lstm::new(5).stateful()), CrossEntropy, |trainer| {
        trainer.shuffle(false).shards(2)
    });
}
