//! What the trainer promises: the same bits for any number of threads and after a resume, and clear errors.

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;

use chainrule_core::{Frozen, Sequential};
use chainrule_data::{Rows, Subset, digits};
use chainrule_layers::{Dense, Dropout, Flatten, Relu};
use chainrule_losses::{CrossEntropy, MeanSquaredError, PerStep};
use chainrule_metrics::Accuracy;
use chainrule_optim::{ClipByGlobalNorm, Optimizer, Update, UpdateRule, adam, kfac, sgd};
use chainrule_tensor::{Real, Seed};
use chainrule_train::{Event, FileError, Fit, Model, ModelError, TrainError, Trainer};
use ndarray::Array2;

fn layers<T: Real>() -> Sequential<T> {
    let layers = Sequential::default().then(Flatten).then(Dense::new(64)).then(Relu);
    layers.then(Dropout::new(0.2)).then(Dense::new(200)).then(Relu).then(Dense::new(10))
}

fn trainer() -> Trainer<f32, u8> {
    let model = Model::new([28, 28], layers::<f32>(), Seed(4)).unwrap();
    let optimizer = (ClipByGlobalNorm(5.0), adam(1e-3));
    Trainer::new(model, CrossEntropy::default(), optimizer)
        .batch_size(48)
        .seed(Seed(9))
        .metric(Accuracy::default())
}

#[test]
fn threads_are_no_part_of_the_result() {
    let data = digits(1000, Seed(1));
    let run = |threads, shards| {
        let mut trainer = trainer().threads(threads).shards(shards);
        let history = trainer.fit(&data, 2).unwrap();
        let scores = trainer.evaluate(&data).unwrap();
        (trainer.model().parameters_sha256(), history.epochs[1].train.clone(), scores)
    };
    for shards in [1, 2, 5] {
        let one = run(1, shards);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads, shards), one, "{threads} threads, {shards} shards");
        }
    }
    // A batch that is smaller than the number of shards leaves some of them empty.
    assert!(run(2, 100).2.loss.is_finite());
}

#[test]
fn threads_without_a_shard_update_parameters() {
    // 566,282 parameters are the work of four threads.
    let data = digits(40, Seed(1));
    let run = |batch, shards, threads| {
        let layers =
            layers::<f32>().then(Relu).then(Dense::new(512)).then(Relu).then(Dense::new(910)).then(Relu);
        let model = Model::new([28, 28], layers.then(Dense::new(10)), Seed(4)).unwrap();
        let trainer = Trainer::new(model, CrossEntropy::default(), adam(1e-3)).batch_size(batch);
        let mut trainer = trainer.threads(threads).shards(shards);
        trainer.fit(&data, 2).unwrap();
        trainer.model().parameters_sha256()
    };
    // With two shards and few rows, the first product is split.
    for (batch, shards) in [(1, 1), (20, 1), (20, 2), (20, 3)] {
        let one = run(batch, shards, 1);
        for threads in [2, 3, 8] {
            assert_eq!(run(batch, shards, threads), one, "{threads} threads, {shards} shards");
        }
    }
}

/// The samples of a shard are more values than its parameters, so it computes its products while it has them.
#[test]
fn shards_of_many_rows_compute_their_products() {
    let data = digits(2100, Seed(1));
    type Make = fn() -> Box<dyn UpdateRule<f64>>;
    let optimizers: [Make; 3] =
        [|| Box::new(adam(1e-3)), || Box::new((ClipByGlobalNorm(1.0), sgd(0.1))), || Box::new(kfac(0.01))];
    for make in optimizers {
        let run = |threads, distributable| {
            let layers = Sequential::default().then(Flatten).then(Frozen(Dense::new(30))).then(Relu);
            let layers = layers.then(Dense::new(64)).then(Relu).then(Dense::new(10));
            let model = Model::new([28, 28], layers, Seed(4)).unwrap();
            let trainer = Trainer::new(model, CrossEntropy::default(), make()).batch_size(1050).accumulate(2);
            let mut trainer = trainer.shards(3).threads(threads).distributable(distributable);
            trainer.fit(&data, 2).unwrap();
            trainer.model().parameters().to_vec()
        };
        let one = run(1, false);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads, false), one, "{threads} threads");
        }
        if make().needs_factors() {
            continue;
        }
        // The sums of shards are those of several processes.
        assert_eq!(run(2, true), one);
    }
}

