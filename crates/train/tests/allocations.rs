//! A steady training step allocates nothing.

use std::ops::ControlFlow;

use chainrule_data::digits;
use chainrule_layer::{Residual, Sequential};
use chainrule_layers::{Dense, Dropout, Flatten, LeakyRelu, Relu, Sigmoid, Softmax, Tanh};
use chainrule_losses::CrossEntropy;
use chainrule_metrics::{Accuracy, ConfusionMatrix};
use chainrule_optim::{ClipByGlobalNorm, adam};
use chainrule_tensor::{CountingAllocator, Seed};
use chainrule_train::{Event, Model, Trainer};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

#[test]
fn a_steady_step_allocates_nothing() {
    let data = digits(640, Seed(1));
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
        let model = Model::new([28, 28], layers, Seed(0)).unwrap();
        let (sender, receiver) = std::sync::mpsc::sync_channel(256);
        let optimizer = (ClipByGlobalNorm(1.0), adam(1e-3));
        let mut trainer = Trainer::new(model, CrossEntropy::from_probabilities(), optimizer)
            .threads(threads)
            .metric(Accuracy::default())
            .metric(ConfusionMatrix::new(10))
            .callback(move |event: &Event<'_>| {
                if let Event::Step { .. } = event {
                    sender.send(ALLOCATOR.allocations()).unwrap();
                }
                ControlFlow::Continue(())
            });
        trainer.fit(&data, 10).unwrap();
        let counts: Vec<u64> = receiver.try_iter().collect();
        assert_eq!(counts.len(), 200);
        assert!(counts[0] > 0, "the counter counts");
        // The first epoch fills the caches, and the queues between threads; later an epoch makes its report.
        for (epoch, counts) in counts.chunks(20).enumerate().skip(1) {
            assert_eq!(counts.first(), counts.last(), "{threads} threads, epoch {epoch}");
        }
    }
}
