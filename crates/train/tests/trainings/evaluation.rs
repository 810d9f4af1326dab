//! An evaluation has the same bits whoever computes it, and is spread over all threads.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use chainrule_core::Sequential;
use chainrule_data::{Dataset, Rows, Samples, digits};
use chainrule_layers::{Conv2d, Dense, Flatten, MaxPool2d, Relu, Reshape};
use chainrule_losses::{CrossEntropy, Loss, MeanSquaredError};
use chainrule_metrics::{Accuracy, ConfusionMatrix, MeanAbsoluteError};
use chainrule_optim::adam;
use chainrule_tensor::{Seed, Shape};
use chainrule_train::{Fit, Model, Scores, TrainError, Trainer};
use ndarray::{Array2, s};

fn classifier(loss: impl Loss<f32, u8> + 'static) -> Trainer<f32, u8> {
    let layers = Sequential::new().then(Flatten).then(Dense::new(64)).then(Relu).then(Dense::new(10));
    let model = Model::new([28, 28], layers, Seed(4)).unwrap();
    Trainer::new(model, loss, adam(1e-3)).metric(Accuracy).metric(ConfusionMatrix::default())
}

#[test]
fn neither_shards_nor_batches_nor_threads_change_it() {
    // 15 parts in as many sections, the last one of fewer samples.
    let data = digits(1900, Seed(1));
    let weighted = || CrossEntropy.class_weights([1.0, 0.5, 2.0, 1.0, 0.25, 1.0, 1.0, 3.0, 1.0, 1.0]);
    let run = |threads, shards, batch, is_weighted| {
        let trainer = if is_weighted { classifier(weighted()) } else { classifier(CrossEntropy) };
        let mut trainer = trainer.threads(threads).shards(shards).batch_size(batch);
        let scores = trainer.evaluate(&data).unwrap();
        (scores.loss.to_bits(), scores.metrics)
    };
    for is_weighted in [false, true] {
        let one = run(1, 1, 32, is_weighted);
        for (threads, shards, batch) in [(2, 1, 32), (3, 2, 100), (7, 5, 1), (20, 16, 2000)] {
            assert_eq!(run(threads, shards, batch, is_weighted), one, "{threads} threads, {shards} shards");
        }
    }
}

#[test]
fn a_validation_is_the_evaluation_of_the_same_samples() {
    let (train, test) = (digits(64, Seed(1)), digits(1000, Seed(2)));
    let run = |threads, shards| {
        let mut trainer = classifier(CrossEntropy).threads(threads).shards(shards);
        let history = trainer.fit(&train, Fit::epochs(1).validation(&test)).unwrap();
        let validation = history.epochs[0].validation.clone().unwrap();
        assert_eq!(validation, trainer.evaluate(&test).unwrap(), "{threads} threads, {shards} shards");
        validation
    };
    // One shard is the work of one thread, but four evaluate.
    let one = run(1, 1);
    assert_eq!(run(4, 1), one);
}

#[test]
fn it_is_the_sum_over_all_samples() {
    let mut rng = Seed(3).rng();
    let x = Array2::from_shape_simple_fn((700, 5), || rng.normal() as f32);
    let targets: Vec<[f32; 1]> = (0..700).map(|_| [rng.normal() as f32]).collect();
    let model = Model::new([5], Sequential::new().then(Dense::new(1)), Seed(1)).unwrap();
    let y = model.predict(x.view()).unwrap();
    let errors: Vec<f64> = y.iter().zip(&targets).map(|(&y, &[t])| f64::from(y) - f64::from(t)).collect();
    let mean = |f: fn(f64) -> f64| errors.iter().map(|&e| f(e)).sum::<f64>() / 700.0;
    let data = Rows::new(x, targets).unwrap();
    let trainer = Trainer::new(model, MeanSquaredError, adam(1e-3)).metric(MeanAbsoluteError);
    let Scores { loss, metrics } = trainer.threads(3).evaluate(&data).unwrap();
    assert!((loss - mean(|e| e * e)).abs() < 1e-6, "{loss}");
    let metric = metrics[0].1.as_number().unwrap();
    assert!((metric - mean(f64::abs)).abs() < 1e-6, "{metric}");
}

/// Notes which threads read samples, each of which waits until there are so many.
struct Noted<D> {
    data: D,
    awaited: usize,
    threads: Mutex<HashSet<ThreadId>>,
}

impl<D: Dataset> Dataset for Noted<D> {
    type Target = D::Target;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> Shape {
        self.data.shape()
    }
}

impl<D: Samples<f32>> Samples<f32> for Noted<D> {
    fn read(&self, index: usize, row: &mut [f32]) -> D::Target {
        let note = || {
            let mut threads = self.threads.lock().unwrap();
            threads.insert(thread::current().id());
            threads.len()
        };
        let start = Instant::now();
        while note() < self.awaited && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(1));
        }
        self.data.read(index, row)
    }
}

#[test]
fn all_threads_take_part_whatever_the_shards_of_the_training_are() {
    let threads = |samples, awaited| {
        let data = Noted { data: digits(samples, Seed(1)), awaited, threads: Mutex::default() };
        classifier(CrossEntropy).threads(4).shards(1).evaluate(&data).unwrap();
        data.threads.into_inner().unwrap().len()
    };
    assert_eq!(threads(1900, 4), 4);
    // Too little work for a second one.
    assert_eq!(threads(10, 1), 1);
}

#[test]
fn the_first_sample_that_is_refused_is_named() {
    let data = digits(1900, Seed(1));
    let x = Array2::zeros((data.count(), 4));
    let mut targets = vec![0u8; data.count()];
    for wrong in [700, 745, 1899] {
        targets[wrong] = 3;
    }
    let wrong = Rows::new(x, targets).unwrap();
    let model =
        Model::new([4], Sequential::new().then(Dense::new(3000)).then(Dense::new(3)), Seed(1)).unwrap();
    let error = Trainer::new(model, CrossEntropy, adam(1e-3)).threads(4).evaluate(&wrong).unwrap_err();
    assert!(matches!(error, TrainError::Target { sample: 700, .. }), "{error}");
}

#[test]
fn predictions_of_many_rows_are_those_of_some() {
    // 90 kB for a sample, of which a part has few.
    let layers = Sequential::new().then(Reshape::new([1, 28, 28])).then(Conv2d::new(8, 5)).then(Relu);
    let layers = layers.then(MaxPool2d::new(2)).then(Flatten).then(Dense::new(10));
    let model = Model::new([28, 28], layers, Seed(1)).unwrap();
    let mut rng = Seed(2).rng();
    let x = Array2::from_shape_simple_fn((100, 784), || rng.uniform() as f32);
    let all = model.predict(x.view()).unwrap();
    let mut predictor = model.predictor();
    for (start, end) in [(0, 1), (0, 100), (37, 100), (99, 100), (5, 5)] {
        let some = predictor.predict(x.slice(s![start..end, ..])).unwrap();
        let difference = (&some - &all.slice(s![start..end, ..])).mapv(f32::abs);
        assert!(difference.iter().all(|&difference| difference < 1e-6), "{start} to {end}");
    }
}
