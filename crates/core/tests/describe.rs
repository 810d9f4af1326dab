//! Things that are built by name, and the errors of those that cannot be.

use std::sync::Arc;

use chainrule_core::{
    Constant, Described, Description, DescriptionError, Entry, Initializer, ParamSpec, Range, Registry,
    SettingError, describe, described, register,
};
use chainrule_tensor::Seed;

/// Something with settings of all sorts, that may be inside of itself.
#[derive(Debug)]
struct Tree {
    size: usize,
    shares: [f64; 2],
    first: Option<Arc<dyn Initializer>>,
}

describe! {
    /// A tree
    /// of values.
    Tree = "tree";
    aliases ["Bush"];
    formula "size → shares";
    source "a forest";
    settings {
        /// How large.
        size: required, Range::AT_LEAST_ONE;
        /// Two parts.
        shares ("parts"): [0.25, 0.5], Range::UNIT;
        /// What is inside.
        first as "inside": none;
    }
    presets { small { size = 1, parts = 0.0 } }
}

impl Initializer for Tree {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        values.fill(self.shares[0] * self.size as f64);
    }

    described!();
}

fn built(text: &str) -> Result<String, String> {
    let mut registry = Registry::new();
    register!(registry, Arc<dyn Initializer>, Arc::new; Constant, Tree);
    let description: Description = text.parse().map_err(|error: DescriptionError| error.to_string())?;
    let thing = registry.build::<Arc<dyn Initializer>>(&description).map_err(|error| error.to_string())?;
    let described = Initializer::description(&*thing);
    // What it says of itself can be built again.
    let again = registry.build::<Arc<dyn Initializer>>(&described).map_err(|error| error.to_string())?;
    assert_eq!(Initializer::description(&*again), described);
    Ok(described.to_string())
}

#[test]
fn entries_say_everything() {
    let Entry { title, name, aliases, summary, formula, source, settings, presets } = Tree::ENTRY;
    assert_eq!((title, name, aliases), ("Tree", "tree", &["Bush"][..]));
    assert_eq!((summary, formula, source), ("A tree of values.", "size → shares", "a forest"));
    let defaults: Vec<_> = settings.iter().map(|setting| (setting.name, setting.default)).collect();
    assert_eq!(defaults, [("size", None), ("shares", Some("[0.25, 0.5]")), ("inside", Some("none"))]);
    assert_eq!(presets[0].settings, [("size", "1"), ("parts", "0.0")]);
}

#[test]
fn what_can_be_built() {
    for (text, described) in [
        ("tree(3)", "tree(size=3, shares=[0.25, 0.5], inside=none)"),
        ("BUSH(size=2.0, parts=1)", "tree(size=2, shares=[1.0, 1.0], inside=none)"),
        ("tree.small", "tree(size=1, shares=[0.0, 0.0], inside=none)"),
        (
            "tree.Small(inside=tree(2, inside=constant(0.5)), size=5)",
            "tree(size=5, shares=[0.0, 0.0], inside=tree(size=2, shares=[0.25, 0.5], inside=constant(value=0.5)))",
        ),
        ("tree(1, inside=constant)", "tree(size=1, shares=[0.25, 0.5], inside=constant(value=0.0))"),
    ] {
        assert_eq!(built(text).as_deref(), Ok(described));
    }
}

#[test]
fn what_cannot_be_built() {
    let deep = format!("{}constant{}", "tree(1, inside=".repeat(60), ")".repeat(60));
    assert!(built(&deep).is_ok());
    for (text, error) in [
        ("bushes", "there is no initializer named `bushes`; the nearest name is `Bush`"),
        ("tree", "tree needs the setting `size`: How large."),
        ("tree(0)", "tree.size is 0, but must be at least 1"),
        ("tree(1.5)", "tree.size is 1.5, but must be a whole number from 0 to 18446744073709551615"),
        ("tree(1, [0, 2])", "tree.shares is [0, 2], but must be from 0 to 1"),
        ("tree(1, nan)", "tree.shares is nan, but must be from 0 to 1"),
        ("tree(1, [1])", "tree.shares is [1], but must be a list of 2"),
        ("tree(1, [1, true])", "tree.shares[1] is true, but must be a number"),
        ("tree(1, leaves=3)", "tree has no setting named `leaves`; it has size, shares, inside"),
        ("tree(1, size=1)", "tree is given `size` twice"),
        ("tree(1, 1, none, 2)", "tree is given more than its 3 settings"),
        ("tree(1, inside=7)", "tree.inside is 7, but must be the name of an initializer"),
        ("tree(1, inside=tree(0))", "tree.inside.tree.size is 0, but must be at least 1"),
        ("tree.large", "tree has no preset named `large`, only small"),
        ("constant.keras", "constant has no presets, so there is no `constant.keras`"),
        ("tree(1) then tree(2)", "one initializer cannot follow another: leave out the `then`"),
    ] {
        assert_eq!(built(text), Err(error.to_owned()), "{text}");
    }
}

#[test]
fn the_last_of_a_name_is_taken() {
    #[derive(Debug)]
    struct Other {}
    describe! {
        /// Another constant.
        Other = "constant";
    }
    let mut registry = Registry::new();
    register!(registry, Arc<dyn Initializer>, Arc::new; Constant);
    registry.add::<Arc<dyn Initializer>, Other>(|_| Arc::new(Constant(7.0)));
    let built: Arc<dyn Initializer> = registry.build(&Description::new("constant")).unwrap();
    assert_eq!(Initializer::description(&*built).to_string(), "constant(value=7.0)");
    assert_eq!(registry.entries::<Arc<dyn Initializer>>().count(), 2);
}

#[test]
fn ranges_are_checked() {
    let tree = Tree { size: 1, shares: [0.5, 1.5], first: None };
    let error = tree.check_ranges().unwrap_err();
    let range = SettingError::Range { owner: "Tree", setting: "shares", value: 1.5, allowed: "from 0 to 1" };
    assert_eq!(error, range);
}
