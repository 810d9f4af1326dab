//! Configurations for data that have been looked at.

mod image_files;
mod network;
mod pictures;
mod table;
mod text;

use std::path::Path;

use chainrule::data::Images;
use chainrule::data::cifar::is_cifar;
use chainrule::data::idx::is_idx;

use crate::error::ConfigError;

/// A configuration for data, as a text with comments: a network, a loss and metrics that suit them.
///
/// The data are a file such as CSV, a directory with a folder of pictures for each class, or one with the four files of MNIST or of a data
/// set like it, or with those of CIFAR; `written` is their path as the configuration is to have it, relative to its directory. Of a table, `targets` are the columns
/// to be predicted, each an output of its own if there are several; without any, it is the one that is called target, class or
/// label, or the last.
///
/// # Errors
///
/// [`ConfigError`] if there are no such data, or nothing could be learnt from them.
pub fn configuration_for<C: AsRef<str>>(
    data: impl AsRef<Path>,
    written: &Path,
    targets: &[C],
) -> Result<String, ConfigError> {
    let data = data.as_ref();
    if !data.is_dir() {
        let targets: Vec<&str> = targets.iter().map(AsRef::as_ref).collect();
        return table::text(data, written, &targets);
    }
    if let Some(target) = targets.first() {
        let problem = format!(
            "a directory has no column {:?}: leave out the target, or give the file of a table",
            target.as_ref()
        );
        return Err(ConfigError::Data { path: data.to_owned(), problem });
    }
    if is_idx(data) {
        Ok(image_files::text("idx", Images::idx(data)?, data, written))
    } else if is_cifar(data) {
        Ok(image_files::text("cifar", Images::cifar(data)?, data, written))
    } else {
        pictures::text(data, written)
    }
}
