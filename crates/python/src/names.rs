//! What has a name.

use chainrule::core::Entry;
use chainrule_config::families;
use pyo3::prelude::*;

use crate::error::{IntoException, value_error};

pub(crate) use chainrule_config::families::registry;

/// The names of a kind: layers, activations, merges, initializers, losses, metrics, optimizers, schedules or transforms.
#[pyfunction]
pub(crate) fn list(kind: &str) -> PyResult<Vec<&'static str>> {
    let family = families::family(kind).map_err(value_error)?;
    Ok(family.entries.iter().map(|entry| entry.name).collect())
}

/// What a thing is: its settings with their defaults, and its formula.
#[pyfunction]
pub(crate) fn describe(kind: &str, name: &str) -> PyResult<String> {
    let family = families::family(kind).map_err(value_error)?;
    let Entry { name, summary, formula, source, settings, .. } =
        family.entry(name).map_err(IntoException::exception)?;
    let mut text = format!("{name}: {summary}");
    for (word, line) in [("formula", formula), ("source", source)] {
        if !line.is_empty() {
            text += &format!("\n  {word}: {line}");
        }
    }
    for setting in *settings {
        let default = setting.default.map_or_else(String::new, |default| format!("={default}"));
        text += &format!("\n  {}{default}: {}", setting.name, setting.summary);
    }
    Ok(text)
}
