//! A steady training step allocates nothing. The test is short: after a minute its harness says so, which allocates.

use std::ops::ControlFlow;

use chainrule_core::{Registry, Residual, Sequential};
use chainrule_data::{ReadAhead, Rows, Samples, SparseRows, WithWeights, digits};
use chainrule_layers::{
    BatchNorm, Dense, Dropout, Embedding, Flatten, LeakyRelu, Relu, Sigmoid, Softmax, Tanh,
};
use chainrule_losses::{CategoricalFocal, CrossEntropy, Ctc, Loss, NtXent};
use chainrule_metrics::{
    Accuracy, Auroc, AveragePrecision, CalibrationError, ConfusionMatrix, LogLoss, MeanSquaredError,
    Precision, R2, SpearmanCorrelation,
};
use chainrule_optim::{ClipByGlobalNorm, UpdateRule, adam, register_optimizers};
use chainrule_tensor::{CountingAllocator, Seed, SparseMatrix};
use chainrule_train::{Event, Model, Trainer};
use ndarray::Array2;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// Trains on 640 samples for 4 epochs, and compares the number of allocations after each step.
fn check<O: UpdateRule<f32> + 'static>(
    layers: Sequential<f32>,
    optimizer: O,
    data: &impl Samples<f32, Target = u8>,
    threads: usize,
) {
    let model = Model::new(data.shape(), layers, Seed(0)).unwrap();
    let trainer = Trainer::new(model, CrossEntropy::from_probabilities(), optimizer);
    let trainer = trainer
        .metric(Accuracy::default())
        .metric(ConfusionMatrix::new(10))
        .metric(Precision::from_probabilities())
        .metric(Auroc::from_probabilities())
        .metric(AveragePrecision::from_probabilities().thresholds(20))
        .metric(CalibrationError::from_probabilities())
        .metric(LogLoss::from_probabilities())
        .metric(MeanSquaredError)
        .metric(R2)
        .metric(SpearmanCorrelation);
    count(trainer, data, threads);
}

/// As [`check`], with this loss.
fn check_loss<Y: Clone + Send + Sync + 'static>(
    loss: impl Loss<f32, Y> + 'static,
    data: &impl Samples<f32, Target = Y>,
    threads: usize,
) {
    let layers = Sequential::new().then(Dense::new(16)).then(Relu).then(Dense::new(10));
    let model = Model::new(data.shape(), layers, Seed(0)).unwrap();
    count(Trainer::new(model, loss, adam(1e-4)).shards(2), data, threads);
}

/// Every optimizer and every stage before another optimizer, from their names.
fn check_optimizers(data: &impl Samples<f32, Target = u8>, threads: usize) {
    let mut registry = Registry::new();
    register_optimizers::<f32>(&mut registry);
    let build = |text: &str| registry.build::<Box<dyn UpdateRule<f32>>>(&text.parse().unwrap());
    for entry in registry.entries::<Box<dyn UpdateRule<f32>>>() {
        let name = entry.name;
        // Some need a setting, and some admit none after them.
        let texts = [format!("{name} then sgd(0.01)"), format!("{name}(1) then sgd(0.01)"), name.to_owned()];
        let optimizer =
            texts.iter().find_map(|text| build(text).ok().filter(|built| built.validate().is_ok()));
        let Some(optimizer) = optimizer else { continue };
        println!("{:?}", optimizer.description());
        let layers = Sequential::new().then(Dense::new(16)).then(Tanh).then(Dense::new(10));
        let model = Model::new(data.shape(), layers, Seed(0)).unwrap();
        count(Trainer::new(model, CrossEntropy::default(), optimizer).shards(2), data, threads);
    }
}

