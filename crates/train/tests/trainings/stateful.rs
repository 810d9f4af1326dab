//! Truncated backpropagation through time: states that are carried from batch to batch.

use std::ops::ControlFlow;

use chainrule_core::{Layer, Residual, Sequential};
use chainrule_data::{Dataset, Samples, Subset};
use chainrule_layers::{Bidirectional, ConvLstm, Dense, Flatten, Gru, Lstm, Rnn, WeightNorm};
use chainrule_losses::MeanSquaredError;
use chainrule_optim::adam;
use chainrule_tensor::{Seed, Shape};
use chainrule_train::file::{self, Contents};
use chainrule_train::{Event, Fit, Model, TrainError, Trainer};
use ndarray::Array2;

/// The number of sequences trained in parallel: the rows of a batch.
const ROWS: usize = 6;

/// The number of batches that a sequence is cut into, each of two steps.
const CUTS: usize = 40;

/// Bits, two per sample, and the leaky sum of all bits so far in the same row, over all batches.
struct Sums(Vec<([f32; 2], f32)>);

impl Dataset for Sums {
    type Target = [f32; 1];

    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self) -> Shape {
        Shape::from([2, 1])
    }
}

impl Samples<f32> for Sums {
    fn read(&self, index: usize, row: &mut [f32]) -> [f32; 1] {
        let (bits, sum) = self.0[index];
        row.copy_from_slice(&bits);
        [sum]
    }
}

fn sums() -> Sums {
    let mut rng = Seed(3).rng();
    let mut sums = [0.0; ROWS];
    let mut sample = |index: usize| {
        let bits = [0; 2].map(|_| f32::from(u8::from(rng.uniform() < 0.5)));
        let sum = &mut sums[index % ROWS];
        bits.iter().for_each(|bit| *sum = 0.8 * *sum + bit);
        (bits, *sum)
    };
    Sums((0..CUTS * ROWS).map(&mut sample).collect())
}

fn trainer(recurrent: impl Layer<f32>) -> Trainer<f32, [f32; 1]> {
    let layers = Sequential::new().then(recurrent).then(Flatten).then(Dense::new(1));
    let model = Model::new([2, 1], layers, Seed(1)).unwrap();
    Trainer::new(model, MeanSquaredError, adam(0.02)).batch_size(ROWS).shuffle(false).shards(2)
}

#[test]
fn only_a_stateful_layer_can_know_earlier_batches() {
    let data = sums();
    let mut carrying = trainer(Gru::new(8).stateful());
    let history = carrying.fit(&data, 40).unwrap();
    let loss = history.epochs.last().unwrap().train.loss;
    assert!(loss < 0.03, "{loss}");
    let mut forgetting = trainer(Gru::new(8));
    let loss = forgetting.fit(&data, 40).unwrap().epochs.last().unwrap().train.loss;
    assert!(loss > 0.2, "{loss}");
}

#[test]
fn states_start_from_zeros_in_each_epoch_and_evaluation() {
    let data = sums();
    let run = |threads| {
        let mut trainer = trainer(Gru::new(4).stateful()).threads(threads);
        trainer.fit(&data, 2).unwrap();
        let scores = [0; 2].map(|_| trainer.evaluate(&data).unwrap());
        assert_eq!(scores[0], scores[1]);
        trainer.fit(&data, 1).unwrap();
        trainer.into_model().parameters_sha256()
    };
    assert_eq!(run(1), run(2));
    let mut straight = trainer(Gru::new(4).stateful());
    straight.fit(&data, 3).unwrap();
    assert_eq!(straight.model().parameters_sha256(), run(1), "an evaluation in between leaves no trace");
}

