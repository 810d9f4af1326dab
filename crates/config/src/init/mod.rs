//! Configurations for data that have been looked at.

mod idx;
mod network;
mod pictures;
mod table;
mod text;

use std::path::Path;

use chainrule::data::idx::is_idx;

use crate::error::ConfigError;

/// A configuration for data, as a text with comments: a network, a loss and metrics that suit them.
///
/// The data are a file such as CSV, a directory with a folder of pictures for each class, or one with the four files of MNIST or of a data
/// set like it; `written` is their path as the configuration is to have it, relative to its directory. Of a table, `target` is the column
/// to be predicted; without it, the column is one that is called so, or the last.
///
/// # Errors
///
/// [`ConfigError`] if there are no such data, or nothing could be learnt from them.
pub fn configuration_for(
    data: impl AsRef<Path>,
    written: &Path,
    target: Option<&str>,
) -> Result<String, ConfigError> {
    let data = data.as_ref();
    if !data.is_dir() {
        return table::text(data, written, target);
    }
    if let Some(target) = target {
        let problem = format!(
            "a directory has no column {target:?}: leave out the target, or give the file of a table"
        );
        return Err(ConfigError::Data { path: data.to_owned(), problem });
    }
    if is_idx(data) { idx::text(data, written) } else { pictures::text(data, written) }
}
