//! A training that stops in the middle of an epoch goes on with the next batch, as if it had not stopped.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chainrule_core::Sequential;
use chainrule_data::{Dataset, Rows, Samples, Subset};
use chainrule_layers::{BatchNorm, Dense, Dropout, Flatten, Relu};
use chainrule_losses::CrossEntropy;
use chainrule_metrics::{Accuracy, ConfusionMatrix, Count, Mean, Metric, MetricValue, Statistic};
use chainrule_optim::schedule::{Cosine, WarmUp};
use chainrule_optim::{ClipByGlobalNorm, adam};
use chainrule_tensor::{Real, Seed, Shape};
use chainrule_train::{Event, Fit, History, Model, Scores, TrainError, Trainer, file};
use ndarray::{Array2, ArrayView2};

const EPOCHS: u64 = 3;
const BATCHES: u64 = 10;

type Data<T> = Rows<T, u8>;

/// 77 samples: 9 batches of 8, and one of 5.
fn data<T: Real>() -> Data<T> {
    let mut rng = Seed(5).rng();
    let x = Array2::from_shape_simple_fn((77, 12), || T::of(rng.normal()));
    Rows::new(x, (0..77).map(|row| row % 3).collect::<Vec<u8>>()).unwrap()
}

fn layers<T: Real>() -> Sequential<T> {
    let layers = Sequential::default().then(Flatten).then(Dense::new(9)).then(BatchNorm::new()).then(Relu);
    layers.then(Dropout::new(0.2)).then(Dense::new(3))
}

/// All events of a training, as text, but for the seconds.
type Log = Arc<Mutex<Vec<String>>>;

/// Stops after this many steps; 0 is before the first.
type Stop = Arc<AtomicU64>;