/// Every layer that carries a state, alone and in others.
fn every_stateful() -> [Sequential<f32>; 8] {
    let start = || Sequential::new();
    [
        start().then(Rnn::new(3).stateful()),
        start().then(Lstm::new(3).stateful().sequences()),
        start().then(Lstm::new(3).stateful().masked()),
        start().then(Gru::new(3).stateful().sequences()).then(Lstm::new(2).stateful()),
        start().then(ConvLstm::new(2, Dense::new(8)).stateful()),
        start().then(Bidirectional::new(Gru::new(2).stateful())),
        start().then(Residual(Lstm::new(1).stateful().sequences())),
        start().then(WeightNorm::new(Gru::new(2).stateful())),
    ]
}

/// Between epochs every state is zeros, so a checkpoint stores none.
#[test]
fn every_stateful_layer_can_be_resumed() {
    let data = sums();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("training");
    for layers in every_stateful() {
        let mut straight = trainer(layers.clone());
        straight.fit(&data, 3).unwrap();
        let mut first = trainer(layers.clone());
        first.fit(&data, 2).unwrap();
        first.evaluate(&data).unwrap();
        first.save(&path).unwrap();
        // The settings come from the file: this trainer would shuffle.
        let mut second = trainer(layers.clone()).shuffle(true).batch_size(7).resume(&path).unwrap();
        second.fit(&data, 1).unwrap();
        let (right, found) = (straight.model().parameters_sha256(), second.model().parameters_sha256());
        assert_eq!(found, right, "{layers:?}");
        assert_eq!(second.evaluate(&data).unwrap(), straight.evaluate(&data).unwrap(), "{layers:?}");
    }
}

/// Stops in the middle of the second epoch, after this batch, and goes on with what `between` makes of the trainer.
fn with_a_break(
    layers: &Sequential<f32>,
    shards: usize,
    stop: Option<usize>,
    between: impl FnOnce(Trainer<f32, [f32; 1]>) -> Trainer<f32, [f32; 1]>,
) -> String {
    let data = sums();
    let mut stop = stop;
    let mut trainer = trainer(layers.clone()).shards(shards).callback(move |event: &Event<'_>| match event {
        Event::Step { epoch: 1, batch, .. } if stop.take_if(|stop| *stop == *batch).is_some() => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    trainer.fit(&data, 3).unwrap();
    let mut trainer = between(trainer);
    trainer.fit(&data, Fit::until(3)).unwrap();
    trainer.into_model().parameters_sha256()
}

#[test]
fn states_outlast_a_break_in_mid_epoch() {
    let data = sums();
    let gru = Sequential::new().then(Gru::new(4).stateful());
    let right = with_a_break(&gru, 2, None, |trainer| trainer);
    for stop in [0, 17, CUTS - 1] {
        let found = with_a_break(&gru, 2, Some(stop), |mut trainer| {
            trainer.evaluate(&data).unwrap();
            trainer
        });
        assert_eq!(found, right, "after batch {stop}");
    }
}

#[test]
fn states_are_part_of_a_checkpoint_in_mid_epoch() {
    let data = sums();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("training");
    for layers in every_stateful() {
        for (shards, stop) in [(2, 17), (1, 0), (4, CUTS - 1)] {
            let right = with_a_break(&layers, shards, None, |trainer| trainer);
            let found = with_a_break(&layers, shards, Some(stop), |first| {
                first.save(&path).unwrap();
                let mut second = trainer(layers.clone()).resume(&path).unwrap();
                second.evaluate(&data).unwrap();
                second.save(&path).unwrap();
                trainer(layers.clone()).batch_size(7).resume(&path).unwrap()
            });
            assert_eq!(found, right, "{layers:?}, {shards} shards, after batch {stop}");
        }
    }
}

#[test]
fn states_of_another_length_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("training");
    let gru = Sequential::new().then(Gru::new(4).stateful());
    with_a_break(&gru, 2, Some(3), |trainer| {
        trainer.save(&path).unwrap();
        trainer
    });
    let contents = file::read(&path).unwrap();
    let record = contents.record.clone().unwrap();
    assert_eq!(record.carried.len(), 2);
    for change in 0..4 {
        let mut record = record.clone();
        match change {
            0 => record.carried.truncate(1),
            1 => record.carried[1].truncate(8),
            2 => record.carried[0].extend([0; 8]),
            _ => record.carried[0].extend([0; 3]),
        }
        file::write(&path, &Contents { record: Some(record), ..contents.clone() }).unwrap();
        let error = trainer(gru.clone()).resume(&path).unwrap_err();
        assert!(matches!(&error, TrainError::Checkpoint(why) if why.contains("states")), "{error}");
    }
}

