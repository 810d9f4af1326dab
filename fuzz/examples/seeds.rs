//! Writes the seeds of the targets that read model files, for the current version of the format:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::error::Error;
use std::fs;
use std::path::Path;

use chainrule_core::Sequential;
use chainrule_data::Rows;
use chainrule_fuzz::model;
use chainrule_losses::CrossEntropy;
use chainrule_optim::adam;
use chainrule_tensor::Seed;
use chainrule_train::{Model, Trainer};

/// The length of the header.
const HEADER: usize = 52;

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let [whole, sealed] = ["model", "sealed_model"].map(|target| seeds.join(target));
    let keep = |name: &str| {
        let file = fs::read(whole.join(name))?;
        fs::write(sealed.join(name), &file[HEADER..])
    };
    model().save(whole.join("model"))?;
    keep("model")?;
    Model::<f64>::new([2], Sequential::default(), Seed(0))?.save(whole.join("empty"))?;
    keep("empty")?;
    let data = Rows::new(ndarray::array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], vec![0u8, 1])?;
    let mut trainer = Trainer::new(model(), CrossEntropy::default(), adam(0.01)).batch_size(1);
    trainer.fit(&data, 1)?;
    trainer.save(whole.join("checkpoint"))?;
    keep("checkpoint")?;
    Ok(())
}
