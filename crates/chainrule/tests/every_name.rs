//! Everything that has a name trains for one epoch, built from its name; `-- --nocapture` prints the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use chainrule::core::{
    AnyLayer, AnyMerge, Description, DescriptionError, Entry, Initializer, Kind, Registry, Value,
};
use chainrule::data::ClassTargets;
use chainrule::data::augment::AnyAugmentation;
use chainrule::layers::activations::AnyActivation;
use chainrule::prelude::*;
use chainrule::tensor::ClassTarget;

/// Values that are tried, one after the other, for settings without a default.
const VALUES: [&str; 13] = [
    "1",
    "0.5",
    "2",
    "3",
    "[1, 2]",
    "[0.1, 0.01]",
    "[2, 1]",
    "sgd",
    "adam",
    "relu",
    "\"*.weight\"",
    "0.1",
    "cross_entropy",
];

/// Things whose settings depend on each other.
const GIVEN: [&str; 2] = [
    "piecewise_constant(boundaries=[2, 4], values=[0.1, 0.05, 0.01])",
    "sequential(schedules=[warm_up(2), cosine], milestones=[3])",
];

/// A thing of each entry of a kind, with defaults where there are, else with the first values of the list with which it can be
/// built.
fn all<K: Kind>(registry: &Registry) -> Vec<(Description, K)> {
    registry.entries::<K>().map(|entry| one::<K>(registry, entry)).collect()
}

fn one<K: Kind>(registry: &Registry, entry: &Entry) -> (Description, K) {
    let given = GIVEN.iter().map(|text| text.parse::<Description>().unwrap());
    if let Some(given) = given.into_iter().find(|given| given.name == entry.name) {
        let thing = registry.build(&given).unwrap();
        return (given, thing);
    }
    let required: Vec<&str> = entry
        .settings
        .iter()
        .filter(|setting| setting.default.is_none())
        .map(|setting| setting.name)
        .collect();
    let mut last = None;
    for choice in 0..VALUES.len().pow(required.len() as u32) {
        let mut description = Description::new(entry.name);
        let mut rest = choice;
        for name in &required {
            let value: Value = VALUES[rest % VALUES.len()].parse().unwrap();
            description = description.with(*name, value);
            rest /= VALUES.len();
        }
        match registry.build(&description) {
            Ok(thing) => return (description, thing),
            Err(error) => last = Some(error),
        }
    }
    let error: DescriptionError = last.unwrap();
    panic!("{} {} cannot be built with any values: {error}", K::KIND, entry.name)
}

fn with_activation(activation: AnyLayer<f32>, init: Arc<dyn Initializer>) -> Sequential<f32> {
    let hidden = Dense::keras(16).weight_init(init);
    let layers = Sequential::new().then(Flatten).then(hidden);
    // One that acts on the channels of images is given images.
    let of_images = Sequential::new().then(Reshape::new([4, 2, 2])).then(activation.clone()).then(Flatten);
    let takes_vectors = Model::new([16], Sequential::new().then(activation.clone()), Seed(0)).is_ok();
    let layers = if takes_vectors { layers.then(activation) } else { layers.then(of_images) };
    layers.then(Dense::new(10))
}

fn layers() -> Sequential<f32> {
    with_activation(AnyLayer::new(Relu), Arc::new(GlorotUniform))
}

/// What a training came to: the loss before and after, and the metrics.
fn train(
    layers: Sequential<f32>,
    loss: Box<dyn Loss<f32, ClassTarget<f32>>>,
    optimizer: Box<dyn UpdateRule<f32>>,
    metric: Option<Box<dyn Measure<f32, ClassTarget<f32>>>>,
) -> Result<Trained, TrainError> {
    let data = ClassTargets::with_classes(digits(96, Seed(3)), 10);
    let model = Model::new([28, 28], layers, Seed(4)).unwrap();
    let before = model.parameters().to_vec();
    let mut trainer = Trainer::new(model, loss, optimizer).batch_size(16).metric(Accuracy::default());
    if let Some(metric) = metric {
        trainer = trainer.metric(metric);
    }
    let history = trainer.fit(&data, 1)?;
    let after = trainer.evaluate(&data)?;
    let parameters = trainer.model().parameters();
    assert!(parameters.iter().all(|p| p.is_finite()));
    let moved = parameters.iter().zip(&before).any(|(p, before)| p != before);
    Ok(Trained { loss: history.epochs[0].train.loss, after: after.loss, moved })
}

struct Trained {
    loss: f64,
    after: f64,
    moved: bool,
}

/// Prints a row of the table.
fn row(kind: &str, name: &Description, trained: &Trained) {
    println!("{kind:12} {:60} loss {:.4}, then {:.4}", name.to_string(), trained.loss, trained.after);
}

