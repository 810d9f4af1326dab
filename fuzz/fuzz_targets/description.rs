//! Texts of things that have a name. What can be read is written and read again; layers are planned, and everything else is built,
//! by the first byte.
#![no_main]

use std::sync::{Arc, LazyLock};

use chainrule_core::{Description, Kind, Layer, Plan, Registry, Sequential, Value};
use chainrule_optim::{Schedule, UpdateRule};
use chainrule_tensor::Shape;
use libfuzzer_sys::fuzz_target;

static REGISTRY: LazyLock<Registry> = LazyLock::new(chainrule::registry);

/// Of samples for a plan.
const SHAPES: [&[usize]; 4] = [&[6], &[4, 6], &[2, 6, 6], &[2, 4, 4, 4]];

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    read_again_value(text);
    let Ok(description) = text.parse::<Description>() else { return };
    let written = description.to_string();
    let again: Description = written.parse().expect("what was written can be read");
    assert_eq!(again.to_string(), written);
    match choice % 8 {
        0 => build::<Arc<dyn Schedule>>(&description),
        1 => build::<Box<dyn UpdateRule<f32>>>(&description),
        choice => plan(&description, SHAPES[usize::from(choice) % SHAPES.len()]),
    }
});

fn read_again_value(text: &str) {
    let Ok(value) = text.parse::<Value>() else { return };
    let written = value.to_string();
    let again: Value = written.parse().expect("what was written can be read");
    assert_eq!(again.to_string(), written);
}

/// What is built describes itself, so that the same is built again.
fn build<K: Kind>(description: &Description) {
    let Ok(built) = REGISTRY.build::<K>(description) else { return };
    let described = built.description();
    let again: K = REGISTRY.build(&described).expect("what describes itself can be built");
    assert_eq!(again.description().to_string(), described.to_string());
}

/// A plan takes little time and memory whatever the sizes.
fn plan(description: &Description, axes: &[usize]) {
    let input = Shape::new(axes).expect("so few axes are a shape");
    let Ok(layers) = Sequential::<f32>::from_description(description, &REGISTRY) else { return };
    let described = layers.description();
    let again = Sequential::<f32>::from_description(&described, &REGISTRY)
        .expect("what describes itself can be built");
    assert_eq!(again.description().to_string(), described.to_string());
    let (mut first, mut second) = (Plan::limited(1000), Plan::limited(1000));
    let output = layers.plan(input, &mut first).map(|(output, _)| output);
    let same = again.plan(input, &mut second).map(|(output, _)| output);
    assert_eq!(output.ok(), same.ok());
    assert_eq!(first.size(), second.size());
}
