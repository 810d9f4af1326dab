//! Compares the layers with PyTorch or Keras: the files of `tests/reference`, written by the scripts next to them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, ParamKind, Params, Plan};
use chainrule_layer_cases::{Case, every_layer};
use chainrule_tensor::{Real, Seed};
use ndarray::{Array2, ArrayView2};
use serde::Deserialize;

/// The values of one family of layers.
#[derive(Deserialize)]
struct File {
    cases: Vec<Reference>,
}

/// The output and the gradients of a layer for inputs, parameters and `dy` that both sides generate by the same rule.
#[derive(Deserialize)]
struct Reference {
    name: String,
    rows: usize,
    train: bool,
    y: Vec<f64>,
    /// Empty where inputs are ids.
    dx: Vec<f64>,
    /// In the order of the plan; for a buffer, its next value instead of a gradient.
    grads: Vec<f64>,
}

/// The rule: numbers in [-1, 1) that look random, as `fill` in `reference.py`.
fn fill(seed: u64, index: usize) -> f64 {
    const MASK: u64 = 0xffff_ffff;
    let mut k = (index as u64 * 2_654_435_761 + seed * 40_503 + 12_345) & MASK;
    for factor in [0x85eb_ca6b_u64, 0xc2b2_ae35] {
        k = ((k ^ (k >> 15)) * factor) & MASK;
    }
    (k ^ (k >> 16)) as f64 / 2f64.powi(31) - 1.0
}

/// The maximum difference, relative to the value or to a tenth of the maximum value.
fn difference<T: Real>(found: &[T], right: &[f64]) -> f64 {
    assert_eq!(found.len(), right.len(), "the number of values");
    let floor = right.iter().fold(0.0f64, |max, v| max.max(v.abs())) / 10.0;
    let relative = |(found, right): (&T, &f64)| {
        let error = (found.as_f64() - right).abs() / right.abs().max(floor).max(1e-30);
        if error.is_nan() { f64::INFINITY } else { error }
    };
    found.iter().zip(right).map(relative).fold(0.0, f64::max)
}

fn compare<T: Real>(case: &Case<T>, reference: &Reference, tolerance: f64) {
    let Reference { name, rows, train, y: right_y, dx: right_dx, grads: right_grads } = reference;
    let rows = *rows;
    let mut plan = Plan::new();
    let (output, mut cache) = case.layers.plan(case.input, &mut plan).unwrap();
    let mut params = vec![T::zero(); plan.size()];
    for entry in plan.entries() {
        for index in entry.range.clone() {
            let half = 0.5 * fill(2, index);
            params[index] = T::of(if entry.kind == ParamKind::Buffer { 1.0 + half } else { half });
        }
    }
    let size = case.input.size();
    let x = Array2::from_shape_fn((rows, size), |(row, column)| {
        T::of((case.value)(column, fill(1, row * size + column)))
    });
    let dy = Array2::from_shape_fn((rows, output.size()), |(row, column)| {
        T::of(fill(3, row * output.size() + column))
    });
    let mode = if *train { Mode::Train { seed: Seed(0), first_row: 0 } } else { Mode::Eval };
    let mut y = Array2::from_elem(dy.dim(), T::nan());
    let mut dx = Array2::from_elem(x.dim(), T::nan());
    let mut grads = vec![T::zero(); plan.size()];
    let layers = &case.layers;
    layers.forward(Forward {
        params: Params::new(&params),
        x: x.view(),
        y: y.view_mut(),
        cache: &mut cache,
        mode,
    });
    layers.backward(Backward {
        params: Params::new(&params),
        grads: Grads::new(&mut grads),
        x: x.view(),
        y: y.view(),
        dy: dy.view(),
        dx: Some(dx.view_mut()),
        cache: &mut cache,
        share: T::one(),
    });
    let flat = |values: ArrayView2<'_, T>| values.iter().copied().collect::<Vec<_>>();
    let mut results = vec![("y", flat(y.view()), right_y), ("grads", grads, right_grads)];
    if !case.ids {
        results.push(("dx", flat(dx.view()), right_dx));
    }
    for (what, found, right) in results {
        let worst = difference(&found, right);
        assert!(worst < tolerance, "{name}: {what} differs by {worst:e} in {}", T::NAME);
    }
}

/// The cases of all files.
fn references() -> Vec<Reference> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path| serde_json::from_str::<File>(&std::fs::read_to_string(path).unwrap()).unwrap();
    files.flat_map(|path| read(path).cases).collect()
}

#[test]
fn layers_agree_with_the_references() {
    let single = every_layer::<f32>();
    let double = every_layer::<f64>();
    for reference in &references() {
        let index = single.iter().position(|case| case.name == reference.name);
        let index = index.unwrap_or_else(|| panic!("no case {}", reference.name));
        compare(&double[index], reference, 1e-7);
        compare(&single[index], reference, 1e-5);
    }
}

