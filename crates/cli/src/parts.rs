//! The parts of a training, from the texts that describe them.

use chainrule::core::{Description, DescriptionError, Kind};
use chainrule_cli::families::registry;

/// The width of a line of help.
const WIDTH: usize = 92;

/// Reads a description, and checks that the thing can be built.
///
/// # Errors
///
/// If the text is none, or there is nothing of this kind that has that name or these settings.
pub(crate) fn read<K: Kind>(text: &str) -> Result<Description, DescriptionError> {
    let description: Description = text.parse()?;
    registry().build::<K>(&description)?;
    Ok(description)
}

/// The help of an option that takes a description: what it is, and all names.
pub(crate) fn help<K: Kind>(what: &str) -> String {
    let names = registry().entries::<K>().map(|entry| entry.name).collect();
    with_names(what, K::KINDS, names)
}

fn with_names(what: &str, kinds: &str, names: Vec<&str>) -> String {
    let mut text = format!("{what}\n\n`chainrule list {kinds}` says what these are:");
    let mut width = WIDTH;
    for name in names {
        width += name.len() + 2;
        if width > WIDTH {
            text += "\n";
            width = name.len() + 2;
        } else {
            text += " ";
        }
        text += name;
        text += ",";
    }
    text.truncate(text.len() - 1);
    text
}
