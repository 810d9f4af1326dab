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

use std::path::Path;

use crate::output_files::cannot_write;

/// An error if there is a file already, which somebody may have changed; `else_` is what to do.
pub(crate) fn check_is_new(path: &Path, else_: &str) -> Result<(), String> {
    if !path.is_file() {
        return Ok(());
    }
    Err(format!("{} exists already: {else_}", path.display()))
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
