//! The network of the README, on the bundled digits: `cargo run --release -p chainrule --example tutorial`.

use chainrule::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(warning) = chainrule::tensor::blas::use_best_kernel() {
        eprintln!("warning: {warning}");
    }
    let (train, test) = (digits(6_000, Seed(1)), digits(1_000, Seed(2))); // or Images::mnist("directory")?
    #[rustfmt::skip]
    let layers = Sequential::new()
        .then(Flatten)
        .then(Dense::new(64)).then(Relu)
        .then(Dense::new(64)).then(Relu)
        .then(Dense::new(10)); // logits: the loss contains the softmax
    let model = Model::new([28, 28], layers, Seed(0))?;
    println!("{}", model.summary());
    let mut trainer = Trainer::new(model, CrossEntropy, adam(1e-3)).metric(Accuracy);
    trainer.fit(&train, 5)?;
    println!("{}", trainer.evaluate(&test)?);
    trainer.into_model().save("digits.chainrule")?;
    Ok(())
}
