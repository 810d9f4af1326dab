//! Reading the keys of a table of the configuration.

use chainrule::core::{Description, nearest_name};

use crate::error::ConfigError;
use crate::location::{Located, Location};
use crate::node::{ConfigNode, ConfigValue, KeyedNode};

/// A table of the configuration.
#[derive(Debug)]
pub(crate) struct ConfigSection<'a> {
    /// Its key with a dot, or nothing for the whole document.
    prefix: String,
    pub(crate) at: Location,
    entries: &'a [KeyedNode],
}

impl<'a> ConfigSection<'a> {
    /// The table at this key, which has no other keys than these.
    pub(crate) fn new(
        key: &str,
        node: &'a ConfigNode,
        known: &'static [&'static str],
    ) -> Result<Self, ConfigError> {
        let section = Self::open(key, node)?;
        for KeyedNode { key, at, .. } in section.entries {
            if !known.contains(&&**key) {
                let nearest = nearest_name(key, known.iter().copied()).unwrap_or_default();
                let key = format!("{}{key}", section.prefix);
                return Err(ConfigError::Key { at: at.clone(), key, nearest, known: known.join(", ") });
            }
        }
        Ok(section)
    }

    /// The table at this key, whatever its keys are.
    pub(crate) fn open(key: &str, node: &'a ConfigNode) -> Result<Self, ConfigError> {
        let ConfigValue::Table(entries) = &node.value else {
            return Err(
                node.wrong(key, format!("a table: a line with [{key}], and its keys in the lines below"))
            );
        };
        let prefix = if key.is_empty() { String::new() } else { format!("{key}.") };
        Ok(Self { prefix, at: node.at.clone(), entries })
    }

    pub(crate) fn entries(&self) -> &'a [KeyedNode] {
        self.entries
    }

    /// The key with those of the tables that it is in.
    pub(crate) fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a ConfigNode> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    pub(crate) fn missing(&self, key: &str, what: &'static str) -> ConfigError {
        ConfigError::Missing { at: self.at.clone(), key: self.path(key), what }
    }

    /// The value of a key that `read` makes something of, or else is not what is `allowed`.
    fn read<V>(
        &self,
        key: &str,
        allowed: &str,
        read: impl FnOnce(&'a ConfigNode) -> Option<V>,
    ) -> Result<Option<Located<V>>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let value = read(node).ok_or_else(|| node.wrong(&self.path(key), allowed))?;
        Ok(Some(Located { value, at: node.at.clone() }))
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<Located<String>>, ConfigError> {
        self.read(key, "a text", |node| match &node.value {
            ConfigValue::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let flag = self.read(key, "true or false", |node| match node.value {
            ConfigValue::Bool(value) => Some(value),
            _ => None,
        });
        Ok(flag?.map(|flag| flag.value))
    }

    /// A whole number of at least `least`.
    pub(crate) fn whole(&self, key: &str, least: u64) -> Result<Option<u64>, ConfigError> {
        let allowed = format!("a whole number of at least {least}");
        let whole = self.read(key, &allowed, |node| match node.value {
            ConfigValue::Integer(value) => u64::try_from(value).ok().filter(|&value| value >= least),
            _ => None,
        });
        Ok(whole?.map(|whole| whole.value))
    }

    pub(crate) fn size(&self, key: &str, least: u64) -> Result<Option<usize>, ConfigError> {
        let size = self.whole(key, least)?;
        Ok(size.map(|size| usize::try_from(size).unwrap_or(usize::MAX)))
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<Located<f64>>, ConfigError> {
        self.read(key, "a finite number", |node| as_number(node).filter(|number| number.is_finite()))
    }

    /// One text, or a list of them.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<Located<String>>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let text = |node: &ConfigNode| match &node.value {
            ConfigValue::Text(text) => Ok(Located { value: text.clone(), at: node.at.clone() }),
            _ => Err(node.wrong(&self.path(key), "a text, or a list of texts")),
        };
        match &node.value {
            ConfigValue::List(nodes) => nodes.iter().map(text).collect(),
            _ => Ok(vec![text(node)?]),
        }
    }

    pub(crate) fn description(&self, key: &str) -> Result<Option<Located<Description>>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        Ok(Some(Located { value: node.description(&self.path(key))?, at: node.at.clone() }))
    }

    /// One description, or a list of them.
    pub(crate) fn descriptions(&self, key: &str) -> Result<Vec<Located<Description>>, ConfigError> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let nodes = match &node.value {
            ConfigValue::List(nodes) => &nodes[..],
            _ => std::slice::from_ref(node),
        };
        let path = self.path(key);
        let described =
            |node: &ConfigNode| Ok(Located { value: node.description(&path)?, at: node.at.clone() });
        nodes.iter().map(described).collect()
    }
}

/// A number, whole or not.
pub(crate) fn as_number(node: &ConfigNode) -> Option<f64> {
    match node.value {
        ConfigValue::Integer(value) => Some(value as f64),
        ConfigValue::Number(value) => Some(value),
        _ => None,
    }
}
