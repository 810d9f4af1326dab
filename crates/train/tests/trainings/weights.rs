//! Means over weights, and losses over a whole batch: of the batch, whatever shards and passes it is in.

use std::ops::ControlFlow;

use chainrule_core::{New, Sequential};
use chainrule_data::{ClassTargets, Rows, digits};
use chainrule_layers::activations::Tanh;
use chainrule_layers::{Dense, Flatten};
use chainrule_losses::{
    BinaryCrossEntropy, Circle, CrossEntropy, Ctc, Dice, Loss, MeanSquaredError, NtXent, PerStep, Reduced,
    Reduction, Weighted,
};
use chainrule_optim::sgd;
use chainrule_tensor::Seed;
use chainrule_train::{Event, Model, Trainer};
use ndarray::Array2;

fn samples(rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i * columns + j) as f64 * 0.7).sin())
}

fn model(outputs: usize) -> Model<f64> {
    let layers = Sequential::<f64>::new().then(Dense::new(7)).then(Tanh).then(Dense::new(outputs));
    Model::<f64>::new([4], layers, Seed(3)).unwrap()
}

/// The parameters after two epochs of batches of 10 from 25 samples, and the losses of the last one.
fn trained<Y: Clone + Send + Sync + 'static>(
    loss: impl Loss<f64, Y> + 'static,
    outputs: usize,
    shards: usize,
    targets: &[Y],
) -> (Vec<f64>, [f64; 2]) {
    let data = Rows::new(samples(targets.len(), 4), targets.to_vec()).unwrap();
    let mut trainer = Trainer::new(model(outputs), loss, sgd(0.1)).batch_size(10).shards(shards).threads(2);
    let history = trainer.fit(&data, 2).unwrap();
    let evaluated = trainer.evaluate(&data).unwrap().loss;
    (trainer.model().parameters().to_vec(), [history.epochs[1].train.loss, evaluated])
}

/// Whatever the shards, it is the same training up to rounding.
#[track_caller]
fn knows_nothing_of_shards<Y: Clone + Send + Sync + 'static>(
    loss: impl Loss<f64, Y> + Clone + 'static,
    outputs: usize,
    targets: &[Y],
) {
    let (params, losses) = trained(loss.clone(), outputs, 1, targets);
    assert!(losses.iter().all(|loss| loss.is_finite()) && params != model(outputs).parameters(), "{loss:?}");
    for shards in [2, 3, 7] {
        let (found, found_losses) = trained(loss.clone(), outputs, shards, targets);
        let error = params.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 1e-12, "{loss:?}, {shards} shards: {error:e}");
        for (found, right) in found_losses.iter().zip(losses) {
            assert!((found - right).abs() < 1e-12 * right.abs().max(1.0), "{loss:?}: {found} and {right}");
        }
    }
}

fn classes(count: usize) -> Vec<u8> {
    (0..count).map(|row| ((row * 7 + row / 3) % 3) as u8).collect()
}

#[test]
fn means_are_over_the_batch() {
    let targets = classes(25);
    knows_nothing_of_shards(CrossEntropy.class_weights([0.1, 3.0, 1.0]), 3, &targets);
    knows_nothing_of_shards(CrossEntropy.ignore_class(1), 3, &targets);
    let sum = Reduced { loss: CrossEntropy.class_weights([0.1, 1.0, 0.5]), reduction: Reduction::Sum };
    knows_nothing_of_shards(sum, 3, &targets);
    let weighted = targets.iter().enumerate();
    let weighted: Vec<_> =
        weighted.map(|(row, &target)| Weighted { target, weight: (row % 4) as f32 }).collect();
    knows_nothing_of_shards(CrossEntropy, 3, &weighted);
    knows_nothing_of_shards(Reduced { loss: CrossEntropy, reduction: Reduction::MeanOfRows }, 3, &weighted);
    let steps: Vec<[u8; 2]> = (0..25).map(|row| [(row % 3) as u8, (row % 4) as u8]).collect();
    knows_nothing_of_shards(PerStep(CrossEntropy.ignore_class(3)), 6, &steps);
}

#[test]
fn losses_over_a_batch() {
    let targets = classes(25);
    knows_nothing_of_shards(NtXent { temperature: 0.5 }, 3, &targets);
    knows_nothing_of_shards(Circle { gamma: 3.0, ..Circle::default() }, 3, &targets);
    let masks: Vec<Vec<f64>> = (0..25)
        .map(|row| (0..3).map(|column| f64::from(u8::from((row + column) % 3 == 0))).collect())
        .collect();
    knows_nothing_of_shards(Dice { over_batch: true }, 3, &masks);
}

#[test]
fn sequences_of_labels() {
    let labels: Vec<Vec<u8>> =
        (0..25).map(|row| (0..row % 3).map(|label| 1 + (label % 2) as u8).collect()).collect();
    knows_nothing_of_shards(Ctc::new(3), 12, &labels);
}

