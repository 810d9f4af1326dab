//! The graph of a model, for its page, from the description of its layers and what its plan calls them.

use std::collections::HashMap;

use chainrule::core::{Description, Value};
use chainrule::train::Model;
use chainrule_report::{GraphNode, ModelGraph};

/// The graph of a model, if its layers are not just one after the other.
pub(crate) fn model_graph(model: &Model<f32>) -> Option<ModelGraph> {
    let labels = model.plan().layers().iter().map(|layer| (layer.path.as_str(), layer.label.as_str()));
    let mut drawing = GraphDrawing { labels: labels.collect(), ..GraphDrawing::default() };
    let input = drawing.node("input", vec![model.input().to_string()], &[]);
    drawing.layers(&model.describe(), "", vec![input]);
    drawing.has_branches.then_some(drawing.graph)
}

/// A graph while it is drawn.
#[derive(Default)]
struct GraphDrawing<'m> {
    graph: ModelGraph,
    /// What the layers are called, by their paths.
    labels: HashMap<&'m str, &'m str>,
    /// Whether something is not just after what is before it.
    has_branches: bool,
}

impl GraphDrawing<'_> {
    /// Adds a node that depends on these, and returns its index.
    fn node(&mut self, name: &str, lines: Vec<String>, above: &[usize]) -> usize {
        let index = self.graph.nodes.len();
        self.graph.nodes.push(GraphNode { name: name.to_owned(), lines });
        let mut above: Vec<usize> = above.to_vec();
        above.sort_unstable();
        above.dedup();
        self.graph.edges.extend(above.into_iter().map(|above| (above, index)));
        index
    }

    fn label(&self, layer: &Description, path: &str) -> String {
        self.labels.get(path).map_or_else(|| layer.name.clone(), |label| (*label).to_owned())
    }

    /// The labels of the layers in a layer, one after the other.
    fn lines(&self, layer: &Description, path: &str) -> Vec<String> {
        if layer.name != SEQUENTIAL {
            return vec![self.label(layer, path)];
        }
        let inner = described(layer.get("layers")).into_iter().enumerate();
        inner.flat_map(|(index, inner)| self.lines(&inner, &join(path, &index.to_string()))).collect()
    }

    /// Adds a layer after these nodes, and returns those that nothing is after.
    fn layers(&mut self, layer: &Description, path: &str, mut above: Vec<usize>) -> Vec<usize> {
        let mut lines = Vec::new();
        for (path, layer) in in_order(layer, path) {
            if !is_branched(&layer) {
                lines.extend(self.lines(&layer, &path));
                continue;
            }
            if !lines.is_empty() {
                above = vec![self.node("", std::mem::take(&mut lines), &above)];
            }
            above = self.branched(&layer, &path, above);
        }
        if !lines.is_empty() {
            above = vec![self.node("", lines, &above)];
        }
        above
    }

    fn branched(&mut self, layer: &Description, path: &str, above: Vec<usize>) -> Vec<usize> {
        self.has_branches = true;
        match &*layer.name {
            "residual" => {
                let mut ends = above.clone();
                if let Some(inner) = layer.get("layer").and_then(Value::to_description) {
                    ends.extend(self.layers(&inner, &join(path, "residual"), above));
                }
                vec![self.node("", vec!["Add".to_owned()], &ends)]
            }
            "branches" => {
                let mut ends = Vec::new();
                for (index, branch) in described(layer.get("branches")).iter().enumerate() {
                    ends.extend(self.layers(branch, &join(path, &index.to_string()), above.clone()));
                }
                let merge = layer.get("merge").and_then(Value::to_description);
                let merge = merge.map(|merge| self.label(&merge, &join(path, "merge")));
                vec![self.node("", merge.into_iter().collect(), &ends)]
            }
            _ => self.graph_of(layer, path, &above),
        }
    }

    /// Adds the nodes of a graph, and returns those of its outputs.
    fn graph_of(&mut self, graph: &Description, path: &str, above: &[usize]) -> Vec<usize> {
        // The nodes that have what each name stands for.
        let mut known: HashMap<String, Vec<usize>> = HashMap::new();
        for input in described(graph.get("inputs")) {
            let name = text(input.get("id"));
            let shape = input.get("shape").map(ToString::to_string);
            let node = self.node(&name, shape.into_iter().collect(), above);
            known.insert(name, vec![node]);
        }
        if known.is_empty() {
            known.insert("input".to_owned(), above.to_vec());
        }
        for node in described(graph.get("nodes")) {
            let name = text(node.get("id"));
            let names = match node.get("input") {
                Some(input) => vec![text(Some(input))],
                None => texts(node.get("inputs")),
            };
            let above = names.iter().filter_map(|name| known.get(name)).flatten();
            let above: Vec<usize> = above.copied().collect();
            let path = join(path, &name);
            let own = node.get("layer").or(node.get("merge")).and_then(Value::to_description);
            let ends = match own {
                Some(own) if in_order(&own, &path).iter().any(|(_, layer)| is_branched(layer)) => {
                    let ends = self.layers(&own, &path, above);
                    if let [end] = ends[..]
                        && self.graph.nodes[end].name.is_empty()
                    {
                        self.graph.nodes[end].name.clone_from(&name);
                    }
                    ends
                }
                own => {
                    let lines = own.map(|own| self.lines(&own, &path));
                    let lines =
                        lines.unwrap_or_else(|| vec![format!("the layers of {}", text(node.get("of")))]);
                    vec![self.node(&name, lines, &above)]
                }
            };
            known.insert(name, ends);
        }
        let outputs = texts(graph.get("outputs"));
        outputs.iter().filter_map(|name| known.get(name)).flatten().copied().collect()
    }
}

