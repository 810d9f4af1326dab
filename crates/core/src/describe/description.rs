//! What a thing is, as a name and settings.

use std::fmt::Debug;

use super::names::same_name;
use super::value::Value;

/// The name of `a then b`, whose settings are its parts.
pub(crate) const CHAIN: &str = "then";

/// What a thing is: its name and its settings, from which a [`Registry`](super::Registry) can build it.
///
/// `Display` writes the text form, which `FromStr` reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The name, such as `adam`, perhaps with that of a preset: `adam.keras`.
    pub name: String,
    /// The settings in order. One that is given by its position alone has no name.
    pub settings: Vec<(String, Value)>,
}

impl Description {
    /// Of this name, without settings.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), settings: Vec::new() }
    }

    /// The same with one more setting.
    #[must_use]
    pub fn with(mut self, setting: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.push((setting.into(), value.into()));
        self
    }

    /// The parts one after the other: `a then b`.
    pub fn chain(parts: impl IntoIterator<Item = Self>) -> Self {
        let settings = parts.into_iter().map(|part| (String::new(), part.into())).collect();
        Self { name: CHAIN.to_owned(), settings }
    }

    /// The parts of a chain; of anything else itself.
    pub fn parts(&self) -> Vec<Self> {
        if self.name != CHAIN {
            return vec![self.clone()];
        }
        self.settings.iter().filter_map(|(_, part)| part.to_description()).collect()
    }

    /// The value of a setting that is given by this name.
    pub fn get(&self, setting: &str) -> Option<&Value> {
        let mut settings = self.settings.iter();
        settings.find(|(name, _)| same_name(name, setting)).map(|(_, value)| value)
    }

    /// That of a thing without an entry: the name of its type, as `Debug` prints it. It cannot be built.
    pub fn of_debug<D: Debug + ?Sized>(thing: &D) -> Self {
        let text = format!("{thing:?}");
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        Self::new(if end == 0 { "unnamed" } else { &text[..end] })
    }
}
