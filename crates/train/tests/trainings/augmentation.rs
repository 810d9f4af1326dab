//! Augmented pictures are the same for any number of threads, and after a break in the middle of an epoch.

use std::ops::ControlFlow;

use chainrule_core::Sequential;
use chainrule_data::augment::{Augmented, HorizontalFlip, Noise, PadAndCrop, RandomAffine};
use chainrule_data::{ReadAhead, digits};
use chainrule_layers::{Dense, Flatten};
use chainrule_losses::CrossEntropy;
use chainrule_optim::adam;
use chainrule_tensor::Seed;
use chainrule_train::{Event, Fit, Model, Trainer};

fn trained(threads: usize, stops_after: Option<usize>, seed: u64) -> String {
    read_by(0, threads, stops_after, seed)
}

/// The same where so many threads read ahead.
fn read_by(readers: usize, threads: usize, stops_after: Option<usize>, seed: u64) -> String {
    let data = Augmented::new(digits(90, Seed(1)), seed).unwrap();
    let data = data.with(RandomAffine::new().rotate(20.0).shift(0.1)).unwrap();
    let data = data.with(HorizontalFlip(0.5)).unwrap().with(PadAndCrop(2)).unwrap().with(Noise(0.1)).unwrap();
    let data = ReadAhead::<f32, _>::new(data, readers);
    let model = Model::new([28, 28], Sequential::new().then(Flatten).then(Dense::new(10)), Seed(2)).unwrap();
    let mut steps = 0;
    let mut trainer = Trainer::new(model, CrossEntropy::default(), adam(1e-2))
        .batch_size(20)
        .shards(3)
        .threads(threads)
        .callback(move |event: &Event<'_>| {
            let Event::Step { .. } = event else { return ControlFlow::Continue(()) };
            steps += 1;
            if Some(steps) == stops_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    trainer.fit(&data, Fit::until(3)).unwrap();
    if stops_after.is_some() {
        trainer.fit(&data, Fit::until(3)).unwrap();
    }
    assert_eq!(trainer.epochs_done(), 3);
    trainer.model().parameters_sha256()
}

#[test]
fn augmentation_is_part_of_the_result_and_threads_are_not() {
    let whole = trained(1, None, 7);
    assert_eq!(trained(2, None, 7), whole);
    assert_eq!(trained(1, Some(7), 7), whole);
    assert_ne!(trained(1, None, 8), whole);
    for readers in [1, 3] {
        assert_eq!(read_by(readers, 1, None, 7), whole);
        assert_eq!(read_by(readers, 2, Some(7), 7), whole);
    }
}
