//! The commands that train what a configuration describes, and use the models that come of it.

pub(crate) mod evaluate;
mod halving;
pub(crate) mod init;
pub(crate) mod predict;
pub(crate) mod resume;
mod run;
mod seeds;
mod several;
pub(crate) mod summary;
pub(crate) mod sweep;
pub(crate) mod train;

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;

use chainrule_cli::families;
use chainrule_config::{ConfigError, Configuration};

use crate::output_files::cannot_write;

/// An error if there is a file already, which somebody may have changed; `else_` is what to do.
pub(crate) fn check_is_new(path: &Path, else_: &str) -> Result<(), String> {
    if !path.is_file() {
        return Ok(());
    }
    Err(format!("{} exists already: {else_}", path.display()))
}

/// Reads a configuration. Where data are given in its place, the error says what writes one for them.
pub(crate) fn read_configuration<C: AsRef<str>>(
    path: &Path,
    set: &[C],
) -> Result<Configuration, Box<dyn Error>> {
    let (name, given) = (path.display(), for_shell(path));
    if path.is_dir() {
        return Err(format!(
            "{name} is a directory, not a configuration: `chainrule init {given}` writes one for data"
        )
        .into());
    }
    let is_toml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let init = format!("if these are data, `chainrule init {given}` writes a configuration for them");
    Configuration::read(path, set, families::registry()).map_err(|error| match &error {
        ConfigError::Syntax { .. } if !is_toml => format!("{error}; {init}").into(),
        ConfigError::Io { source, .. } if source.kind() == ErrorKind::InvalidData => {
            format!("{name} is not a text, as a configuration is: {init}").into()
        }
        _ => error.into(),
    })
}

/// Writes a text to a file whole, or not at all.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), String> {
    let written = chainrule::data::output::write(path, |file| file.write_all(text.as_bytes()));
    written.map_err(|error| cannot_write(path, &error))
}

/// A path for a shell.
pub(crate) fn for_shell(path: &Path) -> String {
    quoted_for_shell(&path.display().to_string())
}

/// A text for a shell, in quotation marks where it needs them.
fn quoted_for_shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
