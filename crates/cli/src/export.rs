//! `chainrule export`: a model to a file of another library.

use std::error::Error;
use std::path::PathBuf;

use chainrule::interop::{Dtype, OnnxExport, StateDict};
use chainrule::tensor::Real;
use chainrule::train::Model;
use chainrule_cli::terminal;
use clap::{Args, ValueEnum};

use crate::weight_file::{Format, NamesOf, is_double};

/// The type of the numbers in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Number {
    F16,
    Bf16,
    F32,
    F64,
}

impl From<Number> for Dtype {
    fn from(number: Number) -> Self {
        match number {
            Number::F16 => Self::F16,
            Number::Bf16 => Self::Bf16,
            Number::F32 => Self::F32,
            Number::F64 => Self::F64,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The model file, or a checkpoint.
    model: PathBuf,
    /// The file to write: `.safetensors`, `.npz` or `.onnx`.
    file: PathBuf,
    /// The format, if the name of the file does not say it.
    #[arg(long)]
    format: Option<Format>,
    /// The names and layouts of the tensors.
    #[arg(long, default_value = "pytorch")]
    names: NamesOf,
    /// The type that numbers are rounded to; by default that of the model.
    #[arg(long)]
    dtype: Option<Number>,
    /// Whether a graph ends with a softmax; by default as the model does.
    #[arg(long, value_name = "BOOL")]
    softmax: Option<bool>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if is_double(&arguments.model)? { export::<f64>(arguments) } else { export::<f32>(arguments) }
}

fn export<T: Real>(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { model, file, format, names, dtype, softmax } = arguments;
    let format = Format::of(*format, file)?;
    if format == Format::Pytorch {
        return Err(
            "PyTorch's own files are pickles, which are not written: write .safetensors, and load it with \
                    safetensors.torch.load_file"
                .into(),
        );
    }
    let model = Model::<T>::load(model)?;
    if format == Format::Onnx {
        if dtype.is_some() {
            return Err("a graph is in single precision: leave out --dtype".into());
        }
        let export = softmax.map_or(OnnxExport::new(), |softmax| OnnxExport::new().softmax(softmax));
        export.write(&model, file)?;
        return Ok(terminal::print_about(file, format_args!("written to  {}", file.display()))?);
    }
    if softmax.is_some() {
        return Err("only a graph has layers: leave out --softmax, or write .onnx".into());
    }
    let dict = StateDict::of(&model, (*names).into());
    let dict = dtype.map_or_else(|| dict.clone(), |dtype| dict.to_dtype(dtype.into()));
    match format {
        Format::Npz => dict.write_npz(file)?,
        _ => dict.write_safetensors(file)?,
    }
    let tensors = dict.len();
    Ok(terminal::print_about(file, format_args!("written to  {}, {tensors} tensors", file.display()))?)
}
