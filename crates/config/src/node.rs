//! The values of a configuration with their places, as TOML has them.

use chainrule::core::{Description, DescriptionError, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::location::Location;

/// The key of the name of a thing.
const NAME: &str = "name";

/// The key of things one after the other.
const THEN: &str = "then";

/// A value and where it is.
#[derive(Clone, Debug)]
pub(crate) struct ConfigNode {
    pub(crate) value: ConfigValue,
    pub(crate) at: Location,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum ConfigValue {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<ConfigNode>),
    Table(Vec<KeyedNode>),
}

/// A key, where it is, and its value.
#[derive(Clone, Debug)]
pub(crate) struct KeyedNode {
    pub(crate) key: String,
    pub(crate) at: Location,
    pub(crate) node: ConfigNode,
}

/// The tree of a TOML document.
pub(crate) fn parse(text: &str, file: &Location) -> Result<ConfigNode, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        at: error.span().map_or_else(|| file.clone(), |span| file.of_byte(text, span.start)),
        message: error.message().trim_end().replace('\n', "; "),
    })?;
    let value = ConfigValue::Table(keyed(table.into_inner(), text, file)?);
    Ok(ConfigNode { value, at: file.clone() })
}

/// The value of a text: what TOML reads, or, if that is nothing, the text itself.
pub(crate) fn parse_value(text: &str, at: &Location) -> Result<ConfigNode, ConfigError> {
    let value = match DeValue::parse(text) {
        Ok(value) => node(value, text, at)?.value,
        Err(_) => ConfigValue::Text(text.to_owned()),
    };
    let mut node = ConfigNode { value, at: at.clone() };
    node.place(at);
    Ok(node)
}

fn keyed(table: DeTable<'_>, text: &str, file: &Location) -> Result<Vec<KeyedNode>, ConfigError> {
    let entry = |(key, value): (Spanned<std::borrow::Cow<'_, str>>, Spanned<DeValue<'_>>)| {
        let at = file.of_byte(text, key.span().start);
        Ok(KeyedNode { key: key.into_inner().into_owned(), at, node: node(value, text, file)? })
    };
    table.into_iter().map(entry).collect()
}

fn node(value: Spanned<DeValue<'_>>, text: &str, file: &Location) -> Result<ConfigNode, ConfigError> {
    let at = file.of_byte(text, value.span().start);
    let wrong = |found: String, allowed: &str| ConfigError::Value {
        at: at.clone(),
        key: "a value".into(),
        found,
        allowed: allowed.into(),
    };
    let value = match value.into_inner() {
        DeValue::String(text) => ConfigValue::Text(text.into_owned()),
        DeValue::Boolean(value) => ConfigValue::Bool(value),
        DeValue::Integer(integer) => {
            let value = i64::from_str_radix(integer.as_str(), integer.radix());
            let allowed = "a whole number of at most 64 bits";
            ConfigValue::Integer(value.map_err(|_| wrong(integer.to_string(), allowed))?)
        }
        DeValue::Float(number) => {
            let value = number.as_str().parse();
            ConfigValue::Number(value.map_err(|_| wrong(number.to_string(), "a number"))?)
        }
        DeValue::Datetime(date) => {
            return Err(wrong(date.to_string(), "in quotes, since a date is a text here"));
        }
        DeValue::Array(values) => {
            let values = values.into_iter().map(|value| node(value, text, file));
            ConfigValue::List(values.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => ConfigValue::Table(keyed(table, text, file)?),
    };
    Ok(ConfigNode { value, at })
}

impl ConfigNode {
    /// Gives this and all within it one place.
    fn place(&mut self, at: &Location) {
        self.at = at.clone();
        match &mut self.value {
            ConfigValue::List(nodes) => nodes.iter_mut().for_each(|node| node.place(at)),
            ConfigValue::Table(entries) => {
                for KeyedNode { at: place, node, .. } in entries {
                    *place = at.clone();
                    node.place(at);
                }
            }
            _ => {}
        }
    }

    /// In words, for errors.
    pub(crate) fn words(&self) -> String {
        match &self.value {
            ConfigValue::Bool(value) => value.to_string(),
            ConfigValue::Integer(value) => value.to_string(),
            ConfigValue::Number(value) => value.to_string(),
            ConfigValue::Text(text) => format!("{text:?}"),
            ConfigValue::List(_) => "a list".into(),
            ConfigValue::Table(_) => "a table".into(),
        }
    }

    /// The error of a value that is not what is allowed.
    pub(crate) fn wrong(&self, key: &str, allowed: impl Into<String>) -> ConfigError {
        let (key, found) = (key.to_owned(), self.words());
        ConfigError::Value { at: self.at.clone(), key, found, allowed: allowed.into() }
    }

    /// The description that this is: a text such as `adam(lr=0.001)`, a table with a `name` and settings, or one with the parts of a
    /// chain in `then`.
    pub(crate) fn description(&self, key: &str) -> Result<Description, ConfigError> {
        match &self.value {
            ConfigValue::Text(text) => text.parse().map_err(|source| {
                // A text begins with a quotation mark.
                let at = match &source {
                    DescriptionError::Syntax { at, .. } => self.at.further(at + 1),
                    _ => self.at.clone(),
                };
                ConfigError::Description { at, key: key.to_owned(), source: Box::new(source) }
            }),
            ConfigValue::Table(entries) => {
                let is = |name: &'static str| move |entry: &&KeyedNode| entry.key == name;
                if let [KeyedNode { node, .. }] = &entries[..]
                    && let (true, ConfigValue::List(parts)) = (entries[0].key == THEN, &node.value)
                {
                    let parts = parts.iter().map(|part| part.description(key));
                    return Ok(Description::chain(parts.collect::<Result<Vec<_>, _>>()?));
                }
                let allowed = "a text such as \"adam(lr=0.001)\", or a table with a `name`";
                let name = entries.iter().find(is(NAME)).ok_or_else(|| self.wrong(key, allowed))?;
                let ConfigValue::Text(name) = &name.node.value else {
                    return Err(name.node.wrong(&format!("{key}.{NAME}"), "a text"));
                };
                let mut description = Description::new(name);
                for KeyedNode { key: setting, node, .. } in entries.iter().filter(|entry| entry.key != NAME) {
                    description = description.with(setting, node.setting(key)?);
                }
                Ok(description)
            }
            _ => Err(self.wrong(key, "a text such as \"adam(lr=0.001)\", or a table with a `name`")),
        }
    }

    /// The value of a setting.
    pub(crate) fn setting(&self, key: &str) -> Result<Value, ConfigError> {
        Ok(match &self.value {
            ConfigValue::Bool(value) => Value::Bool(*value),
            ConfigValue::Integer(value) => Value::from(*value),
            ConfigValue::Number(value) => Value::Number(*value),
            // A text as `adam(lr=0.1)` is one in a list of things, too, and "none" is nothing, as in the text form.
            ConfigValue::Text(text) if text == "none" => Value::None,
            ConfigValue::Text(text) => Value::Text(text.clone()),
            ConfigValue::List(nodes) => {
                Value::List(nodes.iter().map(|node| node.setting(key)).collect::<Result<_, _>>()?)
            }
            ConfigValue::Table(_) => self.description(key)?.into(),
        })
    }
}
