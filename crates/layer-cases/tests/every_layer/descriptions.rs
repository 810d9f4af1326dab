//! Every layer as a description: written, read and built, it is the same layer.

use std::collections::BTreeSet;

use chainrule_core::{AnyLayer, AnyMerge, Described, Description, Layer, Plan, Sequential, Value};
use chainrule_layer_cases::{Case, Precision, every_layer, registry};
use chainrule_layers::{AnyActivation, AnyRecurrent};
use chainrule_tensor::Seed;

use crate::Setup;

/// The layers inside and the parameters, as the plan has them, and the first values.
fn planned<T: Precision>(case: &Case<T>, layers: &Sequential<T>) -> (Vec<String>, Vec<T>) {
    let mut plan = Plan::new();
    let (output, _) = layers.plan(case.input, &mut plan).unwrap();
    let mut params = vec![T::zero(); plan.size()];
    plan.init(Seed(3), &mut params);
    let layers = plan.layers().iter().map(|info| format!("{info:?}"));
    let entries = plan.entries().iter().map(|entry| format!("{entry:?}"));
    (layers.chain(entries).chain([output.to_string()]).collect(), params)
}

/// A lambda is code, which no description holds.
fn is_code<T>(case: &Case<T>) -> bool {
    case.name == "lambda"
}

fn every_layer_survives<T: Precision>() {
    let registry = registry::<T>();
    for case in every_layer::<T>() {
        let name = case.name;
        let description = case.layers.describe();
        let build = |description: &Description| Sequential::<T>::from_description(description, &registry);
        let built = build(&description);
        if is_code(&case) {
            assert!(built.unwrap_err().to_string().contains("contains code"));
            continue;
        }
        let built = built.unwrap_or_else(|error| panic!("{name}: {error}: {description}"));
        assert_eq!(built.describe(), description, "{name}");

        // The text, and JSON.
        let text = description.to_string();
        let read: Description = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.to_string(), text, "{name}");
        let json = serde_json::to_string(&description).unwrap();
        let from_json: Description = serde_json::from_str(&json).unwrap();
        for read in [read, from_json] {
            let built = build(&read).unwrap_or_else(|error| panic!("{name}: {error}: {read}"));
            assert_eq!(built.describe(), description, "{name}");
            assert_eq!(planned(&case, &built), planned(&case, &case.layers), "{name}");
        }
        assert_eq!(format!("{built:?}"), format!("{:?}", case.layers), "{name}");

        // The same numbers, forward and backward.
        let mut own = Setup::new(&case, 3);
        let mut other = Setup::new(&Case { layers: built, ..case }, 3);
        for train in [true, false] {
            let y = own.forward(0..3, train);
            assert_eq!(other.forward(0..3, train), y, "{name}");
            assert_eq!(other.backward(0..3, &y), own.backward(0..3, &y), "{name}");
        }
    }
}

#[test]
fn descriptions_in_single_precision() {
    every_layer_survives::<f32>();
}

#[test]
fn descriptions_in_double_precision() {
    every_layer_survives::<f64>();
}

/// Adds the names of all things in a value.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Text(word) => {
            found.insert(word.clone());
        }
        Value::List(values) => values.iter().for_each(|value| names(value, found)),
        Value::Described(Description { name, settings }) => {
            found.insert(name.clone());
            settings.iter().for_each(|(_, value)| names(value, found));
        }
        _ => {}
    }
}

#[test]
fn the_list_has_every_layer_that_is_registered() {
    let mut found = BTreeSet::new();
    for case in every_layer::<f32>() {
        names(&case.layers.describe().into(), &mut found);
    }
    // They describe themselves as the gated unit that they are.
    found.extend(["glu", "swi_glu", "ge_glu", "re_glu"].map(str::to_owned));
    let registry = registry::<f32>();
    let layers = registry.entries::<AnyLayer<f32>>().chain(registry.entries::<AnyMerge<f32>>());
    let others = registry.entries::<AnyActivation<f32>>().chain(registry.entries::<AnyRecurrent<f32>>());
    // One number of axes of each.
    let axes = |name: &str| name.trim_end_matches(['1', '2', '3', 'd']).to_owned();
    let families: BTreeSet<_> = found.iter().map(|name| axes(name)).collect();
    let names = layers.chain(others).map(|entry| entry.name);
    let missing: Vec<_> = names.filter(|name| !families.contains(&axes(name))).collect();
    assert!(missing.is_empty(), "no case has {missing:?}");
    assert!(found.contains("gated"));
}
