//! What a training says of its losses, metrics and targets: exact means, refusals that name the sample, and contradictions.

use chainrule_core::{New, Sequential, SettingError};
use chainrule_data::Rows;
use chainrule_layers::activations::{Identity, Sigmoid};
use chainrule_layers::{Dense, init};
use chainrule_losses::{BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError, PerStep, TargetError};
use chainrule_metrics::{self as metrics, Accuracy, Average, ConfusionMatrix, Measure, MetricValue};
use chainrule_optim::sgd;
use chainrule_tensor::{Real, Seed, Target};
use chainrule_train::{Fit, History, Model, TrainError, Trainer};
use ndarray::{Array2, array};

/// A model that returns its samples.
fn identity<T: Real>(columns: usize) -> Model<T> {
    Model::new([columns], Sequential::<T>::new().then(Identity), Seed(0)).unwrap()
}

/// The loss of samples that are already the outputs, in training and in an evaluation.
fn scores<T: Real, Y: Clone + Send + Sync + 'static>(
    loss: impl Loss<T, Y> + 'static,
    shards: usize,
    y: &Array2<T>,
    targets: &[Y],
) -> [f64; 2] {
    let data = Rows::new(y.clone(), targets.to_vec()).unwrap();
    let batch = y.nrows() / 2;
    let mut trainer = Trainer::new(identity(y.ncols()), loss, sgd(0.1)).batch_size(batch).shards(shards);
    let trained = trainer.fit(&data, 1).unwrap().epochs[0].train.loss;
    [trained, trainer.evaluate(&data).unwrap().loss]
}

#[test]
fn the_mean_over_long_rows_is_exact() {
    let (rows, columns) = (64, 12_288);
    let y = Array2::from_elem((rows, columns), 0.1f32);
    let zeros = vec![vec![0.0f32; columns]; rows];
    let steps = vec![vec![[0.0f32]; columns]; 8];
    for shards in [1, 2] {
        let [few, many] = [8, rows].map(|rows| y.slice(ndarray::s![..rows, ..]).to_owned());
        let squared = scores(MeanSquaredError, shards, &many, &zeros);
        let stepwise = scores(PerStep(MeanSquaredError), shards, &few, &steps);
        for found in squared.into_iter().chain(stepwise) {
            assert!((found / 0.010_000_000_3 - 1.0).abs() < 2e-7, "{found}, {shards} shards");
        }
        let binary = scores(BinaryCrossEntropy::from_probabilities(), shards, &few, &zeros[..8]);
        for found in binary {
            assert!((found / 0.105_360_517_3 - 1.0).abs() < 2e-7, "{found}, {shards} shards");
        }
    }
}

#[test]
fn the_mean_of_a_batch_knows_nothing_of_shards() {
    let y = Array2::from_shape_fn((300, 5), |(i, j)| ((i * 5 + j) as f32 * 0.7).sin());
    let targets: Vec<u8> = (0..300).map(|row| (row % 5) as u8).collect();
    let one = scores(CrossEntropy, 1, &y, &targets);
    for shards in [2, 3, 7] {
        assert_eq!(scores(CrossEntropy, shards, &y, &targets), one, "{shards} shards");
    }
}

#[test]
fn a_masked_logit_costs_nothing() {
    let y = array![[f32::NEG_INFINITY, 0.0, 0.0], [1.0, 1.0, f32::NEG_INFINITY]];
    let targets = [[0.0f32, 0.5, 0.5], [1.0, 0.0, 0.0]];
    for shards in [1, 2] {
        for found in scores(CrossEntropy, shards, &y, &targets) {
            assert!((found - std::f64::consts::LN_2).abs() < 1e-7, "{found}");
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |source| format!("{error}: {}", chain(source)))
}

/// The errors of a training and of an evaluation, of which the first must leave the model as it was.
fn errors<Y: Clone + Send + Sync + 'static>(
    loss: impl Loss<f32, Y> + 'static,
    metric: impl Measure<f32, Y> + 'static,
    targets: &[Y],
) -> [TrainError; 2] {
    let layers = Sequential::new().then(Dense::new(1)).then(Sigmoid);
    let model = Model::new([1], layers, Seed(0)).unwrap();
    let before = model.parameters_sha256();
    let y = Array2::from_elem((targets.len(), 1), 0.5);
    let data = Rows::new(y, targets.to_vec()).unwrap();
    let trainer = Trainer::new(model, loss, sgd(0.1)).batch_size(3).shards(2).shuffle(false);
    let mut trainer = trainer.metric(metric);
    let trained = trainer.fit(&data, 1).unwrap_err();
    assert_eq!(trainer.model().parameters_sha256(), before);
    [trained, trainer.evaluate(&data).unwrap_err()]
}

