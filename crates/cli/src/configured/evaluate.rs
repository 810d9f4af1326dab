//! `chainrule evaluate`: how a model does on data.

use std::error::Error;
use std::path::PathBuf;

use chainrule_cli::machine::cores;
use chainrule_cli::{families, terminal};
use chainrule_config::ConfiguredModel;
use clap::Args;

use crate::report::evaluated_json;
use crate::score_table::{confusion_tables, score_table};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The model, as `chainrule train` saves it.
    model: PathBuf,
    /// Data with targets, of the form of those of the training: a file such as CSV or Parquet, a directory with a folder of pictures for each class, or one with
    /// the test images and labels of a data set like MNIST.
    data: PathBuf,
    /// Print an object, as JSON.
    #[arg(long)]
    json: bool,
    /// The number of threads [default: all cores].
    #[arg(long)]
    threads: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { model, data, json, threads } = arguments;
    let registry = families::registry();
    let model = ConfiguredModel::load(model, registry)?;
    let evaluated = model.evaluate(data, registry, threads.unwrap_or_else(cores))?;
    if *json {
        return Ok(terminal::print(serde_json::to_string_pretty(&evaluated_json(&evaluated)?)?)?);
    }
    terminal::print(score_table(&[("data", &evaluated)]))?;
    for confusion in confusion_tables(&evaluated, "data", &model.predicts) {
        terminal::print(format_args!("\n{confusion}"))?;
    }
    Ok(())
}