/// Layers that have no reference value, by a part of their type, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("TransformerEncoder<chainrule_layers::activations::gated", "PyTorch has no gated encoder"),
    (
        "TransformerEncoder<chainrule_layers::activations::relu::LeakyRelu",
        "the block is compared with other activations",
    ),
    ("SpectralNorm<chainrule_core::", "the wrapper is compared around Dense"),
    ("SpectralNorm<chainrule_layers::normalization", "the wrapper is compared around Dense"),
    ("WeightNorm<chainrule_core::", "the wrapper is compared around Dense"),
    ("WeightNorm<chainrule_layers::normalization", "the wrapper is compared around Dense"),
    ("ConcatProjection<chainrule_core::", "ConvLstm is compared around one convolution"),
    ("Frozen<", "it passes on the results of its layer, which is compared"),
    ("TimeDistributed<chainrule_core::", "the wrapper is compared around Dense"),
];

#[test]
fn every_layer_has_a_reference() {
    let cases = every_layer::<f32>();
    let compared: BTreeSet<_> = references().into_iter().map(|reference| reference.name).collect();
    let (with, without): (Vec<_>, Vec<_>) = cases.iter().partition(|case| compared.contains(case.name));
    let with: BTreeSet<_> = with.into_iter().map(|case| case.layer).collect();
    let reason = |layer: &str| WITHOUT.iter().find(|(part, _)| layer.contains(part));
    let missing: BTreeSet<_> = without.iter().map(|case| case.layer).filter(|l| !with.contains(l)).collect();
    let unknown: Vec<_> = missing.iter().filter(|layer| reason(layer).is_none()).collect();
    assert!(unknown.is_empty(), "add a case to tests/reference, or name a reason, for {unknown:#?}");
    for (part, why) in WITHOUT {
        assert!(missing.iter().any(|layer| layer.contains(part)), "{part} needs no reason: {why}");
    }
}

/// Exported types that are no layers: the erased ones, and a setting.
const NO_LAYERS: &[&str] = &["AnyActivation", "AnyRecurrent", "GateLayout"];

/// The words of a text, where a word is what can be a name.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The texts of all files in this folder of the crate, and in the folders inside it, without the initialisers.
fn texts(folder: &str) -> Vec<String> {
    fn read(path: PathBuf) -> Vec<String> {
        if path.ends_with("src/init") {
            Vec::new()
        } else if path.is_dir() {
            let entries = std::fs::read_dir(path).unwrap();
            entries.flat_map(|entry| read(entry.unwrap().path())).collect()
        } else {
            vec![std::fs::read_to_string(path).unwrap()]
        }
    }
    read(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

/// The trait and the type of `impl<...> Trait<...> for Type<...>`, given what follows `impl`.
fn implementation(text: &str) -> Option<(&str, &str)> {
    let (implemented, ty) = text.split_once('{')?.0.split_once(" for ")?;
    let implemented = implemented.trim();
    let parameters = if implemented.ends_with('>') { implemented.rfind('<')? } else { implemented.len() };
    let implemented = &implemented[..parameters];
    Some((words(implemented).last()?, words(ty).next()?))
}

/// The type with parameters of `type Alias<...> = Type<...>;`, given what follows `type`.
fn aliased(text: &str) -> Option<&str> {
    words(text.split_once(';')?.0.rsplit_once(" = ")?.1).next()
}

/// The types that the `mod.rs` of the families export, without those that are no layers of their own:
///
/// - traits, and what implements a trait of this crate other than [`Activation`](chainrule_layers::Activation), such as a
///   recurrent layer's cell;
/// - types with aliases, which stand for them: `Conv` for `Conv1d`, `Conv2d` and `Conv3d`.
fn exported_layers() -> BTreeSet<String> {
    let sources = texts("../layers/src");
    let after = |keyword: &'static str| sources.iter().flat_map(move |text| text.split(keyword).skip(1));
    let traits: BTreeSet<_> = after("pub trait ").filter_map(|text| words(text).next()).collect();
    let mut others: BTreeSet<_> = after("pub type ").filter_map(aliased).collect();
    for (implemented, ty) in after("impl").filter_map(implementation) {
        if traits.contains(implemented) && implemented != "Activation" {
            others.insert(ty);
        }
    }
    let lists = after("pub use ").filter_map(|text| Some(text.split_once(';')?.0.split_once("::")?.1));
    let types = lists.flat_map(words).filter(|name| name.starts_with(char::is_uppercase));
    types.filter(|name| !traits.contains(name) && !others.contains(name)).map(str::to_owned).collect()
}

#[test]
fn every_layer_is_in_the_list() {
    let cases = texts("src");
    // The imports at the head of a file make no case.
    let code = cases.iter().filter_map(|text| Some(text.split_once("fn ")?.1));
    let used: BTreeSet<_> = code.flat_map(words).collect();
    let exported = exported_layers();
    assert!(exported.len() > 100, "the lists of the families are not found");
    for name in &exported {
        let known = used.contains(&**name) || NO_LAYERS.contains(&&**name);
        assert!(known, "{name} has no case in crates/layer-cases");
    }
    for name in NO_LAYERS {
        assert!(exported.contains(*name), "{name} is not exported: remove it from NO_LAYERS");
    }
}
