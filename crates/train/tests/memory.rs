//! A training takes the bytes that the model estimates.

use chainrule_core::{Branches, Frozen, Graph, Sequential};
use chainrule_data::{Rows, Samples, Subset, digits};
use chainrule_layers::{Add, Dense, Flatten, Relu};
use chainrule_losses::CrossEntropy;
use chainrule_optim::{ClipByGlobalNorm, Optimizer, Update, UpdateRule, adam, kfac, sgd};
use chainrule_tensor::{CountingAllocator, Real, Seed, each};
use chainrule_train::{Model, Trainer};
use ndarray::Array2;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// Sign descent, which states no bound, so that each step is taken on copies.
#[derive(Clone, Debug)]
struct Unbounded;

impl Optimizer for Unbounded {
    fn slots(&self) -> usize {
        1
    }
}

impl<T: Real> UpdateRule<T> for Unbounded {
    fn update(&self, update: Update<'_, T>) {
        let rate = T::of(1e-3);
        let (p, grads, [m]) = update.split();
        each!([p, m] = |g: grads| [p - rate * g.signum(), m + g]);
    }
}

/// Compares the bytes allocated from before the model was made until after an epoch with the model's estimate.
fn check<O: UpdateRule<f32> + Clone + 'static>(
    name: &str,
    layers: Sequential<f32>,
    optimizer: O,
    data: &impl Samples<f32, Target = u8>,
    [batch, shards]: [usize; 2],
) {
    let before = ALLOCATOR.live();
    let model = Model::new(data.shape(), layers, Seed(0)).unwrap();
    let estimated = model.training_bytes(batch, shards, &optimizer);
    let mut trainer = Trainer::new(model, CrossEntropy::default(), optimizer)
        .batch_size(batch)
        .shards(shards)
        .threads(shards);
    trainer.fit(data, 1).unwrap();
    let taken = (ALLOCATOR.live() - before) as f64;
    let ratio = estimated.total() as f64 / taken;
    println!("{name}: {estimated:?} estimated, {taken} taken: {ratio:.3}");
    assert!((0.85..1.15).contains(&ratio), "{name}: {estimated:?} estimated, {taken} taken: {ratio:.3}");
}

#[test]
fn trainings_take_what_was_estimated() {
    // Where parameters take most of it. With 2 shards the first product is split by columns.
    let digits = digits(256, Seed(1));
    let network = || {
        let layers = Sequential::new().then(Flatten).then(Dense::new(256)).then(Relu);
        layers.then(Dense::new(128)).then(Relu).then(Dense::new(10))
    };
    check("parameters", network(), adam(1e-3), &digits, [64, 1]);
    check("shards", network(), adam(1e-3), &digits, [64, 2]);
    check("clipped", network(), (ClipByGlobalNorm(1.0), sgd(0.1)), &digits, [64, 2]);
    check("copies", network(), Unbounded, &digits, [64, 1]);
    // Rows so long that a bucket of 16 has several times the parameters of others.
    let wide =
        Sequential::new().then(Flatten).then(Dense::new(16)).then(Dense::new(4096)).then(Dense::new(10));
    check("long rows", wide, sgd(0.1), &Subset::new(&digits, (0..32).collect()).unwrap(), [8, 2]);
    let frozen = Sequential::new().then(Flatten).then(Frozen(Dense::new(400))).then(Dense::new(10));
    check("frozen", frozen, sgd(0.1), &digits, [32, 2]);
    let vectors = Rows::new(Array2::<f32>::ones((64, 300)), vec![0; 64]).unwrap();
    let layers = Sequential::new().then(Dense::new(200)).then(Relu).then(Dense::new(10));
    check("second moments", layers, kfac(0.01), &vectors, [64, 2]);

    // Where activations do.
    let data = Rows::new(Array2::<f32>::zeros((4096, 16)), vec![0; 4096]).unwrap();
    let layers = || Sequential::new().then(Dense::new(64)).then(Relu).then(Dense::new(64)).then(Relu);
    check("activations", layers().then(Dense::new(4)), adam(1e-3), &data, [2048, 1]);
    check("activations of shards", layers().then(Dense::new(4)), adam(1e-3), &data, [2048, 2]);
    let graph = Graph::default()
        .layer("a", Dense::new(64), "input")
        .layer("b", layers(), "a")
        .merge("c", Add, ["b", "a", "a"])
        .outputs(["c"]);
    let branches = Branches::new(Add).branch(layers()).branch(Dense::new(64));
    let all = Sequential::new().then(graph).then(branches).then(Dense::new(4));
    check("graphs", all, sgd(0.1), &data, [2048, 1]);
}
