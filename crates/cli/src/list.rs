//! `chainrule list`: everything that can be named, from the entries of the types.

use std::error::Error;
use std::fmt::{self, Write};

use chainrule::core::{Entry, Preset, Range, Setting};
use chainrule_cli::families::{Family, families, family};
use chainrule_cli::{tables, terminal};
use clap::Args;
use serde_json::{Map, Value, json};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// What to list: layers, activations, initializers, losses, metrics, optimizers, schedules, transforms or augmentations [default: how many of each there
    /// are].
    kind: Option<String>,
    /// The name of one of them, to see everything about it.
    name: Option<String>,
    /// Print a list of objects, as JSON.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print tables for the documentation, in Markdown.
    #[arg(long)]
    markdown: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { kind, name, json, markdown } = arguments;
    let Some(kind) = kind else {
        let all = families();
        let text = match (json, markdown) {
            (true, _) => pretty(
                &all.iter().map(|family| (family.names.to_owned(), objects(&family.entries))).collect(),
            ),
            (_, true) => tables::page(&all),
            _ => counts(&all),
        };
        return Ok(terminal::print(text.trim_end())?);
    };
    let family = family(kind)?;
    let entries = match name {
        Some(name) => vec![family.entry(name)?],
        None => family.entries,
    };
    let text = if *json {
        serde_json::to_string_pretty(&objects(&entries))?
    } else if *markdown {
        tables::table(&entries)
    } else if name.is_some() {
        entries.iter().map(|entry| Whole(entry).to_string()).collect()
    } else {
        entries.iter().map(|entry| Short(entry).to_string()).collect()
    };
    Ok(terminal::print(text.trim_end())?)
}

fn pretty(object: &Map<String, Value>) -> String {
    // A value has only keys that are texts, so that it can be written.
    serde_json::to_string_pretty(object).unwrap_or_default()
}

/// How many there are of each kind.
fn counts(all: &[Family]) -> String {
    let mut text = String::new();
    for Family { names, entries, .. } in all {
        let _ = writeln!(text, "{names:14} {:3}", entries.len());
    }
    text += "\n`chainrule list optimizers` lists those of a kind, `chainrule list optimizers adam` describes one.";
    text
}

/// The entries as objects.
fn objects(entries: &[&Entry]) -> Value {
    entries.iter().map(|entry| object(entry)).collect()
}

fn object(entry: &Entry) -> Value {
    let Entry { title, name, aliases, summary, formula, source, settings, presets } = entry;
    let setting = |setting: &Setting| {
        let Setting { name, aliases, default, range, summary } = setting;
        json!({
            "name": name,
            "aliases": aliases,
            "default": default,
            "range": range.words(),
            "summary": summary,
        })
    };
    let preset = |preset: &Preset| {
        let settings = preset.settings.iter().map(|(name, default)| ((*name).to_owned(), json!(default)));
        (preset.name.to_owned(), Value::Object(settings.collect()))
    };
    json!({
        "name": name,
        "type": title,
        "aliases": aliases,
        "summary": summary,
        "formula": formula,
        "source": source,
        "settings": settings.iter().map(setting).collect::<Vec<_>>(),
        "presets": presets.iter().map(preset).collect::<Map<_, _>>(),
    })
}

/// The name, what it is, its settings with their defaults, and the formula.
struct Short<'a>(&'a Entry);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { name, summary, formula, settings, .. } = self.0;
        writeln!(f, "{name:24} {summary}")?;
        let settings: Vec<String> = settings.iter().map(tables::with_default).collect();
        for line in [settings.join(", "), (*formula).to_owned()] {
            if !line.is_empty() {
                writeln!(f, "{:24} {line}", "")?;
            }
        }
        Ok(())
    }
}

/// All that an entry says.
struct Whole<'a>(&'a Entry);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { name, aliases, summary, formula, source, settings, presets, .. } = self.0;
        writeln!(f, "{name}: {summary}")?;
        for (word, text) in [
            ("also", &aliases.join(", ")),
            ("formula", &(*formula).to_owned()),
            ("source", &(*source).to_owned()),
        ] {
            if !text.is_empty() {
                writeln!(f, "  {word:8} {text}")?;
            }
        }
        for setting in *settings {
            let Setting { aliases, range, summary, .. } = setting;
            writeln!(f, "\n  {}", tables::with_default(setting))?;
            writeln!(f, "      {summary}")?;
            if *range != Range::ANY {
                writeln!(f, "      It must be {}.", range.words())?;
            }
            if !aliases.is_empty() {
                writeln!(f, "      Also: {}", aliases.join(", "))?;
            }
        }
        for Preset { name: preset, settings } in *presets {
            let settings: Vec<String> =
                settings.iter().map(|(setting, default)| format!("{setting}={default}")).collect();
            writeln!(f, "\n  {name}.{preset}: {}", settings.join(", "))?;
        }
        Ok(())
    }
}
