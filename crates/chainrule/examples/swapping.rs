//! Every part is a value: `cargo run --release -p chainrule --example swapping`.

use chainrule::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(warning) = chainrule::tensor::blas::use_best_kernel() {
        eprintln!("warning: {warning}");
    }
    let (train, test) = (digits(6_000, Seed(1)), digits(1_000, Seed(2)));
    #[rustfmt::skip]
    let layers = Sequential::new()
        .then(Flatten)
        .then(Dense::new(32).weight_init(HeNormal)).then(Tanh)
        .then(Dense::new(10));
    let schedule = WarmUp::new(50).then(0.1);
    let optimizer = (ClipByGlobalNorm(1.0), sgd(schedule).momentum(0.9).nesterov());
    let model = Model::new([28, 28], layers, Seed(0))?;
    let mut trainer = Trainer::new(model, MeanSquaredError, optimizer).batch_size(64).threads(2);
    let history = trainer.fit(&train, Fit::epochs(5).validation(&test))?;
    for epoch in &history.epochs {
        let validation =
            epoch.validation.as_ref().map_or(String::new(), |scores| format!("; validation {scores}"));
        println!("epoch {}: {}{validation}", epoch.epoch + 1, epoch.train);
    }
    trainer.save("training.chainrule")?; // `.resume("training.chainrule")?` continues with the same bits
    Ok(())
}
