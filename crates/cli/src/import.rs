//! `chainrule import`: the weights of another library, or a graph, to a model file.

use std::error::Error;
use std::path::PathBuf;

use chainrule::core::Description;
use chainrule::interop::{Loaded, Loading, OnnxModel, Rename};
use chainrule::tensor::{Seed, Shape};
use chainrule::train::Model;
use chainrule_cli::terminal;
use clap::Args;

use crate::output_files::check_source;
use crate::weight_file::{Format, NamesOf};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The file to read: `.safetensors`, `.npz`, `.pt`, `.pth`, `.weights.h5` or `.onnx`.
    file: PathBuf,
    /// The model file to write.
    model: PathBuf,
    /// The format, if the name of the file does not say it.
    #[arg(long)]
    format: Option<Format>,
    /// The layers, such as "flatten then dense(64) then relu then dense(10)"; a graph has its own.
    #[arg(long)]
    layers: Option<String>,
    /// The shape of a sample, such as 28,28.
    #[arg(long, value_delimiter = ',')]
    input: Vec<usize>,
    /// The names and layouts of the tensors.
    #[arg(long, default_value = "pytorch")]
    names: NamesOf,
    /// Take only the tensors whose names begin with this and a dot, and leave that out: `model` of a checkpoint.
    #[arg(long)]
    within: Option<String>,
    /// Change names, such as "encoder.*=0.*"; may be given several times, and the first that matches counts.
    #[arg(long, value_name = "PATTERN=NAME")]
    rename: Vec<String>,
    /// Leave out what does not match, and say what that was.
    #[arg(long)]
    lenient: bool,
    /// The seed of parameters that the file does not have.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { file, model: path, format, layers, input, .. } = arguments;
    let format = Format::of(*format, file)?;
    check_source(path, file)?;
    let model: Model<f32> = match (format, layers) {
        (Format::Onnx, None) => OnnxModel::read(file)?.model()?,
        (Format::Onnx, Some(_)) => return Err("a graph has its own layers: leave out --layers".into()),
        (_, None) => return Err("the file has weights alone: give the layers by --layers and --input".into()),
        (_, Some(layers)) => {
            let description: Description = layers.parse()?;
            let input = Shape::new(input).ok_or("a sample has at most 6 axes")?;
            weights(arguments, format, Model::from_description(input, &description, Seed(arguments.seed))?)?
        }
    };
    model.save(path)?;
    let parameters = model.parameters().len();
    terminal::print_about(path, format_args!("layers      {}", model.describe()))?;
    Ok(terminal::print_about(path, format_args!("written to  {}, {parameters} parameters", path.display()))?)
}

/// The model with the weights of the file.
fn weights(
    arguments: &Arguments,
    format: Format,
    mut model: Model<f32>,
) -> Result<Model<f32>, Box<dyn Error>> {
    let mut dict = format.read(&arguments.file)?;
    if let Some(prefix) = &arguments.within {
        dict = dict.within(prefix);
    }
    let mut loading = Loading::new(arguments.names.within(format)).rounded();
    if arguments.lenient {
        loading = loading.lenient();
    }
    for rename in &arguments.rename {
        let wrong = || format!("--rename takes PATTERN=NAME, not {rename:?}");
        let (pattern, name) = rename.split_once('=').ok_or_else(wrong)?;
        loading = loading.rename(Rename::new(pattern, name)?);
    }
    let Loaded { missing, surplus, .. } = loading.load(&dict, &mut model)?;
    for (what, names) in [("not in the file", missing), ("left out", surplus)] {
        if !names.is_empty() {
            terminal::note(format_args!("{what}: {}", names.join(", ")));
        }
    }
    Ok(model)
}
