//! The tutorial's network on the bundled digits: `cargo run --release --example tutorial`.

use chainrule::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(warning) = chainrule::tensor::blas::use_best_kernel() {
        eprintln!("warning: {warning}");
    }
    let (train, test) = (digits(20_000, Seed(1)), digits(2_000, Seed(2)));
    let layers = Sequential::new()
        .then(Flatten)
        .then(Dense::new(64))
        .then(Relu)
        .then(Dense::new(64))
        .then(Relu)
        .then(Dense::new(10));
    let model = Model::new([28, 28], layers, Seed(0))?;
    println!("{}", model.summary());
    let mut trainer = Trainer::new(model, CrossEntropy::default(), adam(1e-3)).metric(Accuracy::default());
    for report in trainer.fit(&train, 3)?.epochs {
        println!("epoch {}: {}", report.epoch + 1, report.train);
    }
    println!("test: {}", trainer.evaluate(&test)?);
    trainer.into_model().save("digits.chainrule")?;
    Ok(())
}