#[test]
fn impossible_targets_are_refused_by_sample() {
    for bad in [-1.0, 2.0, 1.001, f32::NAN, f32::INFINITY] {
        let targets: Vec<[f32; 1]> = vec![[1.0], [bad]];
        let probabilities = BinaryCrossEntropy::from_probabilities();
        for error in errors(probabilities, Accuracy::from_probabilities(), &targets) {
            let text = chain(&error);
            let right = format!(
                "sample 1, in batch 0, has a target that cannot be used: target 1 has the value {bad} at 0, but BinaryCrossEntropy takes numbers from 0 to 1"
            );
            assert!(text.starts_with(&right), "{text}");
        }
    }
    for error in errors(MeanSquaredError, Accuracy::with_threshold(0.5), &[[0.0], [1.0], [f32::NAN]]) {
        assert!(chain(&error).starts_with("sample 2, in batch 0, has a target"), "{}", chain(&error));
    }
    // The loss takes a 2, but the metric does not.
    for error in errors(MeanSquaredError, Accuracy::with_threshold(0.5), &[[1.0], [2.0]]) {
        let TrainError::Target { sample: 1, source: TargetError::Value { owner, .. }, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(owner, "accuracy");
    }
}

fn contradicts<Y>(loss: impl Loss<f32, Y> + 'static, metric: impl Measure<f32, Y> + 'static, targets: &[Y])
where
    Y: Clone + Send + Sync + 'static,
{
    for error in errors(loss, metric, targets) {
        let TrainError::Setting(SettingError::Conflict { owner, conflict }) = error else {
            panic!("{error}")
        };
        assert!(
            ["accuracy", "confusion_matrix"].contains(&owner) && conflict.contains("it is for"),
            "{owner}: {conflict}"
        );
    }
}

#[test]
fn a_metric_that_contradicts_the_loss_is_noticed() {
    let targets = [0u8, 1];
    let probabilities = BinaryCrossEntropy::from_probabilities;
    contradicts(probabilities(), Accuracy, &targets);
    contradicts(probabilities(), ConfusionMatrix, &targets);
    contradicts(BinaryCrossEntropy, Accuracy::from_probabilities(), &targets);
    contradicts(BinaryCrossEntropy, ConfusionMatrix::from_probabilities(), &targets);
    contradicts(probabilities(), Accuracy.labels(), &targets);
    contradicts(MeanSquaredError, Accuracy, &[[0.0f32], [1.0]]);
    contradicts(PerStep(probabilities()), metrics::PerStep(Accuracy), &[[0u8], [1]]);
}

/// A metric's value after an evaluation of outputs.
fn value<Y>(
    loss: impl Loss<f32, Y> + 'static,
    metric: impl Measure<f32, Y> + 'static,
    targets: &[Y],
) -> MetricValue
where
    Y: Clone + Send + Sync + 'static,
{
    let data = Rows::new(array![[0.2f32], [0.8]], targets.to_vec()).unwrap();
    let mut trainer = Trainer::new(identity(1), loss, sgd(0.1)).metric(metric);
    trainer.evaluate(&data).unwrap().metrics.remove(0).1
}

#[test]
fn a_metric_that_agrees_with_the_loss_counts_right() {
    let probabilities = BinaryCrossEntropy::from_probabilities();
    let matrix = value(probabilities.clone(), ConfusionMatrix::from_probabilities(), &[0u8, 1]);
    assert_eq!(matrix.as_table().unwrap().rows(), [[1.0, 0.0], [0.0, 1.0]]);
    assert_eq!(
        value(probabilities, Accuracy::with_threshold(0.5), &[[0.0f32], [1.0]]),
        MetricValue::Number(1.0)
    );
    assert_eq!(value(BinaryCrossEntropy, Accuracy, &[0u8, 1]), MetricValue::Number(0.5));
    assert_eq!(value(BinaryCrossEntropy, Accuracy::with_threshold(0.5), &[0u8, 1]), MetricValue::Number(1.0));
    assert_eq!(
        value(MeanSquaredError, Accuracy::from_probabilities(), &[[0.0f32], [1.0]]),
        MetricValue::Number(1.0)
    );
}

#[test]
fn the_maximum_of_several_outputs_suits_every_loss() {
    fn trains<Y: Target<f32> + Clone + Send + Sync + 'static>(
        loss: impl Loss<f32, Y> + 'static,
        targets: &[Y],
    ) {
        let layers = Sequential::new().then(Dense::new(3).weight_init(init::Zeros)).then(Sigmoid);
        let model = Model::new([1], layers, Seed(0)).unwrap();
        let data = Rows::new(Array2::ones((targets.len(), 1)), targets.to_vec()).unwrap();
        let mut trainer = Trainer::new(model, loss, sgd(0.1)).metric(Accuracy).metric(ConfusionMatrix);
        trainer.fit(&data, 1).unwrap();
    }
    let classes = [0u8, 2, 1];
    trains(CrossEntropy, &classes);
    trains(CrossEntropy::from_probabilities(), &classes);
    trains(BinaryCrossEntropy, &classes);
    trains(BinaryCrossEntropy::from_probabilities(), &classes);
    trains(MeanSquaredError, &[[0.0f32, 0.2, 0.8]]);
}

