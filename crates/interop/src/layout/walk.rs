//! A walk through the layers of a description, from the outermost to those inside.

use chainrule_core::{Description, ParamEntry, Plan, Value};

use super::families;
use super::leaf::Leaf;
use super::{Layout, Layouts, Names};

/// The tensors of these layers under the names of another library.
pub(super) fn layouts(description: &Description, plan: &Plan, names: Names) -> Layouts {
    let mut walk = Walk { entries: plan.entries(), names, layouts: Layouts::default() };
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
}

impl Walk<'_> {
    fn layer(&mut self, description: &Description, place: &Place) {
        match &*description.name {
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
        let within = if place.own.is_empty() { String::new() } else { format!("{}.", place.own) };
        let prefix = if place.other.is_empty() { String::new() } else { format!("{}.", place.other) };
        let own = |entry: &'_ ParamEntry| entry.name.starts_with(&within);
        let entries: Vec<_> = self.entries.iter().filter(|entry| own(entry)).collect();
        let entries: Vec<_> = entries.iter().map(|entry| (&entry.name[within.len()..], *entry)).collect();
        if entries.is_empty() {
            return;
        }
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

/// The descriptions of a list.
fn descriptions(description: &Description, setting: &str) -> Vec<Description> {
    match description.get(setting) {
        Some(Value::List(values)) => values.iter().filter_map(Value::to_description).collect(),
        _ => Vec::new(),
    }
}
