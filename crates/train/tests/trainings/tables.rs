//! Gradients of tables: a list of the rows that a batch uses gives the same result as the whole gradient.

use chainrule_core::Sequential;
use chainrule_data::Rows;
use chainrule_layers::{Dense, Embedding, EmbeddingBag, Flatten, Tanh};
use chainrule_losses::CrossEntropy;
use chainrule_optim::{ClipByGlobalNorm, UpdateRule, adam, sgd};
use chainrule_tensor::Seed;
use chainrule_train::{Model, Trainer};
use ndarray::Array2;

const VOCABULARY: usize = 500;

/// Sentences of four ids. Small ids are frequent, and none is above 400.
fn sentences(count: usize) -> Rows<f32, u8> {
    let mut rng = Seed(1).rng();
    let id = |u: f64| (400.0 * u * u * u).floor() as f32;
    let x = Array2::from_shape_simple_fn((count, 4), || id(rng.uniform()));
    let targets = x.rows().into_iter().map(|x| (x.sum() as usize % 3) as u8).collect();
    Rows::new(x, targets).unwrap()
}

fn words(sparse: bool) -> Embedding {
    let words = Embedding::new(VOCABULARY, 6).padding_index(1);
    if sparse { words.sparse() } else { words }
}

fn bag(sparse: bool) -> EmbeddingBag {
    let bag = EmbeddingBag::new(VOCABULARY, 6);
    if sparse { bag.sparse() } else { bag }
}

fn network(sparse: bool) -> Sequential<f32> {
    let layers = Sequential::new().then(words(sparse)).then(Flatten).then(Dense::new(32));
    layers.then(Tanh).then(Dense::new(3))
}

fn train(
    layers: Sequential<f32>,
    optimizer: impl UpdateRule<f32> + 'static,
    shards: usize,
    threads: usize,
) -> Model<f32> {
    let model = Model::new([4], layers, Seed(2)).unwrap();
    let mut trainer = Trainer::new(model, CrossEntropy::default(), optimizer).batch_size(64);
    trainer = trainer.shards(shards).threads(threads);
    // The last batch is so short that it leaves some shards empty.
    trainer.fit(&sentences(64 * 5 + 3), 3).unwrap();
    trainer.into_model()
}

/// Asserts that both have the same bits, whatever the layers are called.
fn assert_same(a: &Model<f32>, b: &Model<f32>, what: &str) {
    let bits = |model: &Model<f32>| model.parameters().iter().map(|p| p.to_bits()).collect::<Vec<_>>();
    assert!(a.parameters().iter().all(|p| p.is_finite()), "{what}");
    assert_eq!(bits(a), bits(b), "{what}");
}

#[test]
fn a_list_gives_the_bits_of_the_whole_gradient() {
    for shards in [1, 2, 5] {
        let dense = train(network(false), sgd(0.3), shards, 1);
        assert_ne!(dense.parameters(), Model::new([4], network(false), Seed(2)).unwrap().parameters());
        assert_same(&train(network(true), sgd(0.3), shards, 1), &dense, "an embedding");
        let layers = |sparse| Sequential::new().then(bag(sparse)).then(Dense::new(3));
        let dense = train(layers(false), sgd(0.3), shards, 1);
        assert_same(&train(layers(true), sgd(0.3), shards, 1), &dense, "a bag");
        let alone =
            |sparse| Sequential::new().then(EmbeddingBag::new(VOCABULARY, 3)).then(Tanh).then(bag_of(sparse));
        let dense = train(alone(false), sgd(0.3), shards, 1);
        assert_same(&train(alone(true), sgd(0.3), shards, 1), &dense, "a table after others");
    }
}

/// A bag for values in ±1, which count as ids where they are not checked.
fn bag_of(sparse: bool) -> EmbeddingBag {
    let bag = EmbeddingBag::new(2, 3).sum();
    if sparse { bag.sparse() } else { bag }
}

#[test]
fn threads_are_no_part_of_the_result() {
    // Wide enough to be worth a second thread.
    let layers = || network(true).then(Dense::new(600)).then(Tanh).then(Dense::new(3));
    for shards in [2, 3, 7] {
        let one = train(layers(), adam(1e-2), shards, 1);
        for threads in [2, 3] {
            assert_same(&train(layers(), adam(1e-2), shards, threads), &one, "threads");
        }
    }
}

#[test]
fn whole_gradients_where_they_are_needed() {
    let clipped = || (ClipByGlobalNorm(0.5), adam(1e-2));
    let dense = train(network(false), clipped(), 2, 2);
    assert_same(&train(network(true), clipped(), 2, 2), &dense, "clipped");
    let dense = train(network(false), adam(1e-2), 2, 2);
    let nested = Sequential::new().then(network(true)).then(Tanh).then(Dense::new(3));
    let right = Sequential::new().then(network(false)).then(Tanh).then(Dense::new(3));
    assert_same(&train(nested, adam(1e-2), 2, 2), &train(right, adam(1e-2), 2, 2), "inside another layer");
    assert_ne!(train(network(true), adam(1e-2), 2, 2).parameters(), dense.parameters());
}

#[test]
fn rows_that_no_batch_uses_do_not_change() {
    let first = Model::new([4], network(true), Seed(2)).unwrap();
    for optimizer in [Box::new(adam(1e-2)) as Box<dyn UpdateRule<f32>>, Box::new(sgd(0.1).weight_decay(0.1))]
    {
        let model = train(network(true), optimizer, 2, 2);
        let (table, start) = (model.parameter("0.weight").unwrap(), first.parameter("0.weight").unwrap());
        // No id is above 400, and 1 is padding.
        assert_eq!(table[400 * 6..], start[400 * 6..]);
        assert_eq!(table[6..12], [0.0; 6]);
        assert_ne!(table[..6], start[..6]);
    }
}
