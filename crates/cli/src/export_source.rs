//! `chainrule export`: a model as source.

use std::error::Error;
use std::path::Path;

use chainrule::interop::{Language, SourceExport, TorchExport};
use chainrule::prelude::*;
use chainrule::tensor::Real;
use chainrule_cli::dataset::{self, DatasetName};
use chainrule_cli::terminal;

use crate::weight_file::Format;

/// How many images of a data set say how large values become.
const CALIBRATION: usize = 500;

/// As one file of Rust or C.
pub(crate) fn source<T: Real>(
    model: &Model<T>,
    file: &Path,
    format: Format,
    samples: Option<&str>,
) -> Result<(), Box<dyn Error>> {
    let language = if format == Format::Rust { Language::Rust } else { Language::C };
    let samples = samples.map(calibration).transpose()?;
    let mut export = SourceExport::new(language).name(name(file));
    if let Some(samples) = &samples {
        export = export.quantized(samples);
    }
    let written = export.write(model, file)?;
    terminal::print(format_args!("weights     {} bytes", written.weight_bytes))?;
    terminal::print(format_args!("memory      {} bytes", written.memory_bytes))?;
    Ok(terminal::print(format_args!("written to  {}", file.display()))?)
}

/// As a module of PyTorch, with its weights beside it.
pub(crate) fn python<T: Real>(model: &Model<T>, file: &Path) -> Result<(), Box<dyn Error>> {
    let weights = TorchExport::new().write(model, file)?;
    terminal::print(format_args!("weights in  {}", weights.display()))?;
    Ok(terminal::print(format_args!("written to  {}", file.display()))?)
}

/// A name in Rust and C like that of a file.
fn name(file: &Path) -> String {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("model");
    let word: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if word.starts_with(|c: char| c.is_ascii_alphabetic()) { word } else { format!("model_{word}") }
}

/// The samples of a data set or of a file, one after the other.
fn calibration(samples: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    if let Some(chosen) = DatasetName::named(samples) {
        let train = dataset::find(Some(&chosen), None)?.train;
        let size = train.shape().size();
        let mut values = vec![0.0; size * CALIBRATION.min(train.len())];
        for (index, row) in values.chunks_mut(size).enumerate() {
            Samples::<f32>::read(&train, index, row);
        }
        return Ok(values);
    }
    let path = Path::new(samples);
    let dict = Format::of(None, path)?.read(path)?;
    let arrays: Vec<_> = dict.iter().collect();
    let [(_, array)] = arrays[..] else {
        return Err(format!("{samples} has {} arrays instead of one, the samples", arrays.len()).into());
    };
    let values = array.values().ok_or_else(|| format!("the array in {samples} has no numbers"))?;
    Ok(values.map(|value| value as f32).collect())
}