#[test]
fn an_evaluation_carries_states_as_training_does() {
    let data = sums();
    for shards in [1, 2, 5] {
        let mut trainer = trainer(Gru::new(8).stateful()).shards(shards);
        let history = trainer.fit(&data, Fit::epochs(2).validation(&data)).unwrap();
        let scores = trainer.evaluate(&data).unwrap();
        assert_eq!(history.epochs[1].validation.as_ref(), Some(&scores));
        let mut predictor = trainer.model().predictor();
        let mut x = Array2::zeros((ROWS, 2));
        let mut sum = 0.0;
        for cut in 0..CUTS {
            let target = |row: usize, x: &mut Array2<f32>| {
                data.read(cut * ROWS + row, x.row_mut(row).into_slice().unwrap())[0]
            };
            let targets: Vec<f32> = (0..ROWS).map(|row| target(row, &mut x)).collect();
            let y = predictor.predict(x.view()).unwrap();
            sum += y.iter().zip(&targets).map(|(y, t)| f64::from((y - t).powi(2))).sum::<f64>();
        }
        let right = sum / data.len() as f64;
        assert!((scores.loss - right).abs() < 1e-6, "{shards} shards: {} {right}", scores.loss);
    }
}

#[test]
fn a_step_that_is_not_taken_leaves_no_state() {
    let good = sums();
    for (batch, input, target) in [(20, f32::NAN, 0.0), (20, 0.0, 1e30)] {
        let mut bad = sums();
        let sample = &mut bad.0[batch * ROWS + 2];
        sample.0[1] += input;
        sample.1 += target;
        let mut trainer = trainer(Gru::new(4).stateful());
        let error = trainer.fit(&bad, 1).unwrap_err();
        assert!(matches!(&error, TrainError::Diverged { batch: 20, .. }), "{error}");
        assert!(error.to_string().contains("sample 122"), "{error}");
        // The rest of the epoch.
        let history = trainer.fit(&good, 1).unwrap();
        assert!(history.epochs[0].train.loss.is_finite());
        assert!(trainer.model().parameters().iter().all(|p| p.is_finite()));
    }
}

#[test]
fn shuffled_or_uneven_batches_are_refused() {
    let data = sums();
    let shuffled = trainer(Gru::new(4).stateful()).shuffle(true).fit(&data, 1).unwrap_err();
    assert!(matches!(shuffled, TrainError::Stateful { samples: 240, batch_size: ROWS }), "{shuffled}");
    let uneven = trainer(Gru::new(4).stateful()).batch_size(7).fit(&data, 1).unwrap_err();
    assert!(matches!(uneven, TrainError::Stateful { batch_size: 7, .. }), "{uneven}");
    // An evaluation too needs the same number of rows in each batch, whatever training does.
    let uneven = trainer(Gru::new(4).stateful()).batch_size(7).evaluate(&data).unwrap_err();
    assert!(matches!(uneven, TrainError::Stateful { samples: 240, batch_size: 7 }), "{uneven}");
    let short = Subset::first(&data, 10);
    let all = Subset::first(&data, 240);
    let uneven = trainer(Gru::new(4).stateful()).fit(&all, Fit::epochs(1).validation(&short)).unwrap_err();
    assert!(matches!(uneven, TrainError::Stateful { samples: 10, batch_size: ROWS }), "{uneven}");
    trainer(Gru::new(4).stateful()).shuffle(true).evaluate(&data).unwrap();
    trainer(Gru::new(4)).shuffle(true).batch_size(7).fit(&data, 1).unwrap();
}
