//! Layers that are not one after the other.

mod node;
pub(crate) mod pass;
pub(crate) mod plan;
mod text;

use std::fmt;
use std::sync::Arc;

use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, s};

use crate::containers::any::{AnyLayer, AnyMerge};
use crate::containers::erased::Erased;
use crate::containers::graph::node::{Node, Operation};
use crate::containers::graph::pass::GraphCache;
use crate::containers::graph::plan::{GraphBuilder, INPUT};
use crate::containers::graph::text::InputText;
use crate::error::{ShapeError, ValueError};
use crate::label::Label;
use crate::layer::{Backward, Forward, Layer};
use crate::merge::Merge;
use crate::plan::Plan;
use crate::{Described, DescriptionError, Entry, SettingValue, Settings, Value, described, entry};

/// A graph of named nodes, each of which applies a layer or a [`Merge`] to inputs and earlier nodes.
///
/// It is itself a layer. Several inputs are concatenated in a sample, which is then a vector of all their values, and so are
/// several outputs. Backward, the chain rule goes from the last node to the first; where an output is used several times, its
/// gradients are added up. Mistakes in a graph, such as an unknown name, are reported by `plan`.
///
/// Two inputs that are merged, and two outputs:
///
/// ```
/// # use chainrule_core::{Graph, Merge, MergeBackward, MergeForward, Layer, Plan, ShapeError, Forward, Backward};
/// # use chainrule_tensor::Shape;
/// # #[derive(Clone, Debug)] struct Twice;
/// # impl Layer<f32> for Twice {
/// #     type Cache = ();
/// #     fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> { Ok((input, ())) }
/// #     fn forward(&self, pass: Forward<'_, f32>) { ndarray::Zip::from(pass.y).and(pass.x).for_each(|y, x| *y = 2.0 * x) }
/// #     fn backward(&self, pass: Backward<'_, f32>) { ndarray::Zip::from(pass.dx.unwrap()).and(pass.dy).for_each(|y, x| *y = 2.0 * x) }
/// # }
/// # #[derive(Clone, Debug)] struct Add;
/// # impl Merge<f32> for Add {
/// #     type Cache = ();
/// #     fn plan(&self, inputs: &[Shape], _: &mut Plan) -> Result<(Shape, ()), ShapeError> { Ok((inputs[0], ())) }
/// #     fn forward(&self, mut pass: MergeForward<'_, f32>) { pass.y.fill(0.0); pass.xs.iter().for_each(|x| pass.y += x); }
/// #     fn backward(&self, pass: MergeBackward<'_, f32>) { pass.dxs.iter_mut().flatten().for_each(|dx| dx.assign(&pass.dy)); }
/// # }
/// let graph = Graph::new()
///     .input("image", [28, 28])
///     .input("text", [28, 28])
///     .layer("doubled", Twice, "image")
///     .merge("both", Add, ["doubled", "text"])
///     .layer("answer", Twice, "both")
///     .outputs(["answer", "doubled"]);
/// let (output, _) = graph.plan([2 * 28 * 28].into(), &mut Plan::new())?;
/// assert_eq!(output, [2 * 28 * 28].into());
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
///
/// A skip connection is an input of a later merge: `.layer("deep", ..., "shallow").merge("sum", Add,
/// ["deep", "shallow"])`. Two branches with the same weights, as in a Siamese network, are a node and another that
/// [`shared`](Self::shared) applies to another input: `.layer("left", tower, "a").shared("right", "left", ["b"])`.
///
/// The names of a node's parameters begin with its own name: `"left.0.weight"`.
#[derive(Clone)]
pub struct Graph<T> {
    inputs: Vec<(String, Shape)>,
    nodes: Vec<Node<T>>,
    outputs: Vec<String>,
}

impl Graph<f32> {
    /// No nodes yet, in single precision. `Graph::<f64>::new()` is the same in double precision: see [`New`](crate::New).
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T> Default for Graph<T> {
    fn default() -> Self {
        Self { inputs: Vec::new(), nodes: Vec::new(), outputs: Vec::new() }
    }
}

impl<T: Real> Graph<T> {
    /// Adds an input of this shape. A graph for which none is named has one, the sample, with the name `"input"`.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, shape: impl Into<Shape>) -> Self {
        self.inputs.push((name.into(), shape.into()));
        self
    }

    /// Adds a node that applies this layer to an input or an earlier node.
    #[must_use]
    pub fn layer(self, name: impl Into<String>, layer: impl Layer<T>, input: impl Into<String>) -> Self {
        self.erased(name.into(), AnyLayer::new(layer).0, vec![input.into()])
    }

    /// Adds a node that merges several inputs or earlier nodes.
    #[must_use]
    pub fn merge(
        self,
        name: impl Into<String>,
        merge: impl Merge<T>,
        inputs: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.erased(name.into(), AnyMerge::new(merge).0, inputs.into_iter().map(Into::into).collect())
    }