/// A batch of which nothing counts leaves the parameters as they are, and an epoch of such batches has no loss.
#[test]
fn nothing_counts() {
    let (params, losses) = trained(CrossEntropy.ignore_class(9), 3, 2, &[9u8; 25]);
    assert_eq!(params, model(3).parameters());
    assert!(losses.iter().all(|loss| loss.is_nan()), "{losses:?}");
}

/// The mean of an epoch and of an evaluation is over what counts in them, however they are cut into batches.
#[test]
fn reports_are_weighted_means() {
    let targets: Vec<_> =
        (0..25).map(|row| Weighted { target: [row as f64], weight: (row % 5) as f32 }).collect();
    let data = Rows::new(samples(25, 4), targets.clone()).unwrap();
    let report = |batch| {
        let mut trainer = Trainer::new(model(1), MeanSquaredError, sgd(0.0)).batch_size(batch).shards(2);
        let history = trainer.fit(&data, 1).unwrap();
        [history.epochs[0].train.loss, trainer.evaluate(&data).unwrap().loss]
    };
    let [right, evaluated] = report(25);
    assert!((right - evaluated).abs() < 1e-12 * right);
    for batch in [1, 4, 10] {
        for found in report(batch) {
            assert!((found - right).abs() < 1e-12 * right, "{found} and {right} in batches of {batch}");
        }
    }
}

/// Twice the weight is the sample twice.
#[test]
fn a_weight_is_so_many_samples() {
    let once: Vec<_> =
        (0..6).map(|row| Weighted { target: [(row % 2) as f64], weight: 1.0 + (row % 3) as f32 }).collect();
    let repeated: Vec<usize> = (0..6).flat_map(|row| vec![row; 1 + row % 3]).collect();
    let x = samples(6, 4);
    let many = Array2::from_shape_fn((repeated.len(), 4), |(i, j)| x[[repeated[i], j]]);
    let of_many: Vec<_> = repeated.iter().map(|&row| once[row].target).collect();
    let mut weighted = Trainer::new(model(1), BinaryCrossEntropy, sgd(0.3)).batch_size(6).shards(2);
    weighted.fit(&Rows::new(x.clone(), once).unwrap(), 3).unwrap();
    let mut plain = Trainer::new(model(1), BinaryCrossEntropy, sgd(0.3)).batch_size(repeated.len()).shards(2);
    plain.fit(&Rows::new(many, of_many).unwrap(), 3).unwrap();
    for (a, b) in weighted.model().parameters().iter().zip(plain.model().parameters()) {
        assert!((a - b).abs() < 1e-12, "{a} and {b}");
    }
}

/// A checkpoint in the middle of an epoch knows how much the samples before it count.
#[test]
fn an_epoch_may_be_interrupted() {
    let targets: Vec<_> = classes(25)
        .iter()
        .enumerate()
        .map(|(row, &target)| Weighted { target, weight: (row % 4) as f32 })
        .collect();
    let data = Rows::new(samples(25, 4), targets).unwrap();
    let make = || {
        Trainer::new(model(3), CrossEntropy.class_weights([0.1, 3.0, 1.0]), sgd(0.1)).batch_size(10).shards(2)
    };
    let mut whole = make();
    let right = whole.fit(&data, 1).unwrap().epochs[0].train.loss;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint");
    let mut first = make().callback(|event: &Event<'_>| match event {
        Event::Step { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    first.fit(&data, 1).unwrap();
    first.save(&path).unwrap();
    let mut rest = make().resume(&path).unwrap();
    let found = rest.fit(&data, 1).unwrap().epochs[0].train.loss;
    assert_eq!(found.to_bits(), right.to_bits());
    assert_eq!(rest.model().parameters(), whole.model().parameters());
}

#[test]
fn classes_of_any_number_train_to_the_bits_of_bytes() {
    let layers =
        || Sequential::<f32>::new().then(Flatten).then(Dense::new(12)).then(Tanh).then(Dense::new(10));
    let model = || Model::<f32>::new([28, 28], layers(), Seed(3)).unwrap();
    let bytes = digits(200, Seed(1));
    let classes = ClassTargets::<_, f32>::new(&bytes).unwrap();
    let mut of_bytes = Trainer::new(model(), CrossEntropy, sgd(0.1)).batch_size(20).shards(2);
    let mut of_classes = Trainer::new(model(), CrossEntropy, sgd(0.1)).batch_size(20).shards(2);
    let scores = [of_bytes.fit(&bytes, 2).unwrap(), of_classes.fit(&classes, 2).unwrap()];
    assert_eq!(of_bytes.model().parameters(), of_classes.model().parameters());
    assert_eq!(scores[0].epochs[1].train, scores[1].epochs[1].train);
}
