//! Weights of Keras, and weights for Keras: see `keras_weights.py`.

use std::collections::BTreeMap;

use chainrule_interop::{Loading, Names, StateDict};
use chainrule_train::Model;

use crate::{Case, file};

const TOLERANCE: f32 = 5e-6;

pub(crate) fn cases() -> Vec<Case> {
    serde_json::from_str(&std::fs::read_to_string(file("keras/cases.json")).unwrap()).unwrap()
}

/// The model whose weights are in the folder `keras-from-chainrule`: with statistics as after a training.
fn exported(case: &Case) -> Model<f32> {
    let mut model = case.model(7);
    let statistics: Vec<_> =
        model.plan().entries().iter().filter(|entry| entry.name.contains("running")).cloned().collect();
    for index in statistics.into_iter().flat_map(|entry| entry.range) {
        model.parameters_mut()[index] += 0.01 * (index % 7) as f32;
    }
    model
}

#[test]
fn weights_of_keras_give_its_outputs() {
    for case in cases() {
        let dict = StateDict::read_npz(file(format!("keras/{}.npz", case.name))).unwrap();
        let mut model = case.model(1);
        assert!(
            case.difference(&model, &case.y) > 100.0 * TOLERANCE,
            "{}: the weights change nothing",
            case.name
        );
        Loading::new(Names::Keras)
            .load(&dict, &mut model)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let difference = case.difference(&model, &case.y);
        assert!(difference < TOLERANCE, "{}: {difference}", case.name);
        // And back, bit by bit.
        let back = StateDict::of(&model, Names::Keras);
        assert_eq!(back.len(), dict.len());
        for (name, tensor) in dict.iter() {
            assert_eq!(back.get(name), Some(tensor), "{}: {name}", case.name);
        }
    }
}

#[test]
fn keras_computes_the_same_with_our_weights() {
    let outputs = std::fs::read_to_string(file("keras-from-chainrule/outputs.json")).unwrap();
    let outputs: BTreeMap<String, Vec<f32>> = serde_json::from_str(&outputs).unwrap();
    for case in cases() {
        let model = exported(&case);
        let dict = StateDict::of(&model, Names::Keras);
        let committed = StateDict::read_npz(file(format!("keras-from-chainrule/{}.npz", case.name))).unwrap();
        let differs = "the weights for Keras have changed: run this crate's test `write_weights_for_keras` with `--ignored`, \
                       and then tests/interop/keras_weights.py";
        assert_eq!(committed, dict, "{}: {differs}", case.name);
        let difference = case.difference(&model, &outputs[&case.name]);
        assert!(difference < TOLERANCE, "{}: {difference}", case.name);
    }
}

#[test]
#[ignore = "it writes the files that `keras_weights.py` reads"]
fn write_weights_for_keras() {
    std::fs::create_dir_all(file("keras-from-chainrule")).unwrap();
    for case in cases() {
        let dict = StateDict::of(&exported(&case), Names::Keras);
        dict.write_npz(file(format!("keras-from-chainrule/{}.npz", case.name))).unwrap();
    }
}

/// The part of a text between two lines.
fn between<'a>(text: &'a str, first: &str, last: &str) -> &'a str {
    let (_, after) = text.split_once(first).unwrap();
    after.split_once(last).unwrap().0.trim()
}

#[test]
fn the_page_has_the_script_that_was_run() {
    let script = std::fs::read_to_string(file("keras_weights.py")).unwrap();
    let page = std::fs::read_to_string(file("../../../../docs/interop.md")).unwrap();
    let script = between(&script, "compare.\n", "# The end of the script.");
    let page = between(&page, "import re\n\nimport numpy\n", "```");
    assert_eq!(page, script);
}
