//! The commands that train what a configuration describes, and use the models that come of it.

pub(crate) mod evaluate;
pub(crate) mod init;
pub(crate) mod predict;
mod report;
pub(crate) mod resume;
mod run;
mod score_table;
pub(crate) mod summary;
pub(crate) mod train;

use std::path::Path;

use crate::output_files::cannot_write;

/// Writes a text to a file whole, or not at all.
fn write_text(path: &Path, text: &str) -> Result<(), String> {
    let written = chainrule::data::output::write(path, |file| file.write_all(text.as_bytes()));
    written.map_err(|error| cannot_write(path, &error))
}

/// A path for a shell.
pub(crate) fn for_shell(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}
