//! `chainrule init`: a configuration for data that it looks at.

use std::error::Error;
use std::path::{Path, PathBuf};

use chainrule_cli::{families, terminal};
use chainrule_config::{Configuration, configuration_for};
use clap::Args;

use super::{check_is_new, for_shell, write_text};
use crate::output_files::check_inputs;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A file such as CSV or Parquet, a directory with a folder of pictures for each class, or a directory with the files of MNIST, of a data set like it, or of CIFAR.
    data: PathBuf,
    /// The configuration [default: the name of the data, with .toml].
    #[arg(short, long, value_name = "CONFIG")]
    out: Option<PathBuf>,
    /// The column of a table that is to be predicted; given several times, each is an output of its own [default: one that is called target,
    /// class or label, or the last].
    #[arg(long, value_name = "COLUMN")]
    target: Vec<String>,
    /// Replace a configuration that exists.
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { data, out, target, force } = arguments;
    let out = match out {
        Some(out) => out.clone(),
        None => default_name(data)?,
    };
    check_inputs(&[("out", Some(&out))], &[data])?;
    if !force {
        check_is_new(&out, "give another name with --out, or --force to replace it")?;
    }
    // Paths in it are relative to its directory.
    let directory = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = match (data.canonicalize(), directory.canonicalize()) {
        (Ok(data), Ok(directory)) => data.strip_prefix(&directory).unwrap_or(&data).to_owned(),
        _ => data.clone(),
    };
    let text = configuration_for(data, &written, target)?;
    // What it writes has to be right.
    Configuration::from_text(&out.display().to_string(), &text, &[""; 0], families::registry())?;
    write_text(&out, &text)?;
    terminal::print(format_args!("written to  {}", out.display()))?;
    terminal::note(format_args!("look through it, then train: chainrule train {}", for_shell(&out)));
    Ok(())
}

/// The configuration of `flats.csv` is `flats.toml`, here.
fn default_name(data: &Path) -> Result<PathBuf, String> {
    let absolute = data.canonicalize();
    let path = absolute.as_deref().unwrap_or(data);
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    let name = name.ok_or_else(|| {
        format!("{} has no name: give that of the configuration with --out", data.display())
    })?;
    let name = Path::new(name);
    // That of `flats.csv.gz` is `flats.csv`.
    let name = if name.extension().is_some_and(|ending| ending == "csv") {
        name.with_extension("")
    } else {
        name.to_owned()
    };
    Ok(PathBuf::from(format!("{}.toml", name.display())))
}
