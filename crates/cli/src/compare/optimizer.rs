//! Optimizers in the words of another library.

use std::error::Error;

use chainrule::core::{Description, Kind, Registry, Value};
use chainrule::optim::UpdateRule;
use serde_json::{Map, json};

/// Those that both have, with the settings that have the same names and meanings.
const SHARED: [(&str, &[&str]); 4] = [
    ("sgd", &["lr", "momentum", "dampening", "weight_decay", "nesterov"]),
    ("adam", &["lr", "betas", "eps", "weight_decay", "amsgrad"]),
    ("adamw", &["lr", "betas", "eps", "weight_decay", "amsgrad"]),
    ("rmsprop", &["lr", "alpha", "eps", "weight_decay", "momentum", "centered"]),
];

/// The optimizer that is described, with all its settings, as `{"name": ..., "settings": {...}}`.
pub(super) fn translated(
    description: &Description,
    registry: &Registry,
) -> Result<serde_json::Value, Box<dyn Error>> {
    let built: Box<dyn UpdateRule<f32>> = registry.build(description)?;
    built.validate()?;
    let Description { name, settings } = built.description();
    let Some((_, shared)) = SHARED.iter().find(|(shared, _)| *shared == name) else {
        let known = SHARED.map(|(name, _)| name).join(", ");
        return Err(format!(
            "{description} cannot be compared, since it is not the same in other libraries: choose {known}"
        )
        .into());
    };
    let mut translated = Map::new();
    for (setting, value) in settings {
        let same = shared.contains(&&*setting);
        // What this optimizer has alone has to be off.
        if !same && value == Value::Bool(false) {
            continue;
        }
        let Some(plain) = plain(&value).filter(|_| same) else {
            return Err(format!("{setting}={value} of {name} is not the same in other libraries").into());
        };
        if setting == "weight_decay" && value.as_f64() != Some(0.0) {
            return Err("weight decay acts on weights alone here, and on all parameters in other libraries: give weight_decay=0".into());
        }
        translated.insert(setting, plain);
    }
    Ok(json!({ "name": name, "settings": translated }))
}

/// A value as JSON; `None` for all but numbers, truth values, and lists of these.
fn plain(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Bool(value) => json!(value),
        Value::List(values) => json!(values.iter().map(plain).collect::<Option<Vec<_>>>()?),
        value => json!(value.as_f64()?),
    })
}
