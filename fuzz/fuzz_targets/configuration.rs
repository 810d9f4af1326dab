//! Configurations: read, and changed by their first line, if that is a setting.
#![no_main]

use std::sync::LazyLock;

use chainrule_config::Configuration;
use chainrule_core::Registry;
use libfuzzer_sys::fuzz_target;

static REGISTRY: LazyLock<Registry> = LazyLock::new(chainrule::registry);

fuzz_target!(|text: &str| {
    let (first, rest) = text.split_once('\n').unwrap_or(("", text));
    let change = first.strip_prefix("# ").filter(|change| change.contains('='));
    let changes: Vec<&str> = change.into_iter().collect();
    match Configuration::from_text("fuzz.toml", rest, &changes, &REGISTRY) {
        Ok(configuration) => {
            // What a model holds of it is read again.
            let again =
                Configuration::from_text("again", &configuration.text, &configuration.changes, &REGISTRY);
            let again = again.expect("it was read before");
            assert_eq!(again.layers.len(), configuration.layers.len());
            assert_eq!(again.optimizer.value, configuration.optimizer.value);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
