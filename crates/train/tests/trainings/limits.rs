//! Trainings at the limits: one row, one sample, one class, nothing but padding, no parameter.

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use chainrule_core::{Backward, Constant, Forward, Frozen, Graph, Layer, Plan, Sequential, ShapeError};
use chainrule_data::{Dataset, Rows, Samples};
use chainrule_layers::{
    Add, BatchNorm, Bidirectional, Dense, Dropout, Embedding, EmbeddingBag, Flatten, Gru, Lstm,
    MultiHeadAttention, Rnn, Softmax, Tanh, TransformerEncoder,
};
use chainrule_losses::CrossEntropy;
use chainrule_metrics::{Accuracy, ConfusionMatrix};
use chainrule_optim::{ClipByGlobalNorm, adam};
use chainrule_tensor::{Seed, Shape};
use chainrule_train::{Event, Fit, Model, PredictError, TrainError, Trainer};
use ndarray::{Array2, s};

/// Samples of any shape, and their classes.
struct Data(Shape, Rows<f32, u8>);

impl Dataset for Data {
    type Target = u8;

    fn len(&self) -> usize {
        self.1.targets().len()
    }

    fn shape(&self) -> Shape {
        self.0
    }
}

impl Samples<f32> for Data {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        Samples::read(&self.1, index, row)
    }
}

fn data(rows: usize, shape: impl Into<Shape>, classes: u8, value: impl FnMut() -> f32) -> Data {
    let shape = shape.into();
    let x = Array2::from_shape_simple_fn((rows, shape.size()), value);
    Data(shape, Rows::new(x, (0..rows).map(|row| row as u8 % classes).collect()).unwrap())
}

fn random(rows: usize, shape: impl Into<Shape>, classes: u8) -> Data {
    let mut rng = Seed(1).rng();
    data(rows, shape, classes, || rng.normal() as f32)
}

/// Samples of a file that cannot be read any more.
struct Unreadable(Data);

impl Dataset for Unreadable {
    type Target = u8;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }

    fn failure(&self) -> Option<String> {
        Some("x.npy: it is shorter than it was".into())
    }
}

impl Samples<f32> for Unreadable {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        let target = self.0.read(index, row);
        row.fill(f32::NAN);
        target
    }
}

fn trainer(shape: impl Into<Shape>, layers: Sequential<f32>) -> Trainer<f32, u8> {
    let model = Model::new(shape, layers, Seed(2)).unwrap();
    Trainer::new(model, CrossEntropy::default(), adam(1e-2)).metric(Accuracy::default())
}

/// Trains, evaluates and predicts; every number is finite.
fn check(mut trainer: Trainer<f32, u8>, data: &Data) -> Trainer<f32, u8> {
    let history = trainer.fit(data, Fit::epochs(3).validation(data)).unwrap();
    for report in &history.epochs {
        assert!(report.train.loss.is_finite(), "{trainer:?}");
        assert!(report.validation.as_ref().unwrap().loss.is_finite(), "{trainer:?}");
    }
    assert!(trainer.evaluate(data).unwrap().loss.is_finite(), "{trainer:?}");
    assert!(trainer.model().parameters().iter().all(|p| p.is_finite()), "{trainer:?}");
    let y = trainer.model().predict(data.1.samples().view()).unwrap();
    assert!(y.iter().all(|y| y.is_finite()), "{trainer:?}");
    trainer
}