    /// Adds a node that applies the layer of the node `of`, with the same weights, to other inputs. Both uses add to
    /// the weights' gradients; running statistics move to the mean of what the uses compute.
    #[must_use]
    pub fn shared(
        self,
        name: impl Into<String>,
        of: impl Into<String>,
        inputs: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let inputs = inputs.into_iter().map(Into::into).collect();
        self.node(name.into(), Operation::Shared(of.into()), inputs)
    }

    /// Names the outputs. A single one is the output of the graph; several are concatenated.
    #[must_use]
    pub fn outputs(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.outputs.extend(names.into_iter().map(Into::into));
        self
    }

    /// Adds a node with a layer or merge of erased type.
    pub(crate) fn erased(self, name: String, erased: Arc<dyn Erased<T>>, inputs: Vec<String>) -> Self {
        self.node(name, Operation::Own(erased), inputs)
    }

    fn node(mut self, name: String, operation: Operation<T>, inputs: Vec<String>) -> Self {
        self.nodes.push(Node { name, inputs, operation });
        self
    }

    /// The columns of `x` that belong to the input with this name, if there is one.
    fn columns<'a>(&self, name: &str, x: ArrayView2<'a, T>) -> Option<ArrayView2<'a, T>> {
        if self.inputs.len() < 2 {
            let only = self.inputs.first().map_or(INPUT, |(name, _)| name);
            return (name == only).then_some(x);
        }
        let mut start = 0;
        for (input, shape) in &self.inputs {
            if input == name {
                return Some(x.slice_move(s![.., start..start + shape.size()]));
            }
            start += shape.size();
        }
        None
    }

    /// The columns of `x` that the input or one of the `nodes` with this name returns unchanged.
    fn unchanged<'a>(
        &self,
        name: &str,
        nodes: &[Node<T>],
        x: ArrayView2<'a, T>,
    ) -> Option<ArrayView2<'a, T>> {
        self.columns(name, x).or_else(|| {
            let index = nodes.iter().position(|node| node.name == name)?;
            let node = &nodes[index];
            if !self.operation(node)?.is_identity() {
                return None;
            }
            self.unchanged(node.inputs.first()?, &nodes[..index], x)
        })
    }

    /// The layer or merge of a node, its own or shared.
    fn operation<'a>(&'a self, node: &'a Node<T>) -> Option<&'a Arc<dyn Erased<T>>> {
        match &node.operation {
            Operation::Own(erased) => Some(erased),
            Operation::Shared(of) => self.nodes.iter().find(|node| node.name == *of)?.own(),
        }
    }
}

impl<T: Real> Described for Graph<T> {
    const ENTRY: Entry = entry! {
        /// Named nodes, each a layer or a merge of inputs and earlier nodes.
        Graph = "graph";
        settings {
            /// The inputs, `input(a, [28, 28])`; without any, the sample is the input named `input`.
            inputs: [];
            /// The nodes: `layer(b, dense(10), a)`, `merge(c, add, [a, b])`, and `shared(d, b, [c])` with the weights of `b`.
            nodes: required;
            /// The names of the outputs.
            outputs: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let inputs: Vec<InputText> = settings.get("inputs")?;
        let inputs = inputs.into_iter().map(|InputText { id, shape }| (id, shape)).collect();
        Ok(Self { inputs, nodes: settings.get("nodes")?, outputs: settings.get("outputs")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        let input =
            |(name, shape): &(String, Shape)| InputText { id: name.clone(), shape: *shape }.to_value();
        let inputs = self.inputs.iter().map(input).collect();
        vec![Value::List(inputs), self.nodes.to_value(), self.outputs.to_value()]
    }
}

impl<T> fmt::Debug for Graph<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Graph")?;
        let mut list = f.debug_list();
        for (name, shape) in &self.inputs {
            list.entry(&format_args!("{name}: {shape}"));
        }
        for Node { name, inputs, operation } in &self.nodes {
            let inputs = inputs.join(", ");
            match operation {
                Operation::Own(erased) => list.entry(&format_args!("{name} = {erased:?}({inputs})")),
                Operation::Shared(of) => list.entry(&format_args!("{name} = {of}({inputs})")),
            };
        }
        list.entry(&format_args!("-> {}", self.outputs.join(", "))).finish()
    }
}

impl<T: Real> Layer<T> for Graph<T> {
    type Cache = GraphCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, GraphCache<T>), ShapeError> {
        let mut builder = GraphBuilder::new(&self.inputs, &self.nodes, input, plan)?;
        for node in &self.nodes {
            builder.node(node)?;
        }
        builder.finish(&self.outputs)
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        for (index, node) in self.nodes.iter().enumerate() {
            let unchanged = |name: &String| self.unchanged(name, &self.nodes[..index], x);
            let given = node.inputs.first().and_then(unchanged);
            if let (Some(erased), Some(x)) = (self.operation(node), given) {
                erased.check(x)?;
            }
        }
        Ok(())
    }

    fn label(&self) -> Label {
        Label::of_text(&format!("Graph of {} nodes", self.nodes.len()))
    }

    described!();

    fn forward(&self, pass: Forward<'_, T, GraphCache<T>>) {
        pass::forward(pass);
    }

    fn backward(&self, pass: Backward<'_, T, GraphCache<T>>) {
        pass::backward(pass);
    }
}
