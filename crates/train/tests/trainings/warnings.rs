//! What works but is probably not meant is said, once, and changes nothing.

use chainrule_core::Sequential;
use chainrule_data::{Dataset, Images, Rows, Samples, Subset, digits};
use chainrule_layers::{Dense, Flatten};
use chainrule_losses::CrossEntropy;
use chainrule_optim::sgd;
use chainrule_tensor::Shape;
use chainrule_train::{Fit, Model, TrainWarning, Trainer};
use ndarray::Array2;

fn trainer(shape: impl Into<Shape>, shards: usize) -> Trainer<f32, u8> {
    let model = Model::new(shape, Sequential::new().then(Flatten).then(Dense::new(10)), 0).unwrap();
    Trainer::new(model, CrossEntropy::default(), sgd(0.01)).batch_size(8).shards(shards)
}

#[test]
fn a_batch_larger_than_the_data_set() {
    let data = digits(20, 1);
    for (batch_size, right) in [(19, false), (20, false), (21, true), (usize::MAX, true)] {
        let mut trainer = trainer([28, 28], 1).batch_size(batch_size);
        trainer.fit(&data, 2).unwrap();
        trainer.fit(&data, 2).unwrap();
        let warning = TrainWarning::LargeBatch { batch_size, samples: 20 };
        assert_eq!(trainer.warnings(), if right { vec![warning] } else { vec![] });
    }
    let text = TrainWarning::LargeBatch { batch_size: usize::MAX, samples: 20 }.to_string();
    assert!(
        text.contains("18446744073709551615") && text.contains("samples, 20: each epoch is a single step"),
        "{text}"
    );
}

#[test]
fn no_epochs() {
    let data = digits(20, 1);
    let mut trainer = trainer([28, 28], 1);
    let before = trainer.model().parameters_sha256();
    let history = trainer.fit(&data, 0).unwrap();
    assert!(history.epochs.is_empty() && !history.stopped);
    assert_eq!(trainer.model().parameters_sha256(), before);
    assert_eq!(trainer.warnings(), [TrainWarning::NoEpochs]);
    assert!(TrainWarning::NoEpochs.to_string().contains("the model is not trained"));
}

/// What is said of an evaluation on `test` after, or a validation during, a training on `train`.
fn said(train: &Images, test: &impl Samples<f32, Target = u8>, shards: usize, validation: bool) -> bool {
    let mut trainer = trainer([28, 28], shards);
    if validation {
        trainer.fit(train, Fit::epochs(2).validation(test)).unwrap();
    } else {
        trainer.evaluate(test).unwrap();
        assert!(trainer.warnings().is_empty(), "nothing was trained on yet");
        trainer.fit(train, 2).unwrap();
        trainer.evaluate(test).unwrap();
        trainer.evaluate(test).unwrap();
    }
    let told = trainer.warnings();
    let warning = TrainWarning::SeenSamples { trained: train.len(), evaluated: test.len() };
    assert!(told.is_empty() || told == [warning], "{told:?}");
    !told.is_empty()
}

#[test]
fn an_evaluation_on_training_samples() {
    let train = digits(300, 1);
    let (copy, other) = (digits(300, 1), digits(60, 2));
    let indices = (0..300).rev().step_by(7).collect();
    let part = Subset::new(&copy, indices).unwrap();
    // With two shards, the first product is split along the columns of the samples.
    for shards in [1, 2] {
        for validation in [false, true] {
            assert!(said(&train, &copy, shards, validation), "a copy");
            assert!(said(&train, &part, shards, validation), "a part");
            assert!(said(&train, &Subset::first(&copy, 40), shards, validation), "few samples");
            assert!(!said(&train, &other, shards, validation), "other samples");
        }
        // Who evaluates on the training data itself knows it.
        assert!(!said(&train, &train, shards, false));
    }
}

#[test]
fn samples_that_are_all_the_same_tell_nothing() {
    let same = |rows| Rows::new(Array2::<f32>::zeros((rows, 3)), vec![1u8; rows]).unwrap();
    let mut trainer = trainer([3], 1);
    trainer.fit(&same(40), Fit::epochs(1).validation(&same(20))).unwrap();
    trainer.evaluate(&same(10)).unwrap();
    assert!(trainer.warnings().is_empty());
}
