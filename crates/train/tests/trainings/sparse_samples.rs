//! Samples that are stored without their zeros give what the same samples give with them.

use std::thread;

use chainrule_core::Sequential;
use chainrule_data::{Rows, Samples, SparseRows, WithWeights};
use chainrule_layers::{BatchNorm, Dense, Tanh};
use chainrule_losses::CrossEntropy;
use chainrule_metrics::Accuracy;
use chainrule_optim::{ClipByGlobalNorm, UpdateRule, adam, kfac, sgd};
use chainrule_tensor::{Seed, SparseMatrix};
use chainrule_train::{Fit, Model, PredictError, ThreadGroup, TrainError, TrainWarning, Trainer};

const INPUTS: usize = 400;

const SAMPLES: usize = 64 * 3 + 3;

/// Bags of up to 40 words. Small numbers are frequent, and none is above 350.
fn bags() -> SparseMatrix<f32> {
    let mut rng = Seed(1).rng();
    let mut x = SparseMatrix::new(INPUTS);
    for sample in 0..SAMPLES {
        let words = if sample == 5 { 0 } else { rng.below(40) };
        let mut columns: Vec<u32> = (0..words).map(|_| (350.0 * rng.uniform().powi(3)) as u32).collect();
        columns.sort_unstable();
        columns.dedup();
        let values: Vec<f32> = columns.iter().map(|_| rng.normal() as f32).collect();
        x.push(&columns, &values).unwrap();
    }
    x
}

fn targets() -> Vec<u8> {
    let x = bags();
    (0..SAMPLES).map(|sample| (x.row(sample).1.iter().sum::<f32>() > 0.0) as u8).collect()
}

fn sparse() -> SparseRows<f32, u8> {
    SparseRows::new(bags(), targets()).unwrap()
}

fn dense() -> Rows<f32, u8> {
    Rows::new(bags().to_dense(), targets()).unwrap()
}

/// So wide that products are left to the sum.
fn network(first: Dense) -> Sequential<f32> {
    Sequential::new().then(first).then(Tanh).then(Dense::new(20)).then(Tanh).then(Dense::new(2))
}

/// 40 units, whose gradient is a list of rows or is not.
fn first(list: bool) -> Dense {
    let layer = Dense::new(40);
    if list { layer.sparse() } else { layer }
}

fn trainer(layers: Sequential<f32>, optimizer: impl UpdateRule<f32> + 'static) -> Trainer<f32, u8> {
    let model = Model::new([INPUTS], layers, Seed(2)).unwrap();
    Trainer::new(model, CrossEntropy::default(), optimizer).metric(Accuracy).batch_size(64).shards(1)
}

/// The parameters after three epochs, the last batch of which leaves some shards empty.
fn train(mut trainer: Trainer<f32, u8>, data: &dyn Samples<f32, Target = u8>) -> Vec<f32> {
    trainer.fit(data, 3).unwrap();
    trainer.model().parameters().to_vec()
}

fn assert_same(a: &[f32], b: &[f32], what: &str) {
    assert!(a.iter().all(|number| number.is_finite()), "{what}");
    let differ = a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits());
    assert_eq!((a.len(), differ), (b.len(), None), "{what}: the first parameter that differs");
}

fn assert_close(a: &[f32], b: &[f32], what: &str) {
    let distance = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.len() == b.len() && distance < 2e-5, "{what}: {distance}");
}

#[test]
fn sparse_samples_train_as_dense_ones() {
    let start = trainer(network(first(false)), sgd(0.3)).model().parameters().to_vec();
    for shards in [1, 2, 5] {
        let what = format!("{shards} shards");
        let by = |list| trainer(network(first(list)), sgd(0.3).momentum(0.9)).shards(shards);
        let right = train(by(false), &dense());
        assert!(right.iter().zip(&start).any(|(a, b)| (a - b).abs() > 0.1));
        assert_close(&train(by(false), &sparse()), &right, &what);
        // What is in a list is the same, wherever the list comes from.
        assert_same(&train(by(true), &sparse()), &train(by(true), &dense()), &what);
        // Plain gradient descent leaves the other rows as they are.
        let by = |list| trainer(network(first(list)), sgd(0.3)).shards(shards);
        assert_same(&train(by(true), &sparse()), &train(by(false), &sparse()), &what);
    }
}

#[test]
fn any_training_takes_sparse_samples() {
    let alone = Sequential::new().then(Dense::new(40)).then(BatchNorm::new()).then(Tanh).then(Dense::new(2));
    let inner =
        |list| Sequential::new().then(Sequential::new().then(first(list)).then(Tanh)).then(Dense::new(2));
    let cases: [(&str, [Trainer<f32, u8>; 2]); 6] = [
        (
            "whole gradients",
            [(); 2].map(|()| trainer(network(first(true)), (ClipByGlobalNorm(0.5), adam(1e-3)))),
        ),
        ("passes", [(); 2].map(|()| trainer(network(first(true)), sgd(0.3)).accumulate(2))),
        ("factors", [(); 2].map(|()| trainer(network(first(true)), kfac(1e-2)))),
        (
            "few parameters",
            [(); 2].map(|()| trainer(Sequential::new().then(Dense::new(2).sparse()), adam(1e-2))),
        ),
        ("sums over the batch", [(); 2].map(|()| trainer(alone.clone(), sgd(0.1)).shards(2))),
        ("inside another layer", [(); 2].map(|()| trainer(inner(true), sgd(0.3)))),
    ];
    for (what, [a, b]) in cases {
        assert_close(&train(a, &sparse()), &train(b, &dense()), what);
    }
    let whole = |list| trainer(network(first(list)), (ClipByGlobalNorm(0.5), adam(1e-2)));
    assert_same(&train(whole(true), &sparse()), &train(whole(false), &sparse()), "whole gradients");
    let only = |data: &dyn Samples<f32, Target = u8>| {
        let layers = Sequential::new().then(Dense::new(30).sparse().without_bias());
        train(trainer(layers, adam(1e-2)), data)
    };
    assert_same(&only(&sparse()), &only(&dense()), "a single layer");
}