fn trainer<T: Real>(stop: &Stop, log: &Log) -> Trainer<T, u8> {
    let model = Model::new([12], layers::<T>(), Seed(4)).unwrap();
    let rate = WarmUp::new(3).then(Cosine::new(0.05).steps(27).floor(1e-4));
    let (stop, log) = (stop.clone(), log.clone());
    let mut steps = 0;
    Trainer::new(model, CrossEntropy::default(), (ClipByGlobalNorm(1.0), adam(rate)))
        .batch_size(8)
        .seed(Seed(9))
        .metric(Accuracy::default())
        .metric(ConfusionMatrix::default())
        .metric(Mean)
        .callback(move |event: &Event<'_>| {
            let text = match event {
                Event::Start { .. } => {
                    steps = 0;
                    return ControlFlow::Continue(());
                }
                Event::Batch { .. } | Event::End { .. } => return ControlFlow::Continue(()),
                Event::EpochEnd(report) => {
                    format!(
                        "end {} {} {} {:?}",
                        report.epoch, report.samples, report.train, report.validation
                    )
                }
                event => format!("{event:?}"),
            };
            log.lock().unwrap().push(text);
            steps += u64::from(matches!(event, Event::Step { .. }));
            if steps == stop.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
}

/// What is compared of a training.
#[derive(Debug, PartialEq)]
struct Outcome {
    sha256: String,
    log: Vec<String>,
    epochs: Vec<(u64, usize, Scores, Option<Scores>)>,
    scores: Scores,
}

fn outcome<T: Real>(mut trainer: Trainer<T, u8>, log: &Log, histories: Vec<History>) -> Outcome {
    let reports = histories.into_iter().flat_map(|history| history.epochs);
    Outcome {
        sha256: trainer.model().parameters_sha256(),
        log: log.lock().unwrap().clone(),
        epochs: reports.map(|r| (r.epoch, r.samples, r.train, r.validation)).collect(),
        scores: trainer.evaluate(&data::<T>()).unwrap(),
    }
}

fn straight<T: Real>(shards: usize) -> Outcome {
    let log = Log::default();
    let never = Stop::new(u64::MAX.into());
    let mut trainer = trainer::<T>(&never, &log).shards(shards);
    let validation = Subset::first(data::<T>(), 20);
    let history = trainer.fit(&data(), Fit::epochs(EPOCHS).validation(&validation)).unwrap();
    assert!(!history.stopped);
    outcome(trainer, &log, vec![history])
}

/// Stops after each of these numbers of steps and goes on, each time with what `between` makes of the trainer.
fn with_stops<T: Real>(
    shards: usize,
    stops: &[u64],
    between: impl Fn(Trainer<T, u8>, &Stop, &Log) -> Trainer<T, u8>,
) -> Outcome {
    let log = Log::default();
    let stop = Stop::default();
    let validation = Subset::first(data::<T>(), 20);
    let mut trainer = trainer::<T>(&stop, &log).shards(shards);
    let mut histories = Vec::new();
    let mut taken = 0;
    for &steps in stops {
        stop.store(steps, Ordering::Relaxed);
        let left = EPOCHS - trainer.epochs_done();
        let history = trainer.fit(&data(), Fit::epochs(left).validation(&validation)).unwrap();
        taken += steps;
        assert!(history.stopped);
        assert_eq!(trainer.epochs_done(), taken / BATCHES);
        assert_eq!(trainer.samples_done() as u64, 8 * (taken % BATCHES));
        if let Some(part) = &history.unfinished {
            assert!(
                part.train.loss.is_finite()
                    && part.train.metrics.iter().all(|(_, value)| value.undefined().is_none())
            );
            assert_eq!((part.epoch, part.samples), (trainer.epochs_done(), trainer.samples_done()));
        }
        assert_eq!(history.unfinished.is_some(), taken % BATCHES > 0);
        histories.push(history);
        trainer = between(trainer, &stop, &log);
    }
    stop.store(u64::MAX, Ordering::Relaxed);
    let left = EPOCHS - trainer.epochs_done();
    histories.push(trainer.fit(&data(), Fit::epochs(left).validation(&validation)).unwrap());
    outcome(trainer, &log, histories)
}

/// Saves the training, and resumes it in a new trainer that was set to something else.
fn through_a_file<T: Real>(trainer: Trainer<T, u8>, stop: &Stop, log: &Log, path: &Path) -> Trainer<T, u8> {
    trainer.save(path).unwrap();
    let other = self::trainer::<T>(stop, log).seed(Seed(1)).batch_size(5).shards(3).shuffle(false);
    other.resume(path).unwrap()
}

fn every_way<T: Real>() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("training");
    for shards in [1, 2] {
        let right = straight::<T>(shards);
        assert_eq!(right.epochs.len(), 3);
        for stops in [&[14][..], &[1], &[9], &[19, 1, 3], &[5, 2, 1], &[10], &[20, 9], &[29]] {
            let same = with_stops::<T>(shards, stops, |trainer, _, _| trainer);
            assert_eq!(same, right, "{stops:?}");
            let evaluated = with_stops::<T>(shards, stops, |mut trainer, _, _| {
                trainer.evaluate(&Subset::first(data::<T>(), 30)).unwrap();
                trainer
            });
            assert_eq!(evaluated, right, "{stops:?}");
            let resumed = with_stops::<T>(shards, stops, |trainer, stop, log| {
                through_a_file(trainer, stop, log, &path)
            });
            assert_eq!(resumed, right, "{stops:?}");
            let both = with_stops::<T>(shards, stops, |mut trainer, stop, log| {
                trainer.evaluate(&data::<T>()).unwrap();
                let mut trainer = through_a_file(trainer, stop, log, &path);
                trainer.evaluate(&data::<T>()).unwrap();
                through_a_file(trainer, stop, log, &path)
            });
            assert_eq!(both, right, "{stops:?}");
        }
    }
}

#[test]
fn in_single_precision() {
    every_way::<f32>();
}

#[test]
fn in_double_precision() {
    every_way::<f64>();
}