fn count<Y: Clone + Send + Sync>(
    trainer: Trainer<f32, Y>,
    data: &impl Samples<f32, Target = Y>,
    threads: usize,
) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(256);
    let mut trainer = trainer.threads(threads).callback(move |event: &Event<'_>| {
        if let Event::Step { .. } = event {
            sender.send(ALLOCATOR.allocations()).unwrap();
        }
        ControlFlow::Continue(())
    });
    trainer.fit(data, 4).unwrap();
    // When they end, the threads of this training free their memory, which must not count in the next one.
    std::thread::sleep(std::time::Duration::from_millis(50));
    let counts: Vec<u64> = receiver.try_iter().collect();
    assert_eq!(counts.len(), 80);
    assert!(counts[0] > 0, "the counter works");
    // The first epoch fills the caches and the queues between threads; each later epoch allocates its report.
    for (epoch, counts) in counts.chunks(20).enumerate().skip(1) {
        assert_eq!(counts.first(), counts.last(), "{threads} threads, epoch {epoch}");
    }
}

#[test]
fn a_steady_step_allocates_nothing() {
    let data = digits(640, Seed(1));
    let mut rng = Seed(2).rng();
    let ids = Array2::from_shape_simple_fn((640, 20), || rng.below(300) as f32);
    let sentences = Rows::new(ids, (0..640).map(|row| (row % 10) as u8).collect()).unwrap();
    let x = Array2::from_shape_simple_fn((640, 20), || rng.below(300) as f32 / 300.0);
    let small = Rows::new(x.clone(), (0..640).map(|row| (row % 10) as u8).collect()).unwrap();
    let weighted = WithWeights::new(&small, (0..640).map(|row| (row % 3) as f32).collect()).unwrap();
    let labels = Rows::new(x, vec![[1u8, 1]; 640]).unwrap();
    // Most are short, and some batch has more of the long ones than those before.
    let mut bags = SparseMatrix::new(400);
    for row in 0..640 {
        let columns: Vec<u32> = (0..if row % 50 == 0 { 400 } else { row % 20 }).collect();
        bags.push(&columns, &vec![0.1; columns.len()]).unwrap();
    }
    let bags = SparseRows::new(bags, (0..640).map(|row| (row % 10) as u8).collect()).unwrap();
    for threads in [1, 2] {
        check_loss(CrossEntropy.class_weights([2.0; 10]).ignore_class(3), &small, threads);
        check_loss(NtXent::default(), &small, threads);
        check_loss(CategoricalFocal::default(), &weighted, threads);
        check_loss(Ctc::new(2), &labels, threads);
    }
    check_optimizers(&small, 2);
    for threads in [1, 2] {
        let inner = Sequential::new().then(Dense::new(64)).then(Tanh);
        let layers = Sequential::new()
            .then(Flatten)
            .then(Dense::new(64))
            .then(Relu)
            .then(Residual(inner))
            .then(Dropout::new(0.1))
            .then(Dense::new(32))
            .then(LeakyRelu::default())
            .then(Dense::new(32))
            .then(Sigmoid)
            .then(Dense::new(10))
            .then(Softmax);
        check(layers, (ClipByGlobalNorm(1.0), adam(1e-3)), &data, threads);
        let normalised =
            Sequential::new().then(Flatten).then(Dense::new(64)).then(BatchNorm::new()).then(Relu);
        check(normalised.then(Dense::new(10)).then(Softmax), adam(1e-3), &data, threads);
        let ahead = ReadAhead::<f32, _>::new(digits(640, Seed(1)), 1);
        // Its thread allocates its name where it begins.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let layers = Sequential::new().then(Flatten).then(Dense::new(10)).then(Softmax);
        check(layers, adam(1e-3), &ahead, threads);
        let words = Embedding::new(300, 32).padding_index(0).sparse();
        let layers = Sequential::new().then(words).then(Flatten).then(Dense::new(16)).then(Tanh);
        check(layers.then(Dense::new(10)).then(Softmax), adam(1e-3), &sentences, threads);
        for first in [Dense::new(32), Dense::new(32).sparse()] {
            let layers = Sequential::new().then(first).then(Tanh).then(Dense::new(10)).then(Softmax);
            check(layers, adam(1e-3), &bags, threads);
        }
    }
}