#[test]
fn batches_of_one_row() {
    let layers = |norm: bool| {
        let layers = Sequential::new().then(Dense::new(5));
        let layers = if norm { layers.then(BatchNorm::new()) } else { layers };
        layers.then(Tanh).then(Dropout::new(0.5)).then(Dense::new(3))
    };
    let data = random(13, [4], 3);
    for (batch, shards) in
        [(1, 1), (1, 2), (2, 2), (3, 3), (4, 2), (12, 12), (5, 2), (5, 5), (11, 2), (usize::MAX, 2), (13, 13)]
    {
        check(trainer([4], layers(false)).batch_size(batch).shards(shards), &data);
        let mut normalised = trainer([4], layers(true)).batch_size(batch).shards(shards);
        if batch == 1 || 13 % batch == 1 {
            let before = normalised.model().parameters_sha256();
            let error = normalised.fit(&data, 1).unwrap_err();
            assert!(matches!(&error, TrainError::SingleSample { layer, .. } if layer == "1"), "{error}");
            assert!(error.to_string().contains("there is nothing to normalise"), "{error}");
            assert_eq!(normalised.model().parameters_sha256(), before);
            continue;
        }
        // In shards of one row too.
        let trained = check(normalised, &data);
        let variance = trained.model().parameter("1.running_var").unwrap();
        assert!(variance.iter().all(|v| (v - 1.0).abs() > 1e-6), "{batch} rows in {shards} shards");
    }
}

#[test]
fn one_sample_and_one_class() {
    let layers = |classes| Sequential::new().then(Dense::new(4)).then(Tanh).then(Dense::new(classes));
    for shards in [1, 2, 7] {
        let one = check(trainer([4], layers(3)).shards(shards).threads(2), &random(1, [4], 3));
        assert_eq!(one.model().output(), [3].into());
        let clipped = Model::new([4], layers(3), Seed(2)).unwrap();
        let clipped = Trainer::new(clipped, CrossEntropy::default(), (ClipByGlobalNorm(1.0), adam(1e-2)));
        check(clipped.shards(shards).threads(2), &random(1, [4], 3));
    }
    let mut certain = check(trainer([4], layers(1)).metric(ConfusionMatrix::new(1)), &random(50, [4], 1));
    assert_eq!(certain.evaluate(&random(50, [4], 1)).unwrap().loss, 0.0);
    check(trainer([4], layers(3)), &random(50, [4], 1));
}

#[test]
fn nothing_but_padding() {
    let (rnn, lstm, gru) = (Rnn::new(3).masked(), Lstm::new(3).masked(), Gru::new(3).masked());
    let attention = MultiHeadAttention::new(2).masked();
    let encoder = || TransformerEncoder::new(2, 3).masked();
    let start = || Sequential::<f32>::new();
    let blocks = [
        start().then(rnn.clone()),
        start().then(rnn.sequences()),
        start().then(lstm.clone()),
        start().then(lstm.clone().backwards()),
        start().then(Bidirectional::new(lstm.clone().sequences())).then(lstm),
        start().then(gru.clone()),
        start().then(gru.sequences()).then(TransformerEncoder::new(1, 3).masked()),
        start().then(attention.clone()),
        start().then(attention.alibi().causal().rotary()),
        start().then(encoder()).then(encoder().pre_norm()),
    ];
    let zeros = data(40, [5, 4], 3, || 0.0);
    // And some steps of padding among others.
    let mut index = 0;
    let some = data(40, [5, 4], 3, || {
        index += 1;
        if (index / 20) % 3 == 0 { 0.0 } else { (index as f32).sin() }
    });
    for layers in blocks {
        let layers = layers.then(Flatten).then(Dense::new(3));
        check(trainer([5, 4], layers.clone()), &zeros);
        check(trainer([5, 4], layers), &some);
    }
    // A bag of nothing but padding, in a table whose gradient is a list of rows.
    let bag = EmbeddingBag::new(5, 4).padding_index(0).sparse();
    check(trainer([6], Sequential::new().then(bag).then(Dense::new(3))), &data(40, [6], 3, || 0.0));
}

#[test]
fn nothing_to_train() {
    let data = random(40, [3], 3);
    let before = Model::new([3], Sequential::new().then(Frozen(Dense::new(3))), Seed(2)).unwrap();
    for shards in [1, 2] {
        check(trainer([3], Sequential::new()).shards(shards), &data);
        check(trainer([3], Sequential::new().then(Softmax)).shards(shards), &data);
        let frozen = Sequential::new().then(Frozen(Dense::new(3)));
        let frozen = check(trainer([3], frozen).shards(shards), &data);
        assert_eq!(frozen.model().parameters(), before.parameters());
    }
}

