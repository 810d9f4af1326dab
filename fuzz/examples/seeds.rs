//! Writes the seeds of the targets that read model files, for the current version of the format:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use chainrule_core::Sequential;
use chainrule_fuzz::models::{data, model, trainer};
use chainrule_tensor::Seed;
use chainrule_train::{Event, Model};

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
    let data = data();
    let mut whole_epoch = trainer("log.csv").note("arguments", "--seed 3");
    whole_epoch.fit(&data, 1)?;
    whole_epoch.save(whole.join("checkpoint"))?;
    keep("checkpoint")?;
    let mut stopped = trainer("log.csv").callback(|event: &Event<'_>| match event {
        Event::Step { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    stopped.fit(&data, 2)?;
    stopped.save(whole.join("position"))?;
    keep("position")?;
    for name in ["checkpoint", "position"] {
        fs::copy(sealed.join(name), seeds.join("resume").join(name))?;
    }
    Ok(())
}
