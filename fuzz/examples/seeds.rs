//! Writes the seeds of the targets that read model files and preparations, for the current version of the formats:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use chainrule_core::Sequential;
use chainrule_fuzz::models::{data, model, trainer};
use chainrule_tables::transform::{Impute, MinMax, Ordinal};
use chainrule_tables::{ColumnRoles, TableReader};
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
    preparations(&seeds.join("preparation"))
}

/// Those of tables, with each kind of transform.
fn preparations(seeds: &Path) -> Result<(), Box<dyn Error>> {
    let path = seeds.join("table");
    fs::write(&path, "a,b,c,d\n1,x,2020-01-02,yes\n2.5,y,,no\n-3,x,1999-12-31,yes\n7,z,2021-05-06,no\n")?;
    let table = TableReader::new(&path).read();
    fs::remove_file(path)?;
    let table = table?;
    let plain = ColumnRoles::new().target("d").fit(&table)?;
    fs::write(seeds.join("plain"), plain.to_string())?;
    let other = ColumnRoles::new()
        .target("a")
        .ignore(["d"])
        .categories(Ordinal::default())
        .dates(Impute::median().then(MinMax::default()))
        .fit(&table)?;
    fs::write(seeds.join("other"), other.to_string())?;
    Ok(())
}
