//! The entry of a type: everything that is said about it.

use std::iter;

use super::description::{Description, Value};
use super::names::same_name;
use super::range::Range;
use crate::settings::SettingError;

/// Everything that is said about a type: the one place that its texts, files, options and documentation come from.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The type, as Rust names it and as errors of its settings begin.
    pub title: &'static str,
    /// The name in the text form, in snake case.
    pub name: &'static str,
    /// Other names, such as those of Keras and PyTorch.
    pub aliases: &'static [&'static str],
    /// One line of documentation.
    pub summary: &'static str,
    /// The formula; empty where there is none.
    pub formula: &'static str,
    /// Where that is from: a paper, or the convention of another library.
    pub source: &'static str,
    /// The settings, in the order in which they may be given without their names.
    pub settings: &'static [Setting],
    /// Other sets of defaults.
    pub presets: &'static [Preset],
}

impl Entry {
    /// The name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Whether users call it so.
    pub fn is_named(&self, name: &str) -> bool {
        self.names().any(|known| same_name(known, name))
    }

    /// Whether a setting has a name that files use for something else: `name` for that of the thing, `then` for a chain.
    pub(crate) const fn has_reserved_setting(&self) -> bool {
        let mut index = 0;
        while index < self.settings.len() {
            if matches!(self.settings[index].name.as_bytes(), b"name" | b"then") {
                return true;
            }
            index += 1;
        }
        false
    }

    /// The description of a thing with this entry, of the values of its settings in their order.
    pub fn description(&self, values: impl IntoIterator<Item = Value>) -> Description {
        let names = self.settings.iter().map(|setting| setting.name.to_owned());
        Description { name: self.name.to_owned(), settings: names.zip(values).collect() }
    }

    /// Checks the numbers among the values of the settings, in their order, against the ranges.
    pub(crate) fn check_ranges(&self, values: Vec<Value>) -> Result<(), SettingError> {
        for (setting, value) in self.settings.iter().zip(values) {
            let Setting { name, range, .. } = setting;
            if let Some(value) = first_outside(range, &value) {
                return Err(SettingError::Range {
                    owner: self.title,
                    setting: name,
                    value,
                    allowed: range.words(),
                });
            }
        }
        Ok(())
    }

    /// The values of the settings of a thing with this entry, in their order, from its description; nothing for those that
    /// it leaves out.
    pub fn values_of(&self, description: &Description) -> Vec<Value> {
        let value = |setting: &Setting| description.get(setting.name).cloned().unwrap_or(Value::None);
        self.settings.iter().map(value).collect()
    }

    /// The index of the setting that users call so.
    pub fn setting(&self, name: &str) -> Option<usize> {
        self.settings.iter().position(|setting| setting.is_named(name))
    }
}

/// A setting of a type.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// The default in the text form; `None` if the setting has to be given.
    pub default: Option<&'static str>,
    /// What its numbers may be.
    pub range: Range,
    /// One line of documentation.
    pub summary: &'static str,
}

impl Setting {
    /// The name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Whether users call it so.
    pub fn is_named(&self, name: &str) -> bool {
        self.names().any(|known| same_name(known, name))
    }
}

/// Another set of defaults, such as those of Keras.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name: `adam.keras` is `adam` with the preset `keras`.
    pub name: &'static str,
    /// The settings whose defaults differ, and those in the text form.
    pub settings: &'static [(&'static str, &'static str)],
}

/// The first number of a value, or of a list, that is not in the range.
pub(crate) fn first_outside(range: &Range, value: &Value) -> Option<f64> {
    match value {
        Value::List(values) => values.iter().find_map(|value| first_outside(range, value)),
        // A number within a thing is a setting of that.
        Value::Described(_) => None,
        value => value.as_f64().filter(|&value| !range.contains(value)),
    }
}
