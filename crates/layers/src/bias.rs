//! The two settings of the biases of a layer: whether it has any, and their first values.

use std::sync::Arc;

use chainrule_core::{DescriptionError, Entry, Initializer, SettingValue, Settings, Value};

/// The initialiser of the biases from the settings `bias` and `bias_init`.
pub(crate) fn bias_init(settings: &Settings<'_>) -> Result<Option<Arc<dyn Initializer>>, DescriptionError> {
    let init = settings.get("bias_init")?;
    Ok(settings.get::<bool>("bias")?.then_some(init))
}

/// The values of `bias` and `bias_init`; without biases, the second is the default.
pub(crate) fn bias_values(bias: Option<&Arc<dyn Initializer>>, entry: &Entry) -> [Value; 2] {
    let default = || entry.setting("bias_init").and_then(|index| entry.settings[index].default);
    let init = match bias {
        Some(init) => init.to_value(),
        None => default().map_or(Value::None, Value::from),
    };
    [bias.is_some().into(), init]
}
