//! `chainrule data list`: the data sets that can be downloaded.

use std::error::Error;
use std::io;

use chainrule::data::{Format, Manifest, locate};
use chainrule_cli::terminal;
use clap::Args;
use serde_json::json;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Print a list of objects, as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let manifests = Manifest::all()?;
    if arguments.json {
        let list: Vec<_> = manifests.iter().map(object).collect();
        return Ok(terminal::print(serde_json::to_string_pretty(&list)?)?);
    }
    let width = manifests.iter().map(|manifest| manifest.name.len()).max().unwrap_or(0);
    for manifest in &manifests {
        let place = if is_here(manifest) { "here" } else { "" };
        print(manifest, width, place)?;
    }
    Ok(())
}

fn print(manifest: &Manifest, width: usize, place: &str) -> io::Result<()> {
    let Manifest { name, title, .. } = manifest;
    let size = match bytes(manifest) {
        small @ ..1_000_000 => format!("{:.1} kB", small as f64 / 1e3),
        large => format!("{:.1} MB", large as f64 / 1e6),
    };
    terminal::print(format_args!("{name:width$}  {size:>8}  {place:4}  {title}"))
}

fn object(manifest: &Manifest) -> serde_json::Value {
    let Manifest { name, title, homepage, licence, citation, format, classes, .. } = manifest;
    json!({
        "name": name,
        "title": title,
        "format": format.name(),
        "pictures": *format != Format::Table,
        "classes": classes,
        "bytes": bytes(manifest),
        "here": is_here(manifest),
        "homepage": homepage,
        "licence": licence,
        "citation": citation,
    })
}

/// How much is downloaded.
fn bytes(manifest: &Manifest) -> u64 {
    manifest.files.iter().map(|file| file.size).sum()
}

/// Whether its files are where a training would look for them.
fn is_here(manifest: &Manifest) -> bool {
    locate::locate(&manifest.name, None, |place| manifest.is_complete(place)).is_ok()
}
