//! A walk through the layers of a description, from the outermost to those inside.

use std::collections::BTreeMap;

use chainrule_core::{Description, ParamEntry, Plan, Value};

use super::families;
use super::keras;
use super::leaf::{Leaf, whole};
use super::{Layout, Layouts, Names};

/// The tensors of these layers under the names of another library.
pub(super) fn layouts(description: &Description, plan: &Plan, names: Names) -> Layouts {
    let mut walk =
        Walk { entries: plan.entries(), names, layouts: Layouts::default(), counts: BTreeMap::new() };
    walk.layer(description, &Place::default());
    walk.layouts
}

/// Where a layer is: its path here, that in the other library, and whether it only repeats the weights of another.
#[derive(Clone, Default)]
struct Place {
    own: String,
    other: String,
    shared: bool,
}

impl Place {
    /// That of a layer inside, of this name in both.
    fn inner(&self, name: &str) -> Self {
        Self { other: joined(&self.other, name), ..self.transparent(name) }
    }

    /// That of a layer inside of a wrapper that PyTorch has no module for, and Keras no name.
    fn transparent(&self, name: &str) -> Self {
        Self { own: joined(&self.own, name), ..self.clone() }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

struct Walk<'a> {
    entries: &'a [ParamEntry],
    names: Names,
    layouts: Layouts,
    /// How many layers of each class there are in each group of a file of Keras.
    counts: BTreeMap<String, usize>,
}

impl Walk<'_> {
    fn layer(&mut self, description: &Description, place: &Place) {
        match &*description.name {
            "sequential" if self.names == Names::KerasFile => self.group(description, place),
            "branches" | "residual" | "graph" | "side_by_side" if self.names == Names::KerasFile => {
                let entries = within(self.entries, &place.own);
                self.layouts.tensors.extend(entries.map(|(_, entry)| whole(entry, entry.name.clone())));
            }
            "sequential" => self.numbered(description, "layers", place),
            "branches" => {
                self.numbered(description, "branches", place);
                self.setting(description, "merge", &place.inner("merge"));
            }
            "residual" => self.setting(description, "layer", &place.inner("residual")),
            "frozen" => self.setting(description, "layer", &place.transparent("frozen")),
            "time_distributed" => self.setting(description, "layer", &place.transparent("step")),
            "side_by_side" => self.setting(description, "merge", &place.transparent("merge")),
            "graph" => self.graph(description, place),
            _ => self.leaf(description, place),
        }
    }

    fn setting(&mut self, description: &Description, setting: &str, place: &Place) {
        if let Some(inner) = description.get(setting).and_then(Value::to_description) {
            self.layer(&inner, place);
        }
    }

    fn numbered(&mut self, description: &Description, setting: &str, place: &Place) {
        for (index, layer) in descriptions(description, setting).iter().enumerate() {
            self.layer(layer, &place.inner(&index.to_string()));
        }
    }

    /// A sequence as Keras' files have it: a group for the layers, called by their classes.
    fn group(&mut self, description: &Description, place: &Place) {
        let group = if place.other.is_empty() {
            "layers".to_owned()
        } else {
            format!("{}/layers", self.counted(&place.other, "sequential"))
        };
        for (index, layer) in descriptions(description, "layers").iter().enumerate() {
            self.layer(layer, &Place { other: group.clone(), ..place.transparent(&index.to_string()) });
        }
    }

    /// The name of the next layer of this class in a group: `dense`, `dense_1`.
    fn counted(&mut self, group: &str, class: &str) -> String {
        let name = format!("{group}/{class}");
        let count = self.counts.entry(name.clone()).or_insert(0);
        *count += 1;
        match *count - 1 {
            0 => name,
            before => format!("{name}_{before}"),
        }
    }

    fn graph(&mut self, description: &Description, place: &Place) {
        let nodes = descriptions(description, "nodes");
        for node in &nodes {
            let Some(Value::Text(id)) = node.get("id") else { continue };
            let of = match node.get("of") {
                Some(Value::Text(of)) => of,
                _ => id,
            };
            // The node that has the layer, which may be this one.
            let owner =
                nodes.iter().find(|node| node.get("id").is_some_and(|id| *id == Value::Text(of.clone())));
            let layer = owner.and_then(|owner| owner.get("layer").or(owner.get("merge")));
            let Some(layer) = layer.and_then(Value::to_description) else { continue };
            let own = joined(&place.own, of);
            let shared = place.shared || of != id;
            self.layer(&layer, &Place { own, other: joined(&place.other, id), shared });
        }
    }

    fn leaf(&mut self, description: &Description, place: &Place) {
        let entries: Vec<_> = within(self.entries, &place.own).collect();
        if entries.is_empty() {
            return;
        }
        if self.names == Names::KerasFile {
            let leaf = Leaf { description, prefix: "", entries };
            let layouts = families::layouts(&leaf, self.names).zip(keras::class(&leaf));
            let layouts = match layouts {
                Some((layouts, class)) => keras::in_file(&leaf, layouts, &self.counted(&place.other, class)),
                None => leaf.entries.iter().map(|(_, entry)| whole(entry, entry.name.clone())).collect(),
            };
            self.layouts.tensors.extend(layouts);
            return;
        }
        let prefix = if place.other.is_empty() { String::new() } else { format!("{}.", place.other) };
        let leaf = Leaf { description, prefix: &prefix, entries };
        let layouts: Vec<Layout> = families::layouts(&leaf, self.names).unwrap_or_else(|| leaf.own());
        if description.name == "batch_norm" && self.names == Names::PyTorch {
            self.layouts.ignored.push(leaf.name("num_batches_tracked"));
        }
        if place.shared {
            self.layouts.ignored.extend(layouts.into_iter().map(|layout| layout.name));
        } else {
            self.layouts.tensors.extend(layouts);
        }
    }
}

/// The parameters of the layer with this path, with their names within it.
fn within<'a>(entries: &'a [ParamEntry], path: &str) -> impl Iterator<Item = (&'a str, &'a ParamEntry)> {
    let path = if path.is_empty() { String::new() } else { format!("{path}.") };
    entries.iter().filter_map(move |entry| Some((entry.name.strip_prefix(&path)?, entry)))
}

/// The descriptions of a list.
fn descriptions(description: &Description, setting: &str) -> Vec<Description> {
    match description.get(setting) {
        Some(Value::List(values)) => values.iter().filter_map(Value::to_description).collect(),
        _ => Vec::new(),
    }
}
