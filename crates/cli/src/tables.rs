//! The tables of the documentation, from the entries of the types.

use std::fmt::Write;

use chainrule::core::{Entry, Preset, Setting};

use crate::families::Family;

/// The page docs/names.md.
pub fn page(all: &[Family]) -> String {
    let mut page = String::from(
        "# Names\n\n\
         Everything that has a name, in texts such as `adam(lr=0.01)`, in files and on the command line. Names are compared without \
         case, `_`, `-` and spaces. A setting stands with its default; one without `=` has to be given. `NAME.keras` is NAME with the \
         defaults of Keras, where they differ. `chainrule list KIND NAME` says more: what each setting is, and what it may be.\n\n\
         This page is written by `chainrule list --markdown`, and a test compares it.\n",
    );
    for Family { names, entries, .. } in all {
        let title: String =
            names.chars().take(1).flat_map(char::to_uppercase).chain(names.chars().skip(1)).collect();
        let _ = write!(page, "\n## {title}\n\n{}", table(entries));
    }
    page
}

/// A table of entries.
pub fn table(entries: &[&Entry]) -> String {
    let mut table = String::from("| name | what it is | settings | also |\n|---|---|---|---|\n");
    for Entry { name, aliases, summary, formula, source, settings, presets, .. } in entries.iter().copied() {
        let mut what = (*summary).to_owned();
        if !formula.is_empty() {
            let _ = write!(what, "<br>`{formula}`");
        }
        if !source.is_empty() {
            let _ = write!(what, "<br>{source}");
        }
        let settings: Vec<String> = settings.iter().map(with_default).collect();
        let presets = presets.iter().map(|Preset { name: preset, .. }| format!("`{name}.{preset}`"));
        let also: Vec<String> = aliases.iter().map(|alias| format!("`{alias}`")).chain(presets).collect();
        let settings = if settings.is_empty() { String::new() } else { format!("`{}`", settings.join(", ")) };
        let cells = [format!("`{name}`"), what, settings, also.join(", ")];
        let _ = writeln!(table, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    table
}

/// A setting as in the text form, with its default.
pub fn with_default(Setting { name, default, .. }: &Setting) -> String {
    match default {
        Some(default) => format!("{name}={default}"),
        None => (*name).to_owned(),
    }
}