/// Three values that are learned, the same for every sample.
#[derive(Debug)]
struct Learned;

impl Layer<f32> for Learned {
    type Cache = ();

    fn plan(&self, _: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        plan.bias("values", [3], (1, 1), &(Arc::new(Constant(0.0)) as _))?;
        Ok((Shape::from([3]), ()))
    }

    fn forward(&self, Forward { mut params, mut y, .. }: Forward<'_, f32>) {
        let values = params.values(3);
        y.rows_mut()
            .into_iter()
            .for_each(|mut y| y.iter_mut().zip(values).for_each(|(y, value)| *y = *value));
    }

    fn backward(&self, Backward { mut grads, dy, .. }: Backward<'_, f32>) {
        let grads = grads.values(3);
        dy.rows().into_iter().for_each(|dy| grads.iter_mut().zip(dy).for_each(|(grad, dy)| *grad += dy));
    }
}

#[test]
fn samples_without_a_value() {
    // Nothing is known about a sample, but half of all samples are of the first class.
    let classes = (0..42).map(|row| row % 4 % 3).collect();
    let classes = Data([0].into(), Rows::new(Array2::zeros((42, 0)), classes).unwrap());
    for shards in [1, 2] {
        let trained = check(trainer([0], Sequential::new().then(Learned)).shards(shards), &classes);
        let values = trained.model().parameters();
        assert!(values[0] > values[1] && values[0] > values[2], "{values:?}");
    }
}

#[test]
fn values_that_are_not_ids() {
    let words = || Embedding::new(7, 3);
    let joined = Graph::default()
        .input("left", [2])
        .input("right", [2])
        .layer("a", words(), "left")
        .shared("b", "a", ["right"])
        .merge("sum", Add, ["a", "b"])
        .outputs(["sum"]);
    let networks = [
        Sequential::new().then(words()),
        Sequential::new().then(words().sparse().padding_index(0)),
        Sequential::new().then(EmbeddingBag::new(7, 3)),
        Sequential::new().then(EmbeddingBag::new(7, 3).max()),
        Sequential::new().then(Flatten).then(Sequential::new().then(Frozen(words()))),
        Sequential::new().then(joined),
    ];
    let mut rng = Seed(3).rng();
    let good = Array2::from_shape_simple_fn((90, 4), || rng.below(7) as f32);
    let data = |x: &Array2<f32>| Data([4].into(), Rows::new(x.clone(), vec![0; 90]).unwrap());
    for layers in networks {
        let layers = layers.then(Flatten).then(Dense::new(2));
        for wrong in [7.0, -1.0, 2.5, f32::NAN, f32::INFINITY, 1e30] {
            // In the second shard of the second batch, without shuffling.
            let mut x = good.clone();
            x[[77, 3]] = wrong;
            let bad = data(&x);
            let mut trainer = trainer([4], layers.clone()).batch_size(40).shards(2).shuffle(false);
            let text = |error: TrainError, batch, row| {
                assert!(matches!(error, TrainError::Value { sample: 77, .. }), "{error}");
                let start =
                    format!("sample 77, in batch {batch}, has a value that the model does not accept");
                assert_eq!(error.to_string(), start);
                let source = error.source().unwrap().to_string();
                let whole = format!(
                    "ids, whole numbers from 0 to 6, but row {row} of the batch has {}:",
                    f64::from(wrong)
                );
                assert!(source.contains(&whole), "{source}");
            };
            text(trainer.evaluate(&bad).unwrap_err(), 0, 77);
            text(trainer.fit(&data(&good), Fit::epochs(1).validation(&bad)).unwrap_err(), 0, 77);
            text(trainer.fit(&bad, 1).unwrap_err(), 1, 37);
            let before = trainer.model().parameters_sha256();
            let rest = Rows::new(x.slice(s![40.., ..]).to_owned(), vec![0; 50]).unwrap();
            assert!(trainer.fit(&Data([4].into(), rest), 1).is_err());
            assert_eq!(
                trainer.model().parameters_sha256(),
                before,
                "a batch that is refused leaves no trace"
            );
            let model = trainer.model();
            let error = model.predict(x.view()).unwrap_err();
            assert!(matches!(&error, PredictError::Value(error) if error.row() == 77), "{error}");
            assert!(model.predictor().predict(x.view()).is_err());
            // After an error everything still works.
            check(trainer, &data(&good));
        }
    }
}

