//! What a thing is: its name, its settings and their values.

use std::fmt::Debug;

use super::names::same_name;

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

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: `none`.
    None,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Number(f64),
    /// A word, such as `mean`, or a text in quotes. A thing without settings is one as well, its name.
    Text(String),
    /// `[a, b, c]`
    List(Vec<Value>),
    /// A thing with settings.
    Described(Description),
}

impl Value {
    /// As a number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            // JSON has no such numbers.
            Self::Text(text) => match &**text {
                "inf" => Some(f64::INFINITY),
                "-inf" => Some(f64::NEG_INFINITY),
                "nan" => Some(f64::NAN),
                _ => None,
            },
            _ => None,
        }
    }

    /// As a description, if it is one; a text is read in the text form.
    pub fn to_description(&self) -> Option<Description> {
        match self {
            Self::Described(description) => Some(description.clone()),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl From<Description> for Value {
    fn from(description: Description) -> Self {
        let Description { name, settings } = description;
        if settings.is_empty() { Self::Text(name) } else { Self::Described(Description { name, settings }) }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Integer(value as i128)
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl<V: Into<Self>> From<Vec<V>> for Value {
    fn from(values: Vec<V>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<V: Into<Self>, const N: usize> From<[V; N]> for Value {
    fn from(values: [V; N]) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}