#[test]
fn shards_change_only_the_last_bits() {
    // 100 samples are two batches of 48 and a shorter one. With 1 shard nothing is cut; with more, the first product is split
    // by columns, and the rest is cut by rows.
    let data = digits(100, Seed(1));
    let run = |shards| {
        let model = Model::new([28, 28], layers::<f64>(), Seed(4)).unwrap();
        let mut trainer =
            Trainer::new(model, CrossEntropy::default(), sgd(0.1)).batch_size(48).threads(2).shards(shards);
        trainer.fit(&data, 2).unwrap();
        trainer.model().parameters().to_vec()
    };
    let whole = run(1);
    for shards in [2, 3, 7] {
        for (cut, whole) in run(shards).iter().zip(&whole) {
            assert!((cut - whole).abs() < 1e-12, "{shards} shards: {cut} {whole}");
        }
    }
}

#[test]
fn it_learns() {
    let (train, test) = (digits(3000, Seed(1)), digits(500, Seed(2)));
    let mut trainer = trainer();
    let before = trainer.evaluate(&test).unwrap();
    let history = trainer.fit(&train, Fit::epochs(4).validation(&test)).unwrap();
    let after = trainer.evaluate(&test).unwrap();
    assert!(before.metric("accuracy").unwrap() < 0.3, "{before}");
    assert!(after.metric("accuracy").unwrap() > 0.85, "{after}");
    assert_eq!(history.epochs.len(), 4);
    assert_eq!(history.epochs[3].validation.as_ref(), Some(&after));
    assert!(history.epochs[3].train.loss < history.epochs[0].train.loss);
}

#[test]
fn a_resumed_training_gives_the_same_bits() {
    let data = digits(500, Seed(1));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("half.chainrule");
    let mut straight = trainer();
    straight.fit(&data, 4).unwrap();
    let mut first = trainer();
    first.fit(&data, 2).unwrap();
    first.save(&path).unwrap();
    let mut second = trainer().resume(&path).unwrap();
    assert_eq!(second.epochs_done(), 2);
    second.fit(&data, 2).unwrap();
    assert_eq!(second.model().parameters_sha256(), straight.model().parameters_sha256());
    // A checkpoint is a model file too; a trainer with another optimizer cannot resume it.
    assert_eq!(Model::load_into(&path, layers::<f32>()).unwrap().parameters(), first.model().parameters());
    let model = Model::new([28, 28], layers(), Seed(0)).unwrap();
    let other = Trainer::<f32, u8>::new(model, CrossEntropy::default(), sgd(0.1));
    assert!(matches!(other.resume(&path), Err(TrainError::Checkpoint(_))));
    first.model().save(&path).unwrap();
    assert!(matches!(trainer().resume(&path), Err(TrainError::File(FileError::NotACheckpoint { .. }))));
}

#[test]
fn a_checkpoint_knows_its_training() {
    let data = digits(100, Seed(1));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.chainrule");
    let start = || trainer().shuffle(false).shards(3);
    let mut first = start();
    first.fit(&data, 1).unwrap();
    first.save(&path).unwrap();
    first.fit(&data, 1).unwrap();
    // What the other trainer was set to before does not matter; what it is set to afterwards does.
    let other = || trainer().shuffle(true).shards(1).batch_size(7).seed(Seed(1)).threads(1);
    let mut second = other().resume(&path).unwrap();
    second.fit(&data, 1).unwrap();
    assert_eq!(second.model().parameters_sha256(), first.model().parameters_sha256());
    type Change = fn(Trainer<f32, u8>) -> Trainer<f32, u8>;
    let changes: [Change; 4] = [
        |trainer| trainer.shuffle(true),
        |trainer| trainer.shards(1),
        |trainer| trainer.batch_size(20),
        |trainer| trainer.seed(Seed(1)),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut third = change(other().resume(&path).unwrap());
        third.fit(&data, 1).unwrap();
        assert_ne!(third.model().parameters_sha256(), first.model().parameters_sha256(), "change {index}");
    }

    let model = |layers| Model::new([28, 28], layers, Seed(0)).unwrap();
    let clipped = |norm| (ClipByGlobalNorm(norm), adam(1e-3));
    let refused = |trainer: Trainer<f32, u8>| match trainer.resume(&path).unwrap_err() {
        TrainError::Checkpoint(message) => message,
        error => panic!("{error}"),
    };
    let smooth = CrossEntropy::default().label_smoothing(0.1);
    for message in [
        refused(Trainer::new(model(layers()), smooth, clipped(5.0))),
        refused(Trainer::new(model(layers()), CrossEntropy::default(), clipped(4.0))),
        refused(Trainer::new(model(layers()), CrossEntropy::default(), adam(1e-3))),
        refused(Trainer::new(model(layers()), MeanSquaredError, clipped(5.0))),
    ] {
        assert!(message.contains("it was made with CrossEntropy"), "{message}");
    }
    let other = |layers| Trainer::<f32, u8>::new(layers, CrossEntropy::default(), clipped(5.0)).resume(&path);
    let error = other(model(layers().then(Relu))).unwrap_err();
    assert!(error.to_string().contains("another architecture: it has the layer nothing"), "{error}");
    let error = other(model(Sequential::new().then(Flatten).then(Dense::new(10)))).unwrap_err();
    assert!(error.to_string().contains("another architecture"), "{error}");
    let error = other(Model::new([14, 56], layers(), Seed(0)).unwrap()).unwrap_err();
    assert!(error.to_string().contains("its samples have the shape [28, 28]"), "{error}");
    let double = Model::new([28, 28], layers::<f64>(), Seed(0)).unwrap();
    let error = Trainer::<f64, u8>::new(double, CrossEntropy::default(), clipped(5.0)).resume(&path);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("it has f32 parameters, but f64 are expected"), "{error}");
}

