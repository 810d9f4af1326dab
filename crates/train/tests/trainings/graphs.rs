//! Graphs, branches and frozen layers in a training.

use chainrule_core::{Branches, Frozen, Graph, Lambda, Sequential};
use chainrule_data::{Rows, digits};
use chainrule_layers::{Add, BatchNorm, Concat, Dense, Dropout, Flatten, Relu, Subtract, Tanh};
use chainrule_losses::{CrossEntropy, MeanSquaredError};
use chainrule_optim::{ClipByGlobalNorm, UpdateRule, adam, adamw};
use chainrule_tensor::Seed;
use chainrule_train::{Model, Trainer};
use ndarray::Array2;

#[test]
fn a_siamese_network_learns() {
    // The squared distance of two points, which a rotation does not change.
    let mut rng = Seed(2).rng();
    let x = Array2::from_shape_simple_fn((400, 4), || rng.normal());
    let distance = |x: ndarray::ArrayView1<'_, f64>| [(x[0] - x[2]).powi(2) + (x[1] - x[3]).powi(2)];
    let targets: Vec<[f64; 1]> = x.rows().into_iter().map(distance).collect();
    let data = Rows::new(x, targets).unwrap();
    let graph = Graph::default()
        .input("left", [2])
        .input("right", [2])
        .layer("tower", Dense::new(6), "left")
        .shared("twin", "tower", ["right"])
        .merge("difference", Subtract, ["tower", "twin"])
        .layer("squares", Lambda::new("square", |z: f64| z * z, |z, _| 2.0 * z), "difference")
        .layer("sum", Dense::new(1), "squares")
        .outputs(["sum"]);
    let model = Model::new([4], Sequential::default().then(graph), Seed(0)).unwrap();
    assert_eq!(model.parameters().len(), 2 * 6 + 6 + 6 + 1);
    assert!(model.parameter("0.tower.weight").is_some() && model.parameter("0.twin.weight").is_none());
    let mut trainer = Trainer::new(model, MeanSquaredError, adam(0.01)).batch_size(20);
    let before = trainer.evaluate(&data).unwrap().loss;
    trainer.fit(&data, 60).unwrap();
    let after = trainer.evaluate(&data).unwrap().loss;
    assert!(before > 5.0 && after < 0.01, "{before} {after}");
}

#[test]
fn a_graph_learns_and_does_not_depend_on_threads() {
    let data = digits(400, Seed(1));
    let run = |threads| {
        let inception = Branches::new(Concat::default())
            .branch(Sequential::new().then(Dense::new(20)).then(Tanh))
            .branch(Dense::new(30));
        let graph = Graph::new()
            .layer("flat", Flatten, "input")
            .layer("wide", inception, "flat")
            .layer("normed", BatchNorm::new(), "wide")
            .layer(
                "deep",
                Sequential::new().then(Dense::new(50)).then(Relu).then(Dropout::new(0.2)),
                "normed",
            )
            .merge("sum", Add, ["deep", "normed"])
            .layer("scores", Dense::new(10), "sum")
            .outputs(["scores"]);
        let model = Model::new([28, 28], Sequential::new().then(graph), Seed(0)).unwrap();
        let optimizer = (ClipByGlobalNorm(1.0), adam(1e-3));
        let mut trainer =
            Trainer::new(model, CrossEntropy::default(), optimizer).batch_size(48).shards(3).threads(threads);
        let before = trainer.evaluate(&data).unwrap().loss;
        trainer.fit(&data, 5).unwrap();
        let after = trainer.evaluate(&data).unwrap().loss;
        assert!(after < 0.5 * before, "{before} {after}");
        trainer.model().parameters_sha256()
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn frozen_parameters_stay_as_they_are() {
    fn run<O: UpdateRule<f32> + 'static>(shards: usize, optimizer: O) {
        let data = digits(200, Seed(1));
        let inner = Sequential::new().then(Dense::new(40)).then(BatchNorm::new()).then(Dropout::new(0.5));
        let layers =
            Sequential::new().then(Flatten).then(Dense::new(30)).then(Frozen(inner)).then(Dense::new(10));
        let model = Model::new([28, 28], layers, Seed(0)).unwrap();
        let start = model.clone();
        let mut trainer =
            Trainer::new(model, CrossEntropy::default(), optimizer).batch_size(48).shards(shards);
        trainer.fit(&data, 2).unwrap();
        let model = trainer.into_model();
        for entry in model.plan().entries() {
            let same = start.parameter(&entry.name) == model.parameter(&entry.name);
            assert_eq!(same, entry.name.starts_with("2.frozen."), "{} {shards} shards", entry.name);
        }
    }
    for shards in [1, 2, 3] {
        run(shards, adamw(1e-2));
        run(shards, (ClipByGlobalNorm(0.01), adamw(1e-2)));
    }
}
