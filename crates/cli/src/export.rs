//! `chainrule export`: a model to a file of another library, or to source.

use std::error::Error;
use std::path::PathBuf;

use chainrule::interop::{Dtype, OnnxExport, StateDict};
use chainrule::train::Model;
use chainrule_cli::terminal;
use clap::{Args, ValueEnum};

use crate::export_source;
use crate::output_files::check_source;
use crate::weight_file::{Format, NamesOf, is_double, write_keras};

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
    /// The file to write: `.safetensors`, `.npz`, `.weights.h5`, `.onnx`, `.rs`, `.c` or `.py`; by default the name of the model with the ending of
    /// the format.
    file: Option<PathBuf>,
    /// The format, if the name of the file does not say it.
    #[arg(long, visible_alias = "as")]
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
    /// Round the weights of source to 8 bits, calibrated by these samples: the name of a data set in the form of MNIST, or a file `.npz` or `.safetensors` with one
    /// array.
    #[arg(long, value_name = "SAMPLES")]
    quantize: Option<String>,
}

impl Arguments {
    /// The format, and the file to write.
    fn target(&self) -> Result<(Format, PathBuf), Box<dyn Error>> {
        let ending = |format| match format {
            Format::Safetensors => "safetensors",
            Format::Npz => "npz",
            Format::Keras => "weights.h5",
            Format::Onnx => "onnx",
            Format::Rust => "rs",
            Format::C => "c",
            Format::Pytorch | Format::Python => "py",
        };
        let file = match (&self.file, self.format) {
            (Some(file), _) => file.clone(),
            (None, Some(format)) => self.model.with_extension(ending(format)),
            (None, None) => return Err("give the file to write, or the format by --as".into()),
        };
        let format = Format::of(self.format, &file)?;
        let is_python = file.extension().is_some_and(|ending| ending == "py");
        Ok(match format {
            Format::Pytorch if is_python => (Format::Python, file),
            format => (format, file),
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { model, names, dtype, softmax, quantize, .. } = arguments;
    let (format, file) = arguments.target()?;
    check_source(&file, model)?;
    if format == Format::Pytorch {
        return Err(
            "PyTorch's own files are pickles, which are not written: write .safetensors, and load it with \
                    safetensors.torch.load_file"
                .into(),
        );
    }
    if is_double(model)? {
        terminal::note(format_args!(
            "note: {} is in double precision, and what is written in single; a program with `StateDict` keeps it",
            model.display()
        ));
    }
    // One element type alone: the layers of both would take the compiler twice as long.
    let model = Model::<f32>::load_converted(model)?;
    let is_source = matches!(format, Format::Rust | Format::C);
    if quantize.is_some() && !is_source {
        return Err("only source has weights of 8 bits: leave out --quantize, or write .rs or .c".into());
    }
    if is_source || format == Format::Python {
        if dtype.is_some() || softmax.is_some() {
            return Err("source is in single precision and has the layers of the model: leave out --dtype and --softmax".into());
        }
        return match format {
            Format::Python => export_source::python(&model, &file),
            format => export_source::source(&model, &file, format, quantize.as_deref()),
        };
    }
    if format == Format::Onnx {
        if dtype.is_some() {
            return Err("a graph is in single precision: leave out --dtype".into());
        }
        let export = softmax.map_or(OnnxExport::new(), |softmax| OnnxExport::new().softmax(softmax));
        export.write(&model, &file)?;
        return Ok(terminal::print_about(&file, format_args!("written to  {}", file.display()))?);
    }
    if softmax.is_some() {
        return Err("only a graph has layers: leave out --softmax, or write .onnx".into());
    }
    let dict = StateDict::of(&model, names.within(format));
    let dict = dtype.map_or_else(|| dict.clone(), |dtype| dict.to_dtype(dtype.into()));
    match format {
        Format::Npz => dict.write_npz(&file)?,
        Format::Keras => write_keras(&dict, &file)?,
        _ => dict.write_safetensors(&file)?,
    }
    let tensors = dict.len();
    Ok(terminal::print_about(&file, format_args!("written to  {}, {tensors} tensors", file.display()))?)
}
