//! Optimizers in the words of another library.

use std::error::Error;

use chainrule::core::{Description, Kind, Registry, Value};
use chainrule::optim::UpdateRule;
use serde_json::{Map, json};

use super::library::Library;

/// What a setting of an optimizer is in another library.
enum Setting {
    /// A number or a truth value under this name.
    Named(&'static str),
    /// Several numbers under these names.
    Each(&'static [&'static str]),
    /// The same whatever it is, as long as the rate does not change.
    Any,
    /// It has to be on.
    On,
}

use Setting::{Any, Each, Named, On};

/// The optimizers that both have, with the settings that mean the same. Others have to be off, or 0.
type Shared = &'static [(&'static str, &'static [(&'static str, Setting)])];

const ADAM_IN_TORCH: &[(&str, Setting)] = &[
    ("lr", Named("lr")),
    ("betas", Named("betas")),
    ("eps", Named("eps")),
    ("weight_decay", Named("weight_decay")),
    ("amsgrad", Named("amsgrad")),
];

const IN_TORCH: Shared = &[
    (
        "sgd",
        &[
            ("lr", Named("lr")),
            ("momentum", Named("momentum")),
            ("dampening", Named("dampening")),
            ("weight_decay", Named("weight_decay")),
            ("nesterov", Named("nesterov")),
        ],
    ),
    ("adam", ADAM_IN_TORCH),
    ("adamw", ADAM_IN_TORCH),
    (
        "rmsprop",
        &[
            ("lr", Named("lr")),
            ("alpha", Named("alpha")),
            ("eps", Named("eps")),
            ("weight_decay", Named("weight_decay")),
            ("momentum", Named("momentum")),
            ("centered", Named("centered")),
        ],
    ),
];

const ADAM_IN_KERAS: &[(&str, Setting)] = &[
    ("lr", Named("learning_rate")),
    ("betas", Each(&["beta_1", "beta_2"])),
    ("eps", Named("epsilon")),
    ("weight_decay", Named("weight_decay")),
    ("amsgrad", Named("amsgrad")),
    ("uncorrected_epsilon", On),
];

const IN_KERAS: Shared = &[
    (
        "sgd",
        &[
            ("lr", Named("learning_rate")),
            ("momentum", Named("momentum")),
            ("weight_decay", Named("weight_decay")),
            ("nesterov", Named("nesterov")),
            ("rate_in_momentum", Any),
        ],
    ),
    ("adam", ADAM_IN_KERAS),
    ("adamw", ADAM_IN_KERAS),
    (
        "rmsprop",
        &[
            ("lr", Named("learning_rate")),
            ("alpha", Named("rho")),
            ("eps", Named("epsilon")),
            ("weight_decay", Named("weight_decay")),
            ("momentum", Named("momentum")),
            ("centered", Named("centered")),
            ("epsilon_inside_root", On),
            ("rate_in_momentum", Any),
        ],
    ),
];

const IN_JAX: Shared = &[
    (
        "sgd",
        &[
            ("lr", Named("learning_rate")),
            ("momentum", Named("momentum")),
            ("nesterov", Named("nesterov")),
            ("rate_in_momentum", Any),
        ],
    ),
    ("adam", &[("lr", Named("learning_rate")), ("betas", Each(&["b1", "b2"])), ("eps", Named("eps"))]),
    (
        "adamw",
        &[
            ("lr", Named("learning_rate")),
            ("betas", Each(&["b1", "b2"])),
            ("eps", Named("eps")),
            ("weight_decay", Named("weight_decay")),
        ],
    ),
    (
        "rmsprop",
        &[
            ("lr", Named("learning_rate")),
            ("alpha", Named("decay")),
            ("eps", Named("eps")),
            ("momentum", Named("momentum")),
            ("centered", Named("centered")),
            ("epsilon_inside_root", Named("eps_in_sqrt")),
            ("rate_in_momentum", Any),
        ],
    ),
];

/// The optimizer that is described, with all its settings, as `{"name": ..., "settings": {...}}` in the words of a library.
pub(super) fn translated(
    description: &Description,
    registry: &Registry,
    library: Library,
) -> Result<serde_json::Value, Box<dyn Error>> {
    let built: Box<dyn UpdateRule<f32>> = registry.build(description)?;
    built.validate()?;
    let Description { name, settings } = built.description();
    let shared = match library {
        Library::Torch => IN_TORCH,
        Library::Keras => IN_KERAS,
        Library::Jax => IN_JAX,
    };
    let there = library.name();
    let Some((_, shared)) = shared.iter().find(|(own, _)| *own == name) else {
        let known = shared.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        return Err(format!(
            "{description} cannot be compared, since it is not the same in {there}: choose {known}"
        )
        .into());
    };
    let mut translated = Map::new();
    for (setting, value) in settings {
        let off = value == Value::Bool(false) || value.as_f64() == Some(0.0);
        if setting == "weight_decay" && !off {
            return Err("weight decay acts on weights alone here, and on all parameters in other libraries: give weight_decay=0".into());
        }
        let different = || format!("{setting}={value} of {name} is not the same in {there}");
        match shared.iter().find(|(own, _)| *own == setting) {
            Some((_, Any)) => {}
            Some((_, On)) if value == Value::Bool(true) => {}
            Some((_, On)) => {
                return Err(format!("{}: give {setting}=true, as {name}.keras has it", different()).into());
            }
            Some((_, Named(there))) => {
                translated.insert((*there).to_owned(), plain(&value).ok_or_else(different)?);
            }
            Some((_, Each(names))) => {
                let Value::List(values) = &value else { return Err(different().into()) };
                for (there, value) in names.iter().zip(values) {
                    translated.insert((*there).to_owned(), plain(value).ok_or_else(different)?);
                }
            }
            None if off => {}
            None => return Err(different().into()),
        }
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
