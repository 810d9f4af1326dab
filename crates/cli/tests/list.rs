//! The lists of everything that has a name.

mod start;

use std::process::Output;

use serde_json::Value;

use start::chainrule;

/// Those that there have to be.
const KINDS: [&str; 10] = [
    "layers",
    "activations",
    "merges",
    "initializers",
    "losses",
    "metrics",
    "optimizers",
    "schedules",
    "transforms",
    "augmentations",
];

fn list(arguments: &[&str]) -> Output {
    chainrule().arg("list").args(arguments).output().unwrap()
}

fn listed(arguments: &[&str]) -> String {
    let output = list(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all kinds, from the list of how many there are.
fn kinds() -> Vec<String> {
    let text = listed(&[]);
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn every_kind_is_listed_as_text_and_as_json() {
    let kinds = kinds();
    for known in KINDS {
        assert!(kinds.iter().any(|kind| kind == known), "{kinds:?}");
    }
    for kind in &kinds {
        let objects: Vec<Value> = serde_json::from_str(&listed(&[kind, "--json"])).unwrap();
        assert!(!objects.is_empty(), "{kind}");
        let text = listed(&[kind]);
        for object in &objects {
            let name = object["name"].as_str().unwrap();
            assert!(text.lines().any(|line| line.starts_with(name)), "{kind}: {name}");
            assert!(!object["summary"].as_str().unwrap().is_empty(), "{kind}: {name}");
            for setting in object["settings"].as_array().unwrap() {
                let (setting, summary) = (&setting["name"], setting["summary"].as_str().unwrap());
                assert!(!summary.is_empty(), "{kind}: {name}: {setting}");
            }
        }
        // One is described with all of its settings.
        let name = objects[0]["name"].as_str().unwrap();
        let described = listed(&[kind, name]);
        assert!(described.starts_with(&format!("{name}: ")), "{described}");
        for setting in objects[0]["settings"].as_array().unwrap() {
            assert!(described.contains(setting["summary"].as_str().unwrap()), "{described}");
        }
    }
    let all: Value = serde_json::from_str(&listed(&["--json"])).unwrap();
    assert_eq!(all.as_object().unwrap().len(), kinds.len());
}

#[test]
fn the_page_of_names_is_up_to_date() {
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/names.md")).unwrap();
    let printed = listed(&["--markdown"]);
    // The longest run of equal lines at the beginning says where they part.
    let equal = printed.lines().zip(kept.lines()).take_while(|(printed, kept)| printed == kept).count();
    assert!(
        printed == kept,
        "docs/names.md is out of date from line {} on. Update it from the workspace's root: cargo run -p chainrule-cli --bin \
         chainrule -- list --markdown > docs/names.md",
        equal + 1
    );
}

#[test]
fn mistakes_have_the_nearest_name() {
    for (arguments, expected) in [
        (&["optimisers"][..], "the nearest is `optimizers`"),
        (&["optimizers", "adma"], "there is no optimizer named `adma`; the nearest name is `adam`"),
    ] {
        let output = list(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    // The singular is understood.
    assert_eq!(listed(&["Optimizer"]), listed(&["optimizers"]));
}
