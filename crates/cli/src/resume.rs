//! Going on with a training: its options come from the checkpoint.

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;

use chainrule::train::file;

/// Before the names of options in the notes of a checkpoint.
const PREFIX: &str = "train-mnist ";

/// The options that make a training what it is, and so are in its checkpoint. Those that name files are not, since a checkpoint from
/// elsewhere must not choose what is overwritten.
const OPTIONS: [&str; 16] = [
    "model",
    "epochs",
    "batch-size",
    "hidden",
    "activation",
    "init",
    "loss",
    "optimizer",
    "lr",
    "schedule",
    "metric",
    "seed",
    "shards",
    "portable",
    "distributed",
    "dataset",
];

/// The name and the text of the note for an option; a text is added to the name where an option may be given several times.
pub(crate) fn note(option: &str, value: String) -> (String, String) {
    debug_assert!(OPTIONS.contains(&option.split(' ').next().unwrap_or_default()), "{option}");
    (format!("{PREFIX}{option}"), value)
}

/// The arguments of this program, with those from the checkpoint before the ones that were given, which replace them.
pub(crate) fn arguments(path: &Path, given: Vec<OsString>) -> Result<Vec<OsString>, Box<dyn Error>> {
    let contents = file::newest(path)?.contents;
    let notes = contents.record.map(|record| record.notes).unwrap_or_default();
    let mut is_of_training = false;
    // Options of the program may stand before the name of the command.
    let command = given.iter().position(|word| word == "train-mnist").map_or(2, |at| at + 1);
    let mut arguments: Vec<OsString> = given.iter().take(command).cloned().collect();
    for (name, value) in notes {
        let Some(option) = name.strip_prefix(PREFIX) else { continue };
        let option = option.split(' ').next().unwrap_or_default();
        if !OPTIONS.contains(&option) {
            return Err(format!("{} has an option that no training has: --{option}", path.display()).into());
        }
        is_of_training = true;
        // Those of which there may be several would be added to the given ones.
        if is_among(option, &given) {
            continue;
        }
        arguments.push(match option {
            "portable" | "distributed" => format!("--{option}").into(),
            option => format!("--{option}={value}").into(),
        });
    }
    if !is_of_training {
        let path = path.display();
        return Err(format!(
            "{path} is no checkpoint of `chainrule train-mnist`: give the file that it has named"
        )
        .into());
    }
    arguments.extend(given.into_iter().skip(command));
    Ok(arguments)
}

/// Whether an option is given, as `--option value` or `--option=value`.
fn is_among(option: &str, given: &[OsString]) -> bool {
    given.iter().any(|word| {
        let word = word.to_string_lossy();
        let rest = word.strip_prefix("--").and_then(|word| word.strip_prefix(option));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}
