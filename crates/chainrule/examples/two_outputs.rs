//! Two inputs and two outputs: of two pictures of digits, their sum, and which of them is larger.
//!
//! `cargo run --release --example two_outputs`

use std::sync::Arc;

use chainrule::losses::SeveralOutputs;
use chainrule::metrics::{MeanAbsoluteError, OfOutput};
use chainrule::prelude::*;
use chainrule::tensor::OutputTarget;

/// Pairs of pictures, one after the other in a sample. Their sum is a value, and which one is larger is a class.
struct Pairs {
    digits: Images,
    partners: Vec<usize>,
}

impl Pairs {
    fn new(count: usize, seed: Seed) -> Self {
        let mut rng = seed.child(1).rng();
        Self { digits: digits(count, seed), partners: (0..count).map(|_| rng.below(count)).collect() }
    }
}

impl Dataset for Pairs {
    type Target = Arc<[OutputTarget<f32>]>;

    fn len(&self) -> usize {
        self.partners.len()
    }

    fn shape(&self) -> Shape {
        Shape::from([2, 28, 28])
    }
}

impl Samples<f32> for Pairs {
    fn read(&self, index: usize, row: &mut [f32]) -> Self::Target {
        let (left, right) = row.split_at_mut(28 * 28);
        let [left, right] =
            [(index, left), (self.partners[index], right)].map(|(index, row)| self.digits.read(index, row));
        let larger = [right < left, left < right].iter().position(|&is| is).unwrap_or(2);
        [OutputTarget::values([f32::from(left + right)]), OutputTarget::Class(larger as u32)].into()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (train, test) = (Pairs::new(8_000, Seed(1)), Pairs::new(1_000, Seed(2)));
    // Both pictures go through the same layers, with the same weights.
    let tower = Sequential::new().then(Dense::new(64)).then(Relu).then(Dense::new(32)).then(Relu);
    let graph = Graph::new()
        .input("left", [28 * 28])
        .input("right", [28 * 28])
        .layer("of left", tower, "left")
        .shared("of right", "of left", ["right"])
        .merge("both", Concat::axis(0), ["of left", "of right"])
        .layer("hidden", Sequential::new().then(Dense::new(32)).then(Relu), "both")
        .layer("sum", Dense::new(1), "hidden")
        .layer("larger", Dense::new(3), "hidden")
        .outputs(["sum", "larger"]);
    let model = Model::new([2, 28, 28], Sequential::new().then(Flatten).then(graph), Seed(0))?;
    println!("{}", model.summary());

    // The loss of the classes counts half.
    let loss =
        SeveralOutputs::new().output("sum", 1, MeanSquaredError).weighted("larger", 3, 0.5, CrossEntropy);
    let [sum, larger] = ["sum", "larger"].map(|name| loss.columns(name).expect("the loss has these outputs"));
    let mut trainer = Trainer::new(model, loss, adam(Cosine::new(0.003)))
        .metric_as("sum is missed by", OfOutput::new(0, sum, MeanAbsoluteError))
        .metric_as("larger accuracy", OfOutput::new(1, larger, Accuracy));
    trainer.fit(&train, 20)?;
    let scores = trainer.evaluate(&test)?;
    println!("{scores}");
    assert!(scores.metric("larger accuracy") > Some(0.8), "{scores}");
    assert!(scores.metric("sum is missed by") < Some(1.0), "{scores}");
    Ok(())
}
