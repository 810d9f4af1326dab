//! What a training changes in the program around it, and puts back: the threads of BLAS, and what denormal numbers count as.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use chainrule_core::Sequential;
use chainrule_data::{Dataset, Images, Samples, digits};
use chainrule_layers::{Dense, Flatten, Relu};
use chainrule_losses::CrossEntropy;
use chainrule_optim::{adam, sgd};
use chainrule_tensor::{Shape, blas};
use chainrule_train::{Event, Fit, Model, TrainError, Trainer};
use ndarray::Array2;

/// The number of BLAS's threads is the program's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn trainer() -> Trainer<f32, u8> {
    let layers = Sequential::new().then(Flatten).then(Dense::new(32)).then(Relu).then(Dense::new(10));
    Trainer::new(Model::new([28, 28], layers, 0).unwrap(), CrossEntropy::default(), adam(1e-3)).batch_size(16)
}

/// Whether the calling thread computes with denormal numbers.
fn has_denormals() -> bool {
    black_box(black_box(f32::MIN_POSITIVE) * 0.5) != 0.0
}

#[test]
fn blas_has_its_threads_back() {
    let _alone = ALONE.lock();
    let data = digits(64, 1);
    blas::set_threads(2);
    let before = blas::threads();
    let mut trainer = trainer();
    trainer.fit(&data, Fit::epochs(1).validation(&data)).unwrap();
    assert_eq!(blas::threads(), before, "after a fit");
    trainer.evaluate(&data).unwrap();
    assert_eq!(blas::threads(), before, "after an evaluation");
    trainer.model().predict(Array2::zeros((3, 784)).view()).unwrap();
    trainer.model().predictor().predict(Array2::zeros((3, 784)).view()).unwrap();
    assert_eq!(blas::threads(), before, "after predictions");

    let model = || Model::new([28, 28], Sequential::new().then(Flatten).then(Dense::new(5)), 0).unwrap();
    let mut few = Trainer::new(model(), CrossEntropy::default(), sgd(0.1));
    assert!(matches!(few.fit(&data, 1), Err(TrainError::Target { .. })));
    assert_eq!(blas::threads(), before, "after a fit that failed");
    assert!(matches!(few.evaluate(&data), Err(TrainError::Target { .. })));
    assert_eq!(blas::threads(), before, "after an evaluation that failed");
    let mut wrong = Trainer::<f32, u8>::new(
        model(),
        CrossEntropy::default(),
        sgd(|step| if step < 2 { 0.0 } else { -1.0 }),
    );
    wrong.fit(&data, 1).unwrap_err();
    assert_eq!(blas::threads(), before, "after a schedule that failed");

    let panics = std::panic::catch_unwind(|| {
        let mut trainer =
            self::trainer().callback(|_: &Event<'_>| -> ControlFlow<()> { panic!("as intended") });
        trainer.fit(&data, 1)
    });
    assert!(panics.is_err());
    assert_eq!(blas::threads(), before, "after a panic");
}

#[test]
fn blas_has_its_threads_back_after_two_trainings_at_once() {
    let _alone = ALONE.lock();
    let data = digits(64, 1);
    blas::set_threads(2);
    let before = blas::threads();
    for epochs in [(1, 3), (3, 1), (2, 2)] {
        let both = Arc::new(Barrier::new(2));
        let run = |epochs: u64| {
            let (both, data) = (Arc::clone(&both), &data);
            move || {
                let start = move |event: &Event<'_>| {
                    if let Event::Start { .. } = event {
                        both.wait();
                        assert_eq!(blas::threads(), 1);
                    }
                    ControlFlow::Continue(())
                };
                trainer().callback(start).fit(data, epochs).unwrap();
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(run(epochs.0));
            scope.spawn(run(epochs.1));
        });
        assert_eq!(blas::threads(), before);
    }
}

/// A data set that notes whether its reader computes with denormal numbers.
struct Watching {
    data: Images,
    reads: AtomicU64,
    flushed: AtomicBool,
}

impl Dataset for Watching {
    type Target = u8;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> Shape {
        Dataset::shape(&self.data)
    }
}

impl Samples<f32> for Watching {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.flushed.fetch_or(!has_denormals(), Ordering::Relaxed);
        self.data.read(index, row)
    }
}

#[test]
fn data_sets_and_callbacks_have_denormal_numbers() {
    let _alone = ALONE.lock();
    assert!(has_denormals());
    // With two shards, the first product is split, and the data set is read for it.
    for (shards, threads) in [(1, 1), (2, 1), (2, 2)] {
        let data = Watching { data: digits(64, 1), reads: 0.into(), flushed: false.into() };
        let seen = Arc::new(AtomicBool::new(true));
        let keep = Arc::clone(&seen);
        let mut trainer = trainer().shards(shards).threads(threads).callback(move |_: &Event<'_>| {
            keep.fetch_and(has_denormals(), Ordering::Relaxed);
            ControlFlow::Continue(())
        });
        trainer.fit(&data, Fit::epochs(2).validation(&data)).unwrap();
        trainer.evaluate(&data).unwrap();
        trainer.model().predict(Array2::zeros((3, 784)).view()).unwrap();
        assert!(has_denormals(), "afterwards");
        assert!(data.reads.load(Ordering::Relaxed) >= 5 * 64);
        assert!(
            !data.flushed.load(Ordering::Relaxed),
            "in the data set, {shards} shards on {threads} threads"
        );
        assert!(seen.load(Ordering::Relaxed), "in callbacks");
    }
}
