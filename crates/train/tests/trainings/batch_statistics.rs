//! Batch normalisation takes its statistics over the whole batch, whatever the number of shards and of threads.

use chainrule_core::{Layer, Residual, Sequential};
use chainrule_data::Rows;
use chainrule_layers::{BatchNorm, Dense, Relu, Reshape, Tanh, TimeDistributed};
use chainrule_losses::MeanSquaredError;
use chainrule_optim::{adam, sgd};
use chainrule_tensor::{Seed, Shape};
use chainrule_train::{Model, Trainer};
use ndarray::Array2;

const SAMPLES: usize = 38;

fn data(inputs: usize) -> Rows<f64, [f64; 2]> {
    let mut rng = Seed(4).rng();
    let x = Array2::from_shape_simple_fn((SAMPLES, inputs), || rng.normal());
    let targets = x.rows().into_iter().map(|x| [x[0] + x[1], x[0] * x[1]]).collect();
    Rows::new(x, targets).unwrap()
}

fn networks() -> Vec<Sequential<f64>> {
    let start = || Sequential::<f64>::default();
    let inner = start().then(Dense::new(6)).then(BatchNorm::new()).then(Tanh);
    let steps = TimeDistributed(BatchNorm::new());
    vec![
        start().then(Dense::new(5)).then(BatchNorm::new()).then(Tanh).then(Dense::new(2)),
        start().then(BatchNorm::keras()).then(Dense::new(5)).then(Relu).then(Dense::new(2)),
        start().then(Residual(inner)).then(BatchNorm::new().without_affine()).then(Dense::new(2)),
        start()
            .then(Reshape::new([3, 2]))
            .then(BatchNorm::new())
            .then(steps)
            .then(Reshape::new([6]))
            .then(Dense::new(2)),
        // So wide that gradients are left to the update.
        start().then(Dense::new(1200)).then(BatchNorm::new()).then(Relu).then(Dense::new(2)),
    ]
}

fn trained(layers: &Sequential<f64>, shards: usize, threads: usize) -> Model<f64> {
    let model = Model::new([6], layers.clone(), Seed(1)).unwrap();
    let trainer = Trainer::new(model, MeanSquaredError, sgd(0.002));
    // The last batch has 8 samples, fewer than the most shards.
    let mut trainer = trainer.batch_size(10).shards(shards).threads(threads);
    trainer.fit(&data(6), 2).unwrap();
    trainer.into_model()
}

#[test]
fn shards_change_only_the_last_bits() {
    for layers in networks() {
        let whole = trained(&layers, 1, 1);
        for shards in [2, 3, 10] {
            let cut = trained(&layers, shards, 1);
            for (cut, whole) in cut.parameters().iter().zip(whole.parameters()) {
                assert!(
                    (cut - whole).abs() < 1e-9 * (1.0 + whole.abs()),
                    "{cut} {whole}: {shards} {layers:?}"
                );
            }
        }
    }
}

#[test]
fn threads_are_no_part_of_the_result() {
    for layers in networks() {
        for shards in [2, 5] {
            let one = trained(&layers, shards, 1).parameters_sha256();
            for threads in [2, 3, 5, 8] {
                assert_eq!(
                    trained(&layers, shards, threads).parameters_sha256(),
                    one,
                    "{threads}: {layers:?}"
                );
            }
        }
    }
}

#[test]
fn shards_of_one_row_learn() {
    let layers = || {
        let layers = Sequential::<f64>::default().then(Dense::new(8)).then(BatchNorm::new()).then(Tanh);
        layers.then(Dense::new(2))
    };
    let data = data(6);
    let loss = |batch, shards| {
        let model = Model::new([6], layers(), Seed(1)).unwrap();
        let mut trainer = Trainer::new(model, MeanSquaredError, adam(0.02)).batch_size(batch).shards(shards);
        let before = trainer.model().parameter("0.weight").unwrap().to_vec();
        let history = trainer.fit(&data, 40).unwrap();
        assert!(trainer.model().parameter("0.weight").unwrap() != before);
        history.epochs.last().unwrap().train.loss
    };
    let whole = loss(4, 1);
    let cut = loss(4, 4);
    assert!((cut - whole).abs() < 1e-6 * whole, "{cut} {whole}");
}

#[test]
fn the_first_step_is_that_of_the_whole_batch() {
    // One batch of all samples: the running statistics are known.
    let model =
        Model::new([6], Sequential::<f64>::default().then(BatchNorm::new()).then(Dense::new(2)), Seed(1));
    let data = data(6);
    let mut trainer = Trainer::new(model.unwrap(), MeanSquaredError, sgd(0.1)).batch_size(SAMPLES).shards(5);
    trainer.fit(&data, 1).unwrap();
    for (column, x) in data.samples().columns().into_iter().enumerate() {
        let mean = x.sum() / SAMPLES as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (SAMPLES - 1) as f64;
        let [found_mean, found_variance] =
            ["0.running_mean", "0.running_var"].map(|name| trainer.model().parameter(name).unwrap()[column]);
        assert!((found_mean - 0.1 * mean).abs() < 1e-12, "{found_mean}");
        assert!((found_variance - (0.9 + 0.1 * variance)).abs() < 1e-12, "{found_variance}");
    }
}

#[test]
fn a_step_of_a_sequence_is_a_row() {
    // Five steps of a sample are enough to normalise over, a single vector is not.
    let mut plan = chainrule_core::Plan::new();
    let steps = TimeDistributed(BatchNorm::new());
    Layer::<f32>::plan(&steps, Shape::from([5, 2]), &mut plan).unwrap();
    assert_eq!((plan.has_sums_over_batch(), plan.needs_several_samples()), (true, None));
    Layer::<f32>::plan(&BatchNorm::new(), Shape::from([2]), &mut plan).unwrap();
    assert_eq!(plan.needs_several_samples(), Some(""));
}
