//! Settings that are given beside a configuration: `optimizer.lr=0.01`.

use std::sync::Arc;

use chainrule::core::{AnyLayer, Description, Entry, Registry};
use chainrule::data::augment::AnyAugmentation;
use chainrule::optim::{Schedule, UpdateRule};
use chainrule::prelude::{Loss, Measure};
use chainrule::tables::transform::Transform;
use chainrule::tensor::ClassTarget;

use crate::error::ConfigError;
use crate::location::Location;
use crate::node::{ConfigNode, ConfigValue, KeyedNode, parse_value};

/// Changes a configuration as a text of the form `KEY=VALUE` says. The key may have keys within tables, indices of lists and settings
/// of what is described after dots: `data.test=0.2`, `model.layers.0.units=128`, `optimizer.lr=0.01`. The value is as in TOML, or a text
/// without its quotation marks.
pub(crate) fn apply(root: &mut ConfigNode, change: &str, registry: &Registry) -> Result<(), ConfigError> {
    let at = Location::whole(format!("the setting {change:?}"));
    let Some((path, value)) = change.split_once('=') else {
        let problem = "it has no `=`, as in optimizer.lr=0.01".to_owned();
        return Err(ConfigError::Contradiction { at, problem });
    };
    if change.contains(['\n', '\r']) {
        let problem = "it has several lines: give each change alone".to_owned();
        return Err(ConfigError::Contradiction { at, problem });
    }
    let keys = keys_of(root, path.trim());
    let value = parse_value(value.trim(), &at)?;
    let described = match *keys {
        ["output", _, key, ..] => key,
        _ => keys[0],
    };
    let entry = |name: &str| entry_of(described, name, registry);
    set(root, &keys, 0, value, &entry)
}

/// The keys of a path. The name of an output may have dots of its own.
fn keys_of<'a>(root: &ConfigNode, path: &'a str) -> Vec<&'a str> {
    let inner = |node: &'_ ConfigNode, key: &str| match &node.value {
        ConfigValue::Table(entries) => {
            entries.iter().find(|entry| entry.key == key).map(|entry| entry.node.clone())
        }
        _ => None,
    };
    let of_output = |rest: &'a str| {
        let ConfigValue::Table(outputs) = inner(root, "output")?.value else { return None };
        let is_meant = |name: &str| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let longest =
            outputs.iter().map(|output| &*output.key).filter(|name| is_meant(name)).map(str::len).max()?;
        let keys = ["output", &rest[..longest]].into_iter();
        Some(keys.chain(rest[longest + 1..].split('.')).collect())
    };
    path.strip_prefix("output.").and_then(of_output).unwrap_or_else(|| path.split('.').collect())
}

/// Sets the value at these keys, of which those before `index` lead to this node.
fn set(
    node: &mut ConfigNode,
    keys: &[&str],
    index: usize,
    value: ConfigNode,
    entry: &dyn Fn(&str) -> Option<&'static Entry>,
) -> Result<(), ConfigError> {
    let Some(&key) = keys.get(index) else {
        *node = value;
        return Ok(());
    };
    let at = value.at.clone();
    let wrong = |problem: String| Err(ConfigError::Contradiction { at: at.clone(), problem });
    let path = keys[..index].join(".");
    match &mut node.value {
        ConfigValue::Table(entries) => {
            let known = entries.iter().position(|entry| entry.key == key);
            let position = known.unwrap_or_else(|| {
                let node = ConfigNode { value: ConfigValue::Table(Vec::new()), at: at.clone() };
                entries.push(KeyedNode { key: key.to_owned(), at: at.clone(), node });
                entries.len() - 1
            });
            entries[position].at = at.clone();
            set(&mut entries[position].node, keys, index + 1, value, entry)
        }
        ConfigValue::List(nodes) => {
            let count = nodes.len();
            match key.parse::<usize>().ok().and_then(|position| nodes.get_mut(position)) {
                Some(node) => set(node, keys, index + 1, value, entry),
                None => {
                    wrong(format!("`{path}` is a list of {count}: its items are 0 to {}", count.max(1) - 1))
                }
            }
        }
        ConfigValue::Text(text) => {
            if index + 1 < keys.len() {
                return wrong(format!(
                    "`{path}` is a text, of which one setting can be given, as in {path}.{key}"
                ));
            }
            let description: Description = text.parse().map_err(|source| ConfigError::Description {
                at: at.clone(),
                key: path.clone(),
                source: Box::new(source),
            })?;
            match with_setting(&description, key, &value, entry)? {
                Ok(changed) => {
                    *node = ConfigNode { value: ConfigValue::Text(changed.to_string()), at };
                    Ok(())
                }
                Err(known) => {
                    wrong(format!("`{path}`, {description}, has no setting `{key}`; it has {known}"))
                }
            }
        }
        _ => wrong(format!("`{path}` is {}, which has no keys", node.words())),
    }
}

/// The description with another value of a setting, in the last of its parts that has it; else the settings that there are.
fn with_setting(
    description: &Description,
    key: &str,
    value: &ConfigNode,
    entry: &dyn Fn(&str) -> Option<&'static Entry>,
) -> Result<Result<Description, String>, ConfigError> {
    let mut parts = description.parts();
    let entries: Vec<Option<&'static Entry>> =
        parts.iter().map(|part| entry(part.name.split('.').next().unwrap_or_default())).collect();
    let found = parts.iter_mut().zip(&entries).rev().find_map(|(part, entry)| {
        let entry = (*entry)?;
        Some((part, entry, entry.setting(key)?))
    });
    let Some((part, entry, setting)) = found else {
        let settings = entries.iter().flatten().flat_map(|entry| entry.settings);
        let names: Vec<&str> = settings.map(|setting| setting.name).collect();
        return Ok(Err(if names.is_empty() { "none".to_owned() } else { names.join(", ") }));
    };
    let mut given = part.settings.iter().enumerate();
    let position = given.position(|(position, (name, _))| match &**name {
        "" => position == setting,
        name => entry.setting(name) == Some(setting),
    });
    let value = value.setting(key)?;
    match position {
        Some(position) => part.settings[position].1 = value,
        None => part.settings.push((entry.settings[setting].name.to_owned(), value)),
    }
    let single = parts.len() == 1;
    Ok(Ok(if single { parts.swap_remove(0) } else { Description::chain(parts) }))
}

/// The entry of the thing of this name that a text at this key may name.
fn entry_of(key: &str, name: &str, registry: &Registry) -> Option<&'static Entry> {
    let found = match key {
        "model" | "layers" => registry.entry::<AnyLayer<f32>>(name),
        "loss" => registry.entry::<Box<dyn Loss<f32, ClassTarget<f32>>>>(name),
        "metrics" => registry.entry::<Box<dyn Measure<f32, ClassTarget<f32>>>>(name),
        "optimizer" => registry.entry::<Box<dyn UpdateRule<f32>>>(name),
        "schedule" => registry.entry::<Arc<dyn Schedule>>(name),
        "augment" => registry.entry::<AnyAugmentation>(name),
        "preparation" => registry.entry::<Arc<dyn Transform>>(name),
        _ => return None,
    };
    found.ok()
}