#[test]
fn a_checkpoint_can_precede_the_first_epoch() {
    let data = digits(200, Seed(1));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("start.chainrule");
    let mut straight = trainer();
    straight.save(&path).unwrap();
    straight.fit(&data, 1).unwrap();
    let mut resumed = trainer().resume(&path).unwrap();
    resumed.fit(&data, 1).unwrap();
    assert_eq!(resumed.model().parameters_sha256(), straight.model().parameters_sha256());
}

/// The texts of an error and of its sources, as the program prints them.
fn chain(error: impl Error) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

/// Keeps more state than there is memory for.
#[derive(Debug)]
struct Hoarder;

impl Optimizer for Hoarder {
    fn slots(&self) -> usize {
        1 << 55
    }
}

impl UpdateRule<f32> for Hoarder {
    fn update(&self, _: Update<'_, f32>) {}
}

#[test]
fn too_little_memory_is_an_error() {
    // More than can be addressed, but not more than can be counted.
    let layers = || Sequential::<f32>::new().then(Dense::new(1 << 30)).then(Dense::new(1 << 25));
    let parameters = 4 * (1 << 30) + (1 << 55) + (1 << 25);
    let error = Model::new([3], layers(), Seed(0)).unwrap_err();
    assert_eq!(error, ModelError::Memory { parameters, bytes: 4 * parameters });
    assert!(error.to_string().contains("take 144115205389942784 bytes"), "{error}");
    let error = Model::new([3, 3], layers(), Seed(0)).unwrap_err();
    assert!(matches!(error, ModelError::Shape(_)), "{error}");

    let model = Model::new([28, 28], Sequential::new().then(Flatten).then(Dense::new(10)), Seed(0)).unwrap();
    let mut trainer = Trainer::new(model, CrossEntropy::default(), Hoarder);
    let data = digits(10, Seed(1));
    let error = trainer.fit(&data, 1).unwrap_err();
    assert!(matches!(error, TrainError::Memory { what: "the optimizer's state", .. }), "{error}");
    assert!(trainer.evaluate(&data).is_ok());
}

#[test]
fn damaged_files_are_distinguished() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.chainrule");
    let model = Model::new([28, 28], layers::<f32>(), Seed(4)).unwrap();
    model.save(&path).unwrap();
    let good = fs::read(&path).unwrap();
    let loaded = Model::load_into(&path, layers::<f32>()).unwrap();
    assert_eq!(loaded.parameters_sha256(), model.parameters_sha256());
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = Model::load_into(&path, layers::<f32>()).unwrap_err();
        assert!(error.to_string().contains("model.chainrule"), "{error}");
        error
    };
    assert!(matches!(load(b"PK"), FileError::NotAModel { .. }));
    assert!(matches!(load(&[b'x'; 100]), FileError::NotAModel { .. }));
    for length in [0, 51, 52, 60, good.len() / 2, good.len() - 1] {
        assert!(matches!(load(&good[..length]), FileError::NotAModel { .. } | FileError::Length { .. }));
    }
    assert!(matches!(load(&[&good[..], b"more"].concat()), FileError::Length { .. }));
    // One bit anywhere: in the magic number, the version, the length, the checksum, the payload.
    for (index, bit) in [(3, 1), (8, 4), (13, 1), (30, 7), (60, 0), (good.len() - 1, 3)] {
        let mut bytes = good.clone();
        bytes[index] ^= 1 << bit;
        let error = load(&bytes);
        match index {
            0..8 => assert!(matches!(error, FileError::NotAModel { .. }), "{error}"),
            8..12 => {
                let other = u32::from(good[8]) ^ 1 << 4;
                assert!(matches!(error, FileError::Version { found, .. } if found == other), "{error}");
            }
            12..20 => assert!(matches!(error, FileError::Length { .. }), "{error}"),
            _ => assert!(matches!(error, FileError::Damaged { .. }), "{error}"),
        }
    }
    fs::write(&path, &good).unwrap();
    let error = Model::load_into(&path, Sequential::new().then(Flatten).then(Dense::new(10))).unwrap_err();
    assert!(matches!(&error, FileError::Architecture { what, .. } if what.contains("Dense")), "{error}");
    let error = Model::<f64>::load_into(&path, Sequential::default()).unwrap_err();
    assert!(matches!(&error, FileError::Architecture { what, .. } if what.contains("f32")), "{error}");
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let model = Model::new([4], Sequential::new().then(Dense::new(2)), Seed(0)).unwrap();
    let error = model.save(directory.path().join("no/such/folder/model")).unwrap_err();
    assert!(matches!(error, FileError::Io { doing: "write", .. }), "{error}");
    // A directory of that name cannot be replaced; no temporary file remains.
    fs::create_dir(directory.path().join("taken")).unwrap();
    assert!(model.save(directory.path().join("taken")).is_err());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(matches!(
        Model::load_into("/no/such/file", layers::<f32>()),
        Err(FileError::Io { doing: "read", .. })
    ));
}

