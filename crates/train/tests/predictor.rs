//! A predictor allocates nothing once it has memory, and carries states from call to call.

use chainrule_core::Sequential;
use chainrule_layers::{Bidirectional, Dense, Dropout, Gru, Lstm, Relu, TimeDistributed};
use chainrule_tensor::{CountingAllocator, Seed};
use chainrule_train::{Model, PredictError};
use ndarray::{Array2, s};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

fn random(rows: usize, columns: usize) -> Array2<f32> {
    let mut rng = Seed(1).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal() as f32)
}

#[test]
fn it_allocates_for_the_first_call_of_a_size() {
    let layers = Sequential::new()
        .then(Bidirectional::new(Lstm::new(5).masked().sequences()))
        .then(Gru::new(4).stateful().sequences())
        .then(TimeDistributed(Dense::new(3)))
        .then(Relu)
        .then(Dropout::new(0.5));
    let model = Model::new([6, 2], layers, Seed(0)).unwrap();
    let x = random(8, 12);
    let mut predictor = model.predictor();
    let mut count = |rows| {
        let before = ALLOCATOR.allocations_of_this_thread();
        predictor.predict(x.slice(s![..rows, ..])).unwrap();
        ALLOCATOR.allocations_of_this_thread() - before
    };
    assert!(count(8) > 0, "the counter works");
    assert_eq!([8, 8, 3, 3, 1, 8].map(count), [0; 6], "fewer rows need no more memory");
}

#[test]
fn states_are_carried_until_they_are_reset() {
    // A model for twelve steps at once against one that is given them one at a time.
    let layers = |gru: Gru, lstm: Lstm| {
        let layers = Sequential::new().then(gru.sequences()).then(lstm.sequences());
        layers.then(TimeDistributed(Dense::new(2)))
    };
    let (gru, lstm) = (Gru::new(4), Lstm::new(3));
    let whole = Model::new([12, 2], layers(gru.clone(), lstm.clone()), Seed(5)).unwrap();
    let mut one = Model::new([1, 2], layers(gru.stateful(), lstm.stateful()), Seed(0)).unwrap();
    one.parameters_mut().copy_from_slice(whole.parameters());

    let x = random(3, 24);
    let right = whole.predict(x.view()).unwrap();
    let mut predictor = one.predictor();
    for _ in 0..2 {
        for step in 0..12 {
            let columns = s![.., 2 * step..2 * step + 2];
            let y = predictor.predict(x.slice(columns)).unwrap();
            let far = (&y - &right.slice(columns)).iter().any(|difference| difference.abs() > 1e-6);
            assert!(!far, "step {step}");
        }
        predictor.reset();
    }
    // Without a predictor every call starts from zeros.
    let first = x.slice(s![.., ..2]);
    assert_eq!(one.predict(first).unwrap(), one.predict(first).unwrap());
    assert_eq!(predictor.predict(first).unwrap(), one.predict(first).unwrap());
    assert_ne!(predictor.predict(first).unwrap(), one.predict(first).unwrap());
}

#[test]
fn samples_of_another_size_change_nothing() {
    let model = Model::new([1, 2], Sequential::new().then(Gru::new(4).stateful()), Seed(5)).unwrap();
    let (mut disturbed, mut predictor) = (model.predictor(), model.predictor());
    let x = random(2, 3);
    let good = x.slice(s![.., ..2]);
    for _ in 0..3 {
        let error = disturbed.predict(x.view()).unwrap_err();
        assert_eq!(error, PredictError::Columns { columns: 3, input: [1, 2].into() });
        assert_eq!(error, model.predict(x.view()).unwrap_err());
        assert_eq!(disturbed.predict(good).unwrap(), predictor.predict(good).unwrap());
    }
    assert_eq!(predictor.predict(random(0, 2).view()).unwrap().dim(), (0, 4));
}