fn check(kind: &str, name: &Description, trained: Result<Trained, TrainError>) {
    let trained = trained.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    assert!(trained.loss.is_finite() && trained.after.is_finite(), "{kind} {name}");
    assert!(trained.moved, "{kind} {name}: the training changed nothing");
    row(kind, name, &trained);
}

fn sgd_rule() -> Box<dyn UpdateRule<f32>> {
    Box::new(sgd(0.05))
}

#[test]
fn every_optimizer() {
    let registry = chainrule::registry();
    let all: Vec<(Description, Box<dyn UpdateRule<f32>>)> = all(&registry);
    for (name, optimizer) in all {
        let alone = train(layers(), Box::new(CrossEntropy::default()), optimizer, None);
        let alone = alone.unwrap_or_else(|error| panic!("{name}: {error}"));
        if alone.moved {
            check("optimizer", &name, Ok(alone));
            continue;
        }
        // A stage, for the optimizer after it.
        let chain = Description::chain([name, Description::new("sgd").with("lr", 0.05)]);
        let optimizer = registry.build(&chain).unwrap();
        check("stage", &chain, train(layers(), Box::new(CrossEntropy::default()), optimizer, None));
    }
}

#[test]
fn every_schedule() {
    let registry = chainrule::registry();
    for (name, _) in all::<Arc<dyn Schedule>>(&registry) {
        // It takes the rate that it leaves out from the optimizer, and the length from the run.
        let name = Description::new("sgd").with("lr", name);
        let optimizer = registry.build(&name).unwrap();
        check("schedule", &name, train(layers(), Box::new(CrossEntropy::default()), optimizer, None));
    }
}

#[test]
fn every_activation() {
    let registry = chainrule::registry();
    for (name, activation) in all::<AnyActivation<f32>>(&registry) {
        let layers = with_activation(activation.into_layer(), Arc::new(GlorotUniform));
        check("activation", &name, train(layers, Box::new(CrossEntropy::default()), sgd_rule(), None));
    }
}

#[test]
fn every_loss_of_classes() {
    let registry = chainrule::registry();
    let mut refused = Vec::new();
    for (name, loss) in all::<Box<dyn Loss<f32, ClassTarget<f32>>>>(&registry) {
        match train(layers(), loss, sgd_rule(), None) {
            // A loss of something else than classes says so.
            Err(error) => refused.push(format!("{name}: {error}")),
            trained => check("loss", &name, trained),
        }
    }
    println!("refused:\n{}", refused.join("\n"));
    assert!(refused.len() < 15, "{refused:#?}");
}

#[test]
fn every_metric_of_classes() {
    let registry = chainrule::registry();
    let mut refused = Vec::new();
    for (name, metric) in all::<Box<dyn Measure<f32, ClassTarget<f32>>>>(&registry) {
        match train(layers(), Box::new(CrossEntropy::default()), sgd_rule(), Some(metric)) {
            Err(error) => refused.push(format!("{name}: {error}")),
            trained => check("metric", &name, trained),
        }
    }
    println!("refused:\n{}", refused.join("\n"));
    assert!(refused.len() < 30, "{refused:#?}");
}

#[test]
fn every_initializer() {
    let registry = chainrule::registry();
    for (name, init) in all::<Arc<dyn Initializer>>(&registry) {
        let layers = with_activation(AnyLayer::new(Relu), init);
        check("initializer", &name, train(layers, Box::new(CrossEntropy::default()), sgd_rule(), None));
    }
}

#[test]
fn no_two_things_of_a_kind_share_a_name() {
    let registry = chainrule::registry();
    unique(registry.entries::<AnyLayer<f32>>());
    unique(registry.entries::<AnyActivation<f32>>());
    unique(registry.entries::<AnyMerge<f32>>());
    unique(registry.entries::<Arc<dyn Initializer>>());
    unique(registry.entries::<Box<dyn Loss<f32, ClassTarget<f32>>>>());
    unique(registry.entries::<Box<dyn Measure<f32, ClassTarget<f32>>>>());
    unique(registry.entries::<Box<dyn UpdateRule<f32>>>());
    unique(registry.entries::<Arc<dyn Schedule>>());
    unique(registry.entries::<AnyAugmentation>());
}

fn unique(entries: impl Iterator<Item = &'static Entry>) {
    let mut owners = BTreeMap::new();
    for (index, entry) in entries.enumerate() {
        for name in entry.names() {
            let plain: String =
                name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
            let (other, owner) = *owners.entry(plain).or_insert((index, entry.name));
            assert_eq!(index, other, "{} and {owner} are both called {name}", entry.name);
        }
    }
}
