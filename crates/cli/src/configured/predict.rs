//! `chainrule predict`: what a model predicts for files.

use std::error::Error;
use std::io::{self, ErrorKind, Write, stdout};
use std::path::PathBuf;

use chainrule::data::output;
use chainrule_cli::families;
use chainrule_config::{ConfiguredModel, Predictions};
use clap::{Args, ValueEnum};

use crate::output_files::{cannot_write, check_inputs};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The model, as `chainrule train` saves it.
    model: PathBuf,
    /// Data of the form of those of the training, without targets: a file such as CSV or Parquet, a picture or a directory of pictures, or a file of images
    /// as those of MNIST.
    data: PathBuf,
    /// Write the predictions to this file, .csv or .json [default: the standard output].
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How they are written [default: json for a file that ends so, else csv].
    #[arg(long, value_enum)]
    format: Option<PredictionFormat>,
}

/// How predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PredictionFormat {
    /// a line for each, after a header
    Csv,
    /// a list of objects
    Json,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { model, data, out, format } = arguments;
    let by_name = out.as_ref().and_then(|path| path.extension()).filter(|ending| *ending == "json");
    let default = if by_name.is_some() { PredictionFormat::Json } else { PredictionFormat::Csv };
    let format = format.unwrap_or(default);
    if let Some(path) = out {
        output::check(path).map_err(|error| cannot_write(path, &error))?;
        check_inputs(&[("out", Some(path))], &[model, data])?;
    }
    let registry = families::registry();
    let predictions = ConfiguredModel::load(model, registry)?.predict(data, registry)?;
    match out {
        Some(path) => output::write(path, |file| write(&predictions, format, file))
            .map_err(|error| cannot_write(path, &error))?,
        None => match write(&predictions, format, &mut stdout().lock()) {
            // A reader that is gone has read what it wanted.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => written.map_err(|error| format!("cannot write to standard output: {error}"))?,
        },
    }
    Ok(())
}

fn write(predictions: &Predictions, format: PredictionFormat, out: &mut dyn Write) -> io::Result<()> {
    match format {
        PredictionFormat::Csv => predictions.write_csv(out)?,
        PredictionFormat::Json => predictions.write_json(out)?,
    }
    out.flush()
}
