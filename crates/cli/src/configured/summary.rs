//! `chainrule summary`: the layers of a model, or of a configuration for its data.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use chainrule::train::Model;
use chainrule_cli::{families, terminal};
use chainrule_config::{ConfiguredModel, PredictedOutput, PredictedTargets};
use clap::Args;

use super::read_configuration;

/// The beginning of the files of models.
const MAGIC: &[u8; 8] = b"chainrul";

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The file of a model, or a configuration, whose data are read for the shape of their samples.
    file: PathBuf,
    /// Change a key of the configuration, such as model.layers.0.units=128; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { file, set } = arguments;
    let registry = families::registry();
    if !is_model(file)? {
        let configuration = read_configuration(file, set)?;
        let data = configuration.load_data(registry)?;
        let [train, validation, test] = data.counts();
        let model = configuration.model(registry, data.shape())?;
        terminal::print(model.summary())?;
        terminal::print(format_args!("\n{}", words(&data.predicts)))?;
        terminal::print(format_args!(
            "samples     {train} for training, {validation} for validation, {test} for the test"
        ))?;
        return Ok(());
    }
    if !set.is_empty() {
        return Err("--set changes a configuration, and this is a model: give the configuration".into());
    }
    let model = Model::<f32>::load_with(file, registry)?;
    terminal::print(model.summary())?;
    // Models of other programs say nothing more.
    if model.notes().is_empty() {
        return Ok(());
    }
    let configured = ConfiguredModel::load(file, registry)?;
    terminal::print(format_args!("\n{}", words(&configured.predicts)))?;
    if let Some(preparation) = &configured.preparation {
        let columns: Vec<&str> =
            preparation.groups().iter().flat_map(|group| group.columns()).map(String::as_str).collect();
        terminal::print(format_args!("from        {}", columns.join(", ")))?;
    }
    let configuration = &configured.configuration;
    if let Some(loss) = &configuration.loss {
        terminal::print(format_args!("loss        {}", loss.value))?;
    }
    for output in &configuration.outputs {
        let (name, loss, weight) = (&output.name.value, &output.loss.value, output.weight);
        terminal::print(format_args!("loss        of {name}: {loss}, which counts {weight}"))?;
    }
    terminal::print(format_args!("optimizer   {}", configuration.optimizer.value))?;
    Ok(())
}

fn is_model(path: &Path) -> Result<bool, String> {
    let mut start = [0; MAGIC.len()];
    let mut file = File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(file.read_exact(&mut start).is_ok() && start == *MAGIC)
}

fn words(predicts: &PredictedTargets) -> String {
    let names = predicts.names.join(", ");
    if !predicts.outputs.is_empty() {
        let output = |PredictedOutput { name, classes }: &PredictedOutput| match classes {
            Some(classes) => format!("{name} ({})", classes.join(", ")),
            None => name.clone(),
        };
        let outputs: Vec<String> = predicts.outputs.iter().map(output).collect();
        return format!("predicts    {}", outputs.join(", "));
    }
    match &predicts.classes {
        Some(classes) => format!("predicts    {names}: {}", classes.join(", ")),
        None if predicts.labels => format!("predicts    {names}: yes or no"),
        None => format!("predicts    {names}"),
    }
}