/// The name of layers one after the other.
const SEQUENTIAL: &str = "sequential";

/// The path of a layer within another.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A layer, or those of layers one after the other, whichever of them are such layers again, with their paths.
fn in_order(layer: &Description, path: &str) -> Vec<(String, Description)> {
    if layer.name != SEQUENTIAL {
        return vec![(path.to_owned(), layer.clone())];
    }
    let inner = described(layer.get("layers")).into_iter().enumerate();
    inner.flat_map(|(index, inner)| in_order(&inner, &join(path, &index.to_string()))).collect()
}

fn is_branched(layer: &Description) -> bool {
    matches!(&*layer.name, "graph" | "branches" | "residual")
}

fn described(list: Option<&Value>) -> Vec<Description> {
    match list {
        Some(Value::List(items)) => items.iter().filter_map(Value::to_description).collect(),
        Some(one) => one.to_description().into_iter().collect(),
        None => Vec::new(),
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    match list {
        Some(Value::List(items)) => items.iter().map(|item| text(Some(item))).collect(),
        Some(one) => vec![text(Some(one))],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule::prelude::*;

    fn of(layers: Sequential<f32>) -> Option<ModelGraph> {
        model_graph(&Model::new([4], layers, Seed(0)).unwrap())
    }

    #[test]
    fn what_is_one_after_the_other_has_none() {
        assert_eq!(of(Sequential::new().then(Dense::new(3)).then(Relu)), None);
    }

    #[test]
    fn nodes_are_after_those_that_they_depend_on() {
        let graph = Graph::new()
            .layer("first", Sequential::new().then(Dense::new(4)).then(Relu), "input")
            .merge("sum", Add, ["first", "input"])
            .layer("a b", Dense::new(1), "sum")
            .shared("again", "a b", ["first"])
            .outputs(["a b", "again"]);
        let found = of(Sequential::new().then(Dense::new(4)).then(graph).then(Relu)).unwrap();
        let names: Vec<&str> = found.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["input", "", "first", "sum", "a b", "again", ""]);
        assert_eq!(found.edges, [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (2, 5), (4, 6), (5, 6)]);
        assert_eq!(
            (&*found.nodes[0].lines, &*found.nodes[2].lines),
            (&["[4]".to_owned()][..], &["Dense(units=4)".to_owned(), "Relu".to_owned()][..])
        );
        assert!(found.nodes[3].lines[0].contains("Add"), "{:?}", found.nodes[3]);
        assert!(found.nodes[5].lines[0].contains("a b"));
    }

    #[test]
    fn layers_within_layers_are_drawn() {
        let inner = Sequential::new().then(Residual(Dense::new(4))).then(Relu);
        let found = of(Sequential::new().then(Dense::new(4)).then(Sequential::new().then(inner))).unwrap();
        let lines: Vec<&[String]> = found.nodes.iter().skip(1).map(|node| &*node.lines).collect();
        assert_eq!(lines, [["Dense(units=4)"], ["Dense(units=4)"], ["Add"], ["Relu"]]);
        assert_eq!(found.edges, [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4)]);
        // A residual in the nodes of a graph, and in the branches.
        let nested = || Sequential::new().then(Residual(Dense::new(4))).then(Relu);
        let graph = Graph::new().layer("a", nested(), "input").layer("b", Dense::new(1), "a").outputs(["b"]);
        let found = of(Sequential::new().then(graph)).unwrap();
        let names: Vec<&str> = found.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["input", "", "", "a", "b"]);
        assert_eq!(found.edges, [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4)]);
    }

    #[test]
    fn residuals_and_branches_go_around() {
        let inner = Sequential::new().then(Dense::new(4)).then(Relu);
        let branches = Branches::new(Concat::axis(0)).branch(Dense::new(2)).branch(Dense::new(3));
        let found = of(Sequential::new().then(Residual(inner)).then(branches)).unwrap();
        assert_eq!(found.edges, [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 5), (4, 5)]);
        assert_eq!(found.nodes[1].lines, ["Dense(units=4)", "Relu"]);
        assert_eq!(found.nodes[2].lines, ["Add"]);
        assert_eq!(found.nodes[3].lines, ["Dense(units=2)"]);
    }
}