#[test]
fn invalid_settings_and_data_are_refused() {
    let data = digits(100, Seed(1));
    let error = |trainer: Trainer<f32, u8>| {
        let mut trainer = trainer;
        let before = trainer.model().parameters_sha256();
        let error = trainer.fit(&data, 1).unwrap_err();
        assert_eq!(trainer.model().parameters_sha256(), before);
        error
    };
    assert!(matches!(error(trainer().batch_size(0)), TrainError::Batch(_)));
    assert!(matches!(error(trainer().shards(0)), TrainError::Zero("shards")));
    assert!(matches!(error(trainer().threads(0)), TrainError::Zero("threads")));
    let with = |units, rate| {
        let model =
            Model::new([28, 28], Sequential::new().then(Flatten).then(Dense::new(units)), Seed(0)).unwrap();
        Trainer::new(model, CrossEntropy::default(), sgd(rate))
    };
    assert!(matches!(error(with(10, f64::NAN)), TrainError::Setting(_)));
    let model = Model::new([28, 28], layers(), Seed(0)).unwrap();
    let smoothed = Trainer::new(model, CrossEntropy::default().label_smoothing(1.5), sgd(0.1));
    assert!(matches!(error(smoothed), TrainError::Setting(_)));
    let smoothed = with(10, 0.1).into_model();
    let mut smoothed =
        Trainer::<f32, u8>::new(smoothed, CrossEntropy::default().label_smoothing(-0.1), sgd(0.1));
    assert!(matches!(smoothed.evaluate(&data), Err(TrainError::Setting(_))));
    let few = error(with(7, 0.1));
    assert!(matches!(few, TrainError::Target { columns: 7, .. }), "{few}");
    // The index of a wrong label is reported, in whichever shard it was found.
    let mut classes = vec![0u8; 100];
    classes[83] = 10;
    let wrong = Rows::new(Array2::<f32>::zeros((100, 4)), classes).unwrap();
    let model = Model::new([4], Sequential::new().then(Dense::new(10)), Seed(0)).unwrap();
    let mut classifier = Trainer::new(model, CrossEntropy::default(), sgd(0.1)).shards(2);
    let label = chain(classifier.evaluate(&wrong).unwrap_err());
    assert!(label.starts_with("sample 83, in batch 0, does not fit the model's 10 outputs: "), "{label}");
    assert!(
        label.ends_with("or look for a wrong label") && label.contains(": target 83 is class 10"),
        "{label}"
    );
    classifier = classifier.shuffle(false).batch_size(50);
    let label = chain(classifier.fit(&wrong, 1).unwrap_err());
    assert!(label.starts_with("sample 83, in batch 1, does not fit the model's 10 outputs: "), "{label}");
    assert!(label.contains(": target 33 is class 10"), "{label}");
    let steps: Vec<[u8; 5]> = (0..6).map(|row| [0, 1, 0, 1, u8::from(row == 5) * 2]).collect();
    let wrong_step = Rows::new(Array2::<f32>::zeros((6, 4)), steps).unwrap();
    let model = Model::new([4], Sequential::new().then(Dense::new(10)), Seed(0)).unwrap();
    let mut stepwise = Trainer::new(model, PerStep(CrossEntropy::default()), sgd(0.1)).shards(2);
    let label = chain(stepwise.evaluate(&wrong_step).unwrap_err());
    assert!(label.starts_with("sample 5, in batch 0, "), "{label}");
    assert!(
        label.contains("a step of target 5 does not fit the outputs of that step: target 4 is class 2, but"),
        "{label}"
    );
    // An error in the validation data is reported before the first step too.
    let mut trained = trainer();
    let before = trained.model().parameters_sha256();
    let none = Subset::first(&data, 0);
    let empty = trained.fit(&data, Fit::epochs(1).validation(&none)).unwrap_err();
    assert!(empty.to_string().contains("empty"), "{empty}");
    let flat = trained.fit(&data, Fit::epochs(1).validation(&wrong)).unwrap_err();
    assert!(matches!(flat, TrainError::Shape { .. }), "{flat}");
    assert_eq!(trained.model().parameters_sha256(), before);
    // More threads than there is work for do no harm.
    trainer().threads(usize::MAX).fit(&data, 1).unwrap();
    let model = Model::new([784], Sequential::new().then(Dense::new(10)), Seed(0)).unwrap();
    let flat = error(Trainer::new(model, CrossEntropy::default(), sgd(0.1)));
    assert!(matches!(flat, TrainError::Shape { .. }), "{flat}");
    let empty = trainer().fit(&Subset::first(&data, 0), 1).unwrap_err();
    assert!(empty.to_string().contains("empty"), "{empty}");
    let diverged = with(10, 1e38).fit(&data, 50).unwrap_err();
    assert!(matches!(diverged, TrainError::Diverged { .. }), "{diverged}");
}