/// The metrics of a training: numbers, vectors and tables.
fn with_metrics(shards: usize, threads: usize, data: &Rows<f32, u8>) -> (History, Trainer<f32, u8>) {
    let layers = Sequential::new().then(Dense::new(96)).then(Sigmoid).then(Dense::new(3));
    let model = Model::new([40], layers, Seed(3)).unwrap();
    let mut trainer = Trainer::new(model, CrossEntropy, sgd(0.1))
        .batch_size(50)
        .shards(shards)
        .threads(threads)
        .metric(Accuracy)
        .metric(metrics::Precision)
        .metric(metrics::Precision::default().average(Average::PerClass))
        .metric(metrics::Precision::default().average(Average::PerClass))
        .metric_as("best two", metrics::TopKAccuracy::new(2))
        .metric(ConfusionMatrix)
        .metric(metrics::Auroc)
        .metric(metrics::RocCurve)
        .metric(metrics::LogLoss)
        .metric(metrics::SpearmanCorrelation);
    let validation = Rows::new(data.samples().slice(ndarray::s![..30, ..]).to_owned(), vec![1; 30]).unwrap();
    let history = trainer.fit(data, Fit::epochs(2).validation(&validation)).unwrap();
    (history, trainer)
}

#[test]
fn values_of_all_kinds_are_in_the_history() {
    let mut rng = Seed(5).rng();
    let x = Array2::from_shape_simple_fn((240, 40), || rng.below(100) as f32 / 50.0 - 1.0);
    let targets: Vec<u8> = x.rows().into_iter().map(|x| (x[0] > 0.0) as u8 + (x[1] > 0.0) as u8).collect();
    let data = Rows::new(x, targets.clone()).unwrap();
    for shards in [1, 2, 3] {
        let (history, mut trainer) = with_metrics(shards, 1, &data);
        let (again, _) = with_metrics(shards, 2, &data);
        for (one, two) in history.epochs.iter().zip(&again.epochs) {
            assert_eq!((&one.train, &one.validation), (&two.train, &two.validation), "{shards} shards");
        }
        let scores = trainer.evaluate(&data).unwrap();
        let names: Vec<&str> = scores.metrics.iter().map(|(name, _)| name.as_str()).collect();
        let per_class = names[2];
        assert!(per_class.starts_with("precision(average=per_class"), "{per_class}");
        assert_eq!(names[3], format!("{per_class} 2"));
        assert_eq!(names[4..6], ["best two", "confusion_matrix"]);
        // As counted in one piece, of what the model predicts.
        let y = trainer.model().predict(data.samples().view()).unwrap();
        let of = |name: &str, metric: &dyn Measure<f32, u8>| {
            let mut tally = metric.start();
            tally.update(y.view(), &targets);
            assert_eq!(scores.value(name), Some(&tally.value()), "{name}, {shards} shards");
        };
        of("accuracy", &Accuracy);
        of(per_class, &metrics::Precision::default().average(Average::PerClass));
        of("confusion_matrix", &ConfusionMatrix);
        of("auroc", &metrics::Auroc);
        // Only class 1 is in the validation: what that leaves undefined is said, and not 0.
        let validation = history.epochs[1].validation.as_ref().unwrap();
        assert_eq!(validation.metric("auroc"), None);
        assert!(validation.to_string().contains("auroc undefined, since "), "{validation}");
        let curve = validation.value("roc_curve").unwrap().as_table().unwrap();
        assert!(curve.rows().is_empty() && curve.notes().len() == 3, "{:?}", curve.notes());
    }
}