/// Stops the training at the first event that is asked for.
fn stopping(at: fn(&Event<'_>) -> bool) -> Trainer<f32, u8> {
    let never = Stop::new(u64::MAX.into());
    let mut stopped = false;
    trainer::<f32>(&never, &Log::default()).callback(move |event: &Event<'_>| {
        let now = !stopped && at(event);
        stopped |= now;
        if now { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

#[test]
fn a_break_before_the_first_step_is_no_epoch() {
    let data = data();
    let right = straight::<f32>(1).sha256;
    let stops: [fn(&Event<'_>) -> bool; 4] = [
        |event| matches!(event, Event::Start { .. }),
        |event| matches!(event, Event::Epoch { epoch: 0 }),
        |event| matches!(event, Event::Epoch { epoch: 1 }),
        |event| matches!(event, Event::EpochEnd(report) if report.epoch == 1),
    ];
    for (stop, epochs) in stops.into_iter().zip([0, 0, 1, 2]) {
        let mut trainer = stopping(stop);
        let history = trainer.fit(&data, EPOCHS).unwrap();
        assert!(history.stopped && history.unfinished.is_none(), "{history:?}");
        assert_eq!(history.epochs.len() as u64, epochs);
        assert!(history.epochs.iter().all(|report| report.train.loss.is_finite()));
        assert_eq!((trainer.epochs_done(), trainer.samples_done()), (epochs, 0));
        trainer.fit(&data, EPOCHS - epochs).unwrap();
        assert_eq!(trainer.model().parameters_sha256(), right);
    }
}

#[test]
fn a_break_after_the_last_batch_completes_the_epoch() {
    let data = data();
    let log = Log::default();
    let mut trainer = trainer::<f32>(&Stop::new(10.into()), &log);
    let history = trainer.fit(&data, Fit::epochs(EPOCHS).validation(&data)).unwrap();
    assert!(history.stopped && history.unfinished.is_none());
    assert_eq!(history.epochs.len(), 1);
    assert!(history.epochs[0].validation.is_some());
    assert!(log.lock().unwrap().last().unwrap().starts_with("end 0 77"));
}

#[test]
fn every_callback_is_told_before_the_training_stops() {
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    let mut trainer =
        trainer::<f32>(&Stop::new(4.into()), &Log::default()).callback(move |event: &Event<'_>| {
            count.fetch_add(u64::from(matches!(event, Event::Step { .. })), Ordering::Relaxed);
            ControlFlow::Continue(())
        });
    trainer.fit(&data(), 1).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 4);
}

/// The samples of another data set, of which one has a class that does not exist until it is mended.
struct Broken {
    data: Data<f32>,
    sample: usize,
    mended: std::sync::atomic::AtomicBool,
}

impl Dataset for Broken {
    type Target = u8;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> Shape {
        Dataset::shape(&self.data)
    }
}

impl Samples<f32> for Broken {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        let class = self.data.read(index, row);
        let wrong = index == self.sample && !self.mended.load(Ordering::Relaxed);
        if wrong { 200 } else { class }
    }
}

#[test]
fn an_error_in_mid_epoch_loses_no_sample() {
    let right = straight::<f32>(2);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("training");
    for sample in [0, 40, 76] {
        let broken = Broken { data: data(), sample, mended: false.into() };
        let (stop, log) = (Stop::new(u64::MAX.into()), Log::default());
        let mut first = trainer::<f32>(&stop, &log).shards(2);
        let validation = Subset::first(data::<f32>(), 20);
        for _ in 0..2 {
            let error = first.fit(&broken, Fit::epochs(EPOCHS).validation(&validation)).unwrap_err();
            assert!(matches!(error, TrainError::Target { sample: found, .. } if found == sample), "{error}");
        }
        first.evaluate(&validation).unwrap();
        first.save(&path).unwrap();
        broken.mended.store(true, Ordering::Relaxed);
        let mut resumed = trainer::<f32>(&stop, &Log::default()).resume(&path).unwrap();
        resumed.fit(&broken, EPOCHS).unwrap();
        assert_eq!(resumed.model().parameters_sha256(), right.sha256);
        let history = first.fit(&broken, Fit::epochs(EPOCHS).validation(&validation)).unwrap();
        // An epoch whose first batch failed begins more than once.
        log.lock().unwrap().dedup();
        assert_eq!(outcome(first, &log, vec![history]), right, "sample {sample}");
    }
}

#[test]
fn another_order_or_another_data_set_begins_a_new_epoch() {
    type Change = fn(Trainer<f32, u8>) -> Trainer<f32, u8>;
    let changes: [(Change, bool); 7] = [
        (|trainer| trainer, false),
        (|trainer| trainer.seed(Seed(9)).shuffle(true).batch_size(8), false),
        // Every sample is still seen once.
        (|trainer| trainer.batch_size(5), false),
        (|trainer| trainer.seed(Seed(8)), true),
        (|trainer| trainer.shuffle(false), true),
        (
            |mut trainer| {
                trainer.end_epoch();
                trainer
            },
            true,
        ),
        (|trainer| trainer.shards(2), false),
    ];
    for (index, (change, ends)) in changes.into_iter().enumerate() {
        let stop = Stop::new(14.into());
        let mut trainer = trainer::<f32>(&stop, &Log::default()).shards(1);
        trainer.fit(&data(), EPOCHS).unwrap();
        stop.store(u64::MAX, Ordering::Relaxed);
        let mut trainer = change(trainer);
        assert_eq!((trainer.epochs_done(), trainer.samples_done()), if ends { (2, 0) } else { (1, 32) });
        let history = trainer.fit(&data(), 1).unwrap();
        let report = &history.epochs[0];
        assert_eq!((report.epoch, report.samples), (1 + u64::from(ends), 77), "change {index}");
    }
    let stop = Stop::new(14.into());
    let mut trainer = trainer::<f32>(&stop, &Log::default());
    trainer.fit(&data(), EPOCHS).unwrap();
    stop.store(u64::MAX, Ordering::Relaxed);
    let history = trainer.fit(&Subset::first(data(), 76), 1).unwrap();
    assert_eq!((history.epochs[0].epoch, history.epochs[0].samples), (2, 76));
}

/// A user's own metric.
#[derive(Clone, Debug)]
struct RowCount;

impl Metric for RowCount {
    fn name(&self) -> &'static str {
        "rows"
    }
}

impl Statistic for RowCount {
    type Counts = [f64; 1];

    fn value(&self, [rows]: &[f64; 1]) -> MetricValue {
        MetricValue::number(*rows)
    }
}

impl Count<f32, u8> for RowCount {
    fn count(&self, [rows]: &mut [f64; 1], y: ArrayView2<'_, f32>, _: &[u8]) {
        *rows += y.nrows() as f64;
    }
}

#[test]
fn an_evaluation_leaves_what_a_metric_has_counted() {
    let start = |stop: &Stop| trainer::<f32>(stop, &Log::default()).metric(RowCount);
    for evaluate in [false, true] {
        let stop = Stop::new(4.into());
        let mut trainer = start(&stop);
        let history = trainer.fit(&data(), 1).unwrap();
        assert_eq!(history.unfinished.unwrap().train.metric("rows"), Some(32.0));
        if evaluate {
            trainer.evaluate(&data()).unwrap();
        }
        stop.store(u64::MAX, Ordering::Relaxed);
        let history = trainer.fit(&data(), 1).unwrap();
        assert_eq!(history.epochs[0].train.metric("rows"), Some(77.0));
    }
}

/// Files that the version of the format before this one wrote: a checkpoint after two epochs, and its model.
#[test]
fn files_of_the_previous_version_are_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let layers = || {
        let layers = Sequential::new().then(Flatten).then(Dense::new(5)).then(Relu);
        layers.then(Dropout::new(0.2)).then(Dense::new(3))
    };
    let sha256 = "cb10b051c4fb5e47df0e7d32961348f1816b67ae7d8615a5505c6d83de7b0572";
    for name in ["version-2-model.bin", "version-2-checkpoint.bin"] {
        assert_eq!(std::fs::read(directory.join(name)).unwrap()[8], 2);
        let model = Model::<f32>::load_into(directory.join(name), layers()).unwrap();
        assert_eq!(model.parameters_sha256(), sha256);
    }
    let contents = file::read(&directory.join("version-2-checkpoint.bin")).unwrap();
    assert_eq!(contents.position, None);
    assert_eq!(contents.training.map(|training| (training.epoch, training.step)), Some((2, 16)));
    let model = Model::new([12], layers(), Seed(0)).unwrap();
    let cosine = Cosine::new(0.01).steps(100).floor(0.0001);
    let loss = CrossEntropy::default().label_smoothing(0.1);
    let trainer = Trainer::new(model, loss, (ClipByGlobalNorm(5.0), adam(cosine)));
    let mut trainer = trainer.resume(directory.join("version-2-checkpoint.bin")).unwrap();
    assert_eq!((trainer.epochs_done(), trainer.samples_done()), (2, 0));
    assert_eq!(trainer.model().parameters_sha256(), sha256);
    let history = trainer.fit(&data(), 1).unwrap();
    assert_eq!(history.epochs[0].epoch, 2);
}