#[test]
fn threads_and_processes_are_no_part_of_the_result() {
    // So wide that it is worth a second thread.
    let layers = |list| {
        let layer = Dense::new(600);
        network(if list { layer.sparse() } else { layer })
    };
    for list in [false, true] {
        let by = |threads| trainer(layers(list), adam(1e-3)).shards(3).threads(threads);
        let one = train(by(1), &sparse());
        for threads in [2, 3] {
            assert_same(&train(by(threads), &sparse()), &one, "threads");
        }
        // Of the wide one each process has a part of the optimizer's state.
        for layers in [network(first(list)), layers(list)] {
            let by = || trainer(layers.clone(), adam(1e-2)).shards(4);
            let alone = train(by().distributable(true), &sparse());
            thread::scope(|scope| {
                let members = ThreadGroup::of(2).into_iter();
                let members: Vec<_> =
                    members.map(|member| scope.spawn(|| train(by().group(member), &sparse()))).collect();
                for member in members {
                    assert_same(&member.join().unwrap(), &alone, "processes");
                }
            });
        }
    }
}

#[test]
fn weights_of_words_that_no_batch_has_do_not_change() {
    let by = |list| trainer(network(first(list)), sgd(0.1).weight_decay(0.1));
    let start = by(true).model().parameters().to_vec();
    let rare = 350 * 40..INPUTS * 40;
    for data in [&sparse() as &dyn Samples<f32, Target = u8>, &dense()] {
        let end = train(by(true), data);
        assert_eq!(end[rare.clone()], start[rare.clone()]);
        assert_ne!(end[..40], start[..40]);
        // Without the list they decay.
        assert_ne!(train(by(false), data)[rare.clone()], start[rare.clone()]);
    }
}

#[test]
fn evaluation_and_prediction() {
    let mut trainer = trainer(network(first(true)), adam(1e-2)).shards(3);
    trainer.fit(&sparse(), Fit::epochs(2).validation(&sparse())).unwrap();
    let a = trainer.evaluate(&sparse()).unwrap();
    assert!(
        trainer.warnings().is_empty() || matches!(trainer.warnings(), [TrainWarning::SeenSamples { .. }])
    );
    let b = trainer.evaluate(&dense()).unwrap();
    assert!((a.loss - b.loss).abs() < 1e-6 && a.metrics == b.metrics, "{a:?} {b:?}");
    // A copy of the samples is recognised, with its zeros too.
    assert!(matches!(trainer.warnings(), [TrainWarning::SeenSamples { .. }]), "{:?}", trainer.warnings());
    let weighted = WithWeights::new(sparse(), vec![1.0; SAMPLES]).unwrap();
    let mut x = SparseMatrix::new(INPUTS);
    assert_eq!(weighted.read_sparse(3, &mut x).target, targets()[3]);

    // A file says nothing of how samples are stored.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words.chainrule");
    trainer.model().save(&path).unwrap();
    let model = Model::<f32>::load(&path).unwrap();
    let (y, right) =
        (model.predict_sparse(&bags()).unwrap(), model.predict(bags().to_dense().view()).unwrap());
    assert_close(y.as_slice().unwrap(), right.as_slice().unwrap(), "predictions");
    let mut predictor = model.predictor();
    assert_eq!(predictor.predict_sparse(&bags()).unwrap(), y);
    let nested = Model::new([INPUTS], Sequential::new().then(network(first(false))), Seed(2)).unwrap();
    assert_eq!(nested.predict_sparse(&bags()).unwrap(), nested.predict(bags().to_dense().view()).unwrap());
    let error = model.predict_sparse(&SparseMatrix::new(3)).unwrap_err();
    assert!(matches!(error, PredictError::Columns { columns: 3, .. }));
}

#[test]
fn a_value_that_is_not_finite_is_found() {
    for list in [false, true] {
        let mut x = bags();
        x.push(&[7, 300], &[1.0, f32::INFINITY]).unwrap();
        let mut targets = targets();
        targets.push(0);
        let data = SparseRows::new(x, targets).unwrap();
        let mut trainer = trainer(network(first(list)), sgd(0.1)).shards(2);
        match trainer.fit(&data, 1).unwrap_err() {
            TrainError::Diverged { suspects, .. } | TrainError::NotFinite { suspects, .. } => {
                assert_eq!(suspects.to_string(), format!("sample {SAMPLES} has an input of inf"));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn zeros_that_are_not_read_take_no_memory() {
    // With their zeros they would take 800 GB.
    let (inputs, samples) = (2_000_000, 100_000);
    let mut x = SparseMatrix::new(inputs);
    for sample in 0..samples {
        x.push(&[20 * sample], &[1.0]).unwrap();
    }
    let data = SparseRows::new(x, vec![0u8; samples as usize]).unwrap();
    let model = Model::new([inputs], Sequential::new().then(Dense::new(2)), Seed(0)).unwrap();
    let mut trainer =
        Trainer::new(model, CrossEntropy::default(), sgd(1.0)).batch_size(samples as usize).shards(1);
    let before = trainer.evaluate(&data).unwrap().loss;
    trainer.fit(&data, Fit::epochs(1).validation(&data)).unwrap();
    assert!(trainer.evaluate(&data).unwrap().loss < before);
}