#[test]
fn callbacks_watch_and_stop() {
    let data = digits(100, Seed(1));
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut trainer = trainer().batch_size(30).callback(move |event: &Event<'_>| {
        if let Event::Step { epoch, batch, samples, .. } = event {
            sender.send((*epoch, *batch, *samples)).unwrap();
            if (*epoch, *batch) == (1, 1) {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    let history = trainer.fit(&data, 5).unwrap();
    assert!(history.stopped);
    let seen: Vec<_> = receiver.try_iter().collect();
    assert_eq!(seen, [(0, 0, 30), (0, 1, 60), (0, 2, 90), (0, 3, 100), (1, 0, 30), (1, 1, 60)]);
}

#[test]
fn regression_in_double_precision() {
    let mut rng = Seed(6).rng();
    let x = Array2::from_shape_simple_fn((200, 3), || rng.normal());
    let targets: Vec<[f64; 1]> = x.rows().into_iter().map(|x| [2.0 * x[0] - x[1] + 0.5]).collect();
    let data = Rows::new(x, targets).unwrap();
    let model = Model::new([3], Sequential::<f64>::default().then(Dense::new(1)), Seed(0)).unwrap();
    let mut trainer = Trainer::new(model, MeanSquaredError, sgd(0.1)).batch_size(20);
    trainer.fit(&data, 60).unwrap();
    let model = trainer.into_model();
    for (found, right) in model.parameters().iter().zip([2.0, -1.0, 0.0, 0.5]) {
        assert!((found - right).abs() < 1e-6, "{found} for {right}");
    }
    assert_eq!(model.parameter("0.bias"), Some(&model.parameters()[3..]));
    assert!(model.predict(Array2::zeros((1, 4)).view()).is_err());
    let table = model.summary().to_string();
    assert!(table.contains("0 (Dense)") && table.contains("4 parameters"), "{table}");
}