#[test]
fn more_shards_than_there_are_samples() {
    let data = random(13, [4], 3);
    let run = |shards| {
        let layers = Sequential::new().then(Dense::new(3));
        let mut trainer = trainer([4], layers).batch_size(usize::MAX).shards(shards);
        trainer.fit(&data, 2).unwrap();
        (trainer.evaluate(&data).unwrap(), trainer.model().parameters_sha256())
    };
    assert_eq!(run(usize::MAX), run(13));
    let layers = Sequential::new().then(Dense::new(3));
    check(trainer([4], layers).batch_size(usize::MAX).shards(usize::MAX).shards(2), &data);
}

#[test]
fn a_batch_whose_activations_exceed_the_memory() {
    // One sample has 4 MiB of attention weights, and fits; a million of them do not.
    let layers = Sequential::new().then(MultiHeadAttention::new(1)).then(Flatten).then(Dense::new(3));
    let mut trainer = trainer([1024, 1], layers).batch_size(1 << 20);
    let many = Repeated(1 << 20);
    let error = trainer.fit(&many, 1).unwrap_err();
    assert!(matches!(error, TrainError::Memory { what: "the activations of a batch", .. }), "{error}");
    assert!(error.to_string().contains("smaller batches"), "{error}");
    // An evaluation takes fewer samples at a time where they are large.
    let mut trainer = trainer.batch_size(1);
    assert!(trainer.evaluate(&Repeated(2)).is_ok());
    assert!(trainer.fit(&Repeated(1), 1).is_ok());
}

/// This many samples of zeros, all of class 0, which take no memory.
struct Repeated(usize);

impl Dataset for Repeated {
    type Target = u8;

    fn len(&self) -> usize {
        self.0
    }

    fn shape(&self) -> Shape {
        [1024, 1].into()
    }
}

impl Samples<f32> for Repeated {
    fn read(&self, _: usize, x: &mut [f32]) -> u8 {
        x.fill(0.0);
        0
    }
}

/// Samples that cannot be read end the training where they are needed first, as training and as validation data.
#[test]
fn a_file_that_fails_ends_the_training() {
    let sound = random(12, [4], 3);
    let broken = Unreadable(random(12, [4], 3));
    // Steps taken, steps left out, and epochs.
    let counted = |data: &dyn Samples<f32, Target = u8>, fit: Fit<'_, f32, u8>| {
        let counts = Arc::new(Mutex::new([0; 3]));
        let counting = Arc::clone(&counts);
        let mut trainer = trainer([4], Sequential::default().then(Dense::new(3)))
            .batch_size(4)
            .skip_nonfinite(100)
            .callback(move |event: &Event<'_>| {
                let index = match event {
                    Event::Step { .. } => 0,
                    Event::Skipped { .. } => 1,
                    Event::EpochEnd(_) => 2,
                    _ => return ControlFlow::Continue(()),
                };
                counting.lock().unwrap()[index] += 1;
                ControlFlow::Continue(())
            });
        let error = trainer.fit(&data, fit).unwrap_err();
        assert!(matches!(&error, TrainError::Unreadable(why) if why.contains("x.npy")), "{error}");
        *counts.lock().unwrap()
    };
    assert_eq!(counted(&sound, Fit::epochs(3).validation(&broken)), [3, 0, 0]);
    assert_eq!(counted(&sound, Fit::epochs(3).validation(&broken).validate_every(1)), [0, 0, 0]);
    assert_eq!(counted(&broken, Fit::epochs(3)), [0, 0, 0]);
}
