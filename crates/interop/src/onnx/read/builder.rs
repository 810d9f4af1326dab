//! The layers of a graph, one node after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use chainrule_core::{AnyLayer, AnyMerge, Description, Layer, Merge, Plan, Registry, Value};
use chainrule_tensor::Shape;

use super::adaptive::Windows;
use super::attention::{Attended, Scores};
use super::constant::{number, of_node, tensor};
use super::folding::named;
use super::formulas::Formula;
use super::lengths::{constant, lengths_of};
use super::moves::moved;
use super::node::{Converted, Length, Operand, Operation};
use super::norms::{Moments, with_weight};
use super::operators::{Step, convert};
use super::products::{channel_scale, dense, dense_weight, embedding, positions, with_bias, with_factor};
use super::recurrent::Recurrent;
use super::view::{Frame, Rearrangement, View};
use crate::onnx::proto::{NodeProto, TensorProto};
use crate::tensor::Tensor;

/// The layers that nodes become, in the precision that does not matter for their shapes.
pub(super) static REGISTRY: LazyLock<Registry> = LazyLock::new(chainrule_layers::registry::<f32>);

/// How many times the bytes of a file its constants may take as the weights of layers, besides a few.
const COPIES: usize = 8;

/// Bytes that even a small file may make of its constants.
const SMALL: usize = 1 << 16;

/// What a name of the graph stands for.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Samples(Samples),
    Constant(Tensor),
    /// The lengths of the axes of a value, of which some are picked.
    Lengths(Vec<Length>),
    /// This number in a shape that depends on the batch.
    Uniform(f64),
    /// A value on the way to a normalisation or to an activation, which no layer returns.
    Part(Box<Part>),
    /// What a node computes with constants that is not known here; it matters only to who uses it.
    Opaque(Arc<str>),
}

/// What a value is on the way to.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// A normalisation.
    pub(super) moments: Option<Box<Moments>>,
    /// An activation.
    pub(super) formula: Option<Box<Formula>>,
    /// A pooling.
    pub(super) windows: Option<Box<Windows>>,
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.moments.is_none() && self.formula.is_none() && self.windows.is_none()
    }
}

/// A value that no layer returns.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) parts: Parts,
    /// Why none does.
    pub(super) reason: Arc<str>,
}

/// The output of a layer, perhaps in another arrangement, times a number.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    pub(super) view: View,
    pub(super) factor: f64,
    /// Whether what it is a view of is used for nothing else.
    pub(super) sole: bool,
    pub(super) parts: Parts,
}

impl Samples {
    /// A view as it is.
    pub(super) fn of(view: View) -> Self {
        Self { view, factor: 1.0, sole: true, parts: Parts::default() }
    }
}

/// An input or the output of a layer.
pub(super) struct Source {
    pub(super) id: String,
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Input,
    Layer(Applied),
    /// The scores of an attention, of which no layer returns any.
    Scores(Scores),
    /// What an attention returns before its last product.
    Attended(Box<Attended>),
}

/// A layer or merge that is applied to sources.
#[derive(Clone)]
pub(super) struct Applied {
    pub(super) description: Description,
    pub(super) is_merge: bool,
    pub(super) weights: Vec<(&'static str, Tensor)>,
    pub(super) inputs: Vec<usize>,
}

pub(super) struct Builder {
    opset: i64,
    /// How many more bytes the weights of layers may take.
    left: usize,
    /// The number of samples that the graph is for, if it is for one number only.
    batch: Option<i64>,
    pub(super) known: BTreeMap<String, Known>,
    pub(super) sources: Vec<Source>,
    /// Rearrangements that there are, by their source.
    arranged: BTreeMap<(usize, Rearrangement), usize>,
    /// Attentions of one head that are merges, by their source.
    pub(super) merged: BTreeMap<usize, usize>,
    /// What sequences with zeros before them were, by their source.
    pub(super) padded: BTreeMap<usize, (View, Samples)>,
    /// How often each name is used.
    uses: BTreeMap<String, usize>,
    ids: BTreeSet<String>,
}

impl Builder {
    /// A builder for a file of this length.
    pub(super) fn new(opset: i64, length: usize) -> Self {
        Self {
            opset,
            left: length.saturating_mul(COPIES).saturating_add(SMALL),
            batch: None,
            known: BTreeMap::new(),
            sources: Vec::new(),
            arranged: BTreeMap::new(),
            merged: BTreeMap::new(),
            padded: BTreeMap::new(),
            uses: BTreeMap::new(),
            ids: BTreeSet::new(),
        }
    }

    pub(super) fn constants(&mut self, initializers: Vec<TensorProto>) -> Result<(), String> {
        for proto in initializers {
            let name = proto.name.clone().unwrap_or_default();
            let tensor = tensor(proto).map_err(|problem| format!("the constant {name:?}: {problem}"))?;
            if self.known.insert(name.clone(), Known::Constant(tensor)).is_some() {
                return Err(format!("two constants are called {name:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// An input of samples of this shape, for a number of samples if that is not free.
    pub(super) fn input(&mut self, name: String, shape: Shape, batch: Option<i64>) {
        let id = self.unique("input");
        self.batch = self.batch.or(batch);
        let shape = shape.to_vec();
        let view = View::of(self.sources.len(), &shape);
        self.known.insert(name, Known::Samples(Samples::of(view)));
        self.sources.push(Source { id, shape, kind: Kind::Input });
    }

    pub(super) fn count_uses(&mut self, nodes: &[NodeProto], outputs: &[String]) {
        let names = nodes.iter().flat_map(|node| &node.input).chain(outputs);
        // What is omitted has the empty name.
        for name in names.filter(|name| !name.is_empty()) {
            *self.uses.entry(name.clone()).or_insert(0) += 1;
        }
    }

    /// A name that no other source has.
    fn unique(&mut self, name: &str) -> String {
        let numbered = |number: usize| if number == 0 { name.to_owned() } else { format!("{name}_{number}") };
        // Sources are counted, so that this one is free or one of the next.
        let id = if self.ids.contains(name) {
            (self.sources.len()..).map(numbered).find(|id| !self.ids.contains(id)).unwrap_or_default()
        } else {
            name.to_owned()
        };
        self.ids.insert(id.clone());
        id
    }

    pub(super) fn node(&mut self, mut node: NodeProto) -> Result<(), String> {
        let operator = node.op_type.clone().unwrap_or_default();
        let outputs: Vec<String> = std::mem::take(&mut node.output);
        if outputs.first().is_none_or(|output| output.is_empty() && outputs.len() == 1) {
            return Err("it has no output".into());
        }
        let mut inputs = Vec::new();
        for name in &node.input {
            inputs.push(match self.known.get(name) {
                _ if name.is_empty() => None,
                Some(Known::Samples(samples)) => {
                    let sole = samples.sole && self.uses.get(name) == Some(&1);
                    Some(Known::Samples(Samples { sole, ..samples.clone() }))
                }
                Some(known) => Some(known.clone()),
                None => return Err(format!("its input {name:?} is not known")),
            });
        }
        while inputs.pop_if(|known| known.is_none()).is_some() {}
        let used: Vec<bool> = outputs.iter().map(|output| self.uses.contains_key(output)).collect();
        let results = self.results(&mut node, &operator, inputs, &used)?;
        if used.iter().skip(results.len()).any(|used| *used) {
            return Err("a second output of it is used".into());
        }
        for (output, known) in outputs.into_iter().zip(results) {
            let known = match known {
                // What does not depend on the batch is a constant like any other.
                Known::Lengths(lengths) => {
                    constant(&lengths).map_or(Known::Lengths(lengths), Known::Constant)
                }
                known => known,
            };
            if !output.is_empty() && self.known.insert(output.clone(), known).is_some() {
                return Err(format!("{output:?} is computed twice"));
            }
        }
        Ok(())
    }

    /// What the outputs of a node are.
    fn results(
        &mut self,
        node: &mut NodeProto,
        operator: &str,
        inputs: Vec<Option<Known>>,
        used: &[bool],
    ) -> Result<Vec<Known>, String> {
        if operator == "Constant" {
            return Ok(vec![Known::Constant(of_node(node)?)]);
        }
        let samples: Vec<&Samples> = inputs
            .iter()
            .filter_map(|known| match known {
                Some(Known::Samples(samples)) => Some(samples),
                _ => None,
            })
            .collect();
        let part = inputs.iter().flatten().find_map(|known| match known {
            Known::Part(part) => Some(Arc::clone(&part.reason)),
            _ => None,
        });
        let opaque = inputs.iter().find_map(|known| match known {
            Some(Known::Opaque(reason)) => Some(Arc::clone(reason)),
            _ => None,
        });
        // A loop is named, and not what it counts with.
        let is_loop = matches!(operator, "Loop" | "Scan" | "If");
        match opaque.filter(|_| !is_loop) {
            Some(reason) if samples.is_empty() && part.is_none() => {
                return Ok(vec![Known::Opaque(reason); used.len()]);
            }
            Some(reason) => return Err(reason.to_string()),
            None => {}
        }
        if samples.is_empty() && part.is_none() {
            return self.without_samples(node, operator, &inputs, used.len());
        }
        if let Some(known) = self.of_lengths(node, operator, &inputs)? {
            return Ok(vec![known]);
        }
        let operation = Operation {
            node,
            inputs: inputs.iter().map(|known| Self::operand(known.as_ref())).collect(),
            opset: self.opset,
            outputs: used.len(),
            frame: Frame::plain(0),
        };
        if let Some(known) = self.repeated(&operation, operator, &inputs)? {
            return Ok(vec![known]);
        }
        if let [Some(Known::Samples(first)), ..] = &inputs[..]
            && (samples.len() == 1 || operator == "Concat" && samples.len() == inputs.len())
        {
            let views: Vec<&View> = samples.iter().map(|samples| &samples.view).collect();
            let factor = samples.iter().all(|samples| samples.factor == first.factor);
            let is_input = first.factor == 1.0 && matches!(self.sources[first.view.source].kind, Kind::Input);
            let mut moves = moved(&operation, operator, &views, &inputs, self.batch, is_input);
            if moves.is_err() && operator == "Reshape" && first.view.is_of_samples() {
                // Of a part of an axis, or in factors that the axes do not have, a vector is made first.
                let (source, _) = self.arranged(&Samples { factor: 1.0, ..first.clone() })?;
                let description = Description::new("flatten");
                let flat =
                    Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![source] };
                let flat = self.apply("flatten", flat)?;
                let view = View::of(flat, &self.sources[flat].shape);
                moves = moved(&operation, operator, &[&view], &inputs, self.batch, false);
            }
            if let Some(views) = moves?.filter(|_| factor) {
                let parts = if operator == "Identity" { first.parts.clone() } else { Parts::default() };
                let known = |view| Known::Samples(Samples { view, parts: parts.clone(), ..first.clone() });
                return Ok(views.into_iter().map(known).collect());
            }
        }
        let formula = self.formula(&operation, operator, &inputs);
        if let Some(formula) = &formula
            && let Some(known) = self.activation(operator, formula)?
        {
            return Ok(vec![known]);
        }
        if let Some(known) = self.of_norm(operator, &inputs)? {
            return Ok(vec![known]);
        }
        let moments = self.moments(&operation, operator, &inputs);
        let (moments, formula) = (moments.map(Box::new), formula.map(Box::new));
        let parts = Parts { moments, formula, windows: None };
        if let Some(reason) = part {
            return if parts.is_empty() {
                Err(reason.to_string())
            } else {
                Ok(vec![Known::Part(Box::new(Part { parts, reason }))])
            };
        }
        if let Some(scaled) = scaled(operator, &inputs) {
            return Ok(vec![Known::Samples(Samples { parts, ..scaled })]);
        }
        if let Some(known) = self.of_attention(&operation, operator, &inputs)? {
            return Ok(vec![known]);
        }
        if matches!(operator, "LSTM" | "GRU" | "RNN") {
            return self.recurrent(&operation, &inputs, used);
        }
        let node = operation.node;
        match self.layer(operation, operator, &inputs) {
            Ok(Known::Samples(samples)) => {
                // A layer that became another one is not what the formula was of.
                let formula = parts.formula.filter(|formula| !formula.is_of(samples.view.source));
                let parts = Parts { formula, ..parts };
                Ok(vec![Known::Samples(Samples { parts, ..samples })])
            }
            Err(problem) if !parts.is_empty() => {
                let reason = format!("it depends on {}: {problem}", named(node, operator)).into();
                Ok(vec![Known::Part(Box::new(Part { parts, reason }))])
            }
            known => known.map(|known| vec![known]),
        }
    }

    /// Counts bytes that are made of those of the file: a small one could use its constants again and again.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.left.checked_sub(bytes);
        self.left =
            left.ok_or("its constants are used so often that they take many times the memory of the file")?;
        Ok(())
    }

    /// An input of a node as its operation sees it, of samples their shape.
    fn operand(known: Option<&Known>) -> Option<Operand> {
        match known {
            None => None,
            Some(Known::Samples(samples)) => Some(Operand::Samples(samples.view.sample().0)),
            Some(Known::Constant(tensor)) => Some(Operand::Constant(tensor.clone())),
            Some(Known::Lengths(_) | Known::Uniform(_) | Known::Part(_) | Known::Opaque(_)) => {
                Some(Operand::Computed)
            }
        }
    }

    /// The lengths of the axes of samples.
    fn of_lengths(
        &self,
        node: &NodeProto,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Option<Known>, String> {
        match (operator, inputs) {
            ("Shape", [Some(Known::Samples(samples))]) => {
                Ok(Some(Known::Lengths(lengths_of(node, samples.view.lengths()))))
            }
            _ => Ok(None),
        }
    }

    /// The output of a layer that has these samples, which is there or is made by layers that rearrange it, and how they are the axes of the value.
    pub(super) fn arranged(&mut self, samples: &Samples) -> Result<(usize, Frame), String> {
        let mut view = samples.view.clone();
        if samples.factor != 1.0 {
            let scaled = if samples.sole { self.scaled_weights(view.source, samples.factor)? } else { None };
            let problem =
                || format!("its input is multiplied by {}, for which there is no layer", samples.factor);
            view.source = scaled.ok_or_else(problem)?;
        }
        if matches!(self.sources[view.source].kind, Kind::Scores(_) | Kind::Attended(_)) {
            let other = "it is part of an attention that is not of heads with products before and after them";
            // Its axes but that of the one head.
            view.source = self.attended_by_one(view.source)?.ok_or(other)?;
        }
        let mut source = view.source;
        for step in view.rearrangements(&self.sources[source].shape)? {
            if let Some(&there) = self.arranged.get(&(source, step.clone())) {
                source = there;
                continue;
            }
            let cropping = |sides: [[usize; 2]; 2]| {
                let sides = sides.into_iter().map(Value::from).collect();
                Description::new("cropping2d").with("sides", Value::List(sides))
            };
            let list = |axes: &[usize]| Value::List(axes.iter().map(|&axis| Value::from(axis)).collect());
            let (name, description) = match &step {
                Rearrangement::Step { last } => {
                    ("step", Description::new("one_step").with("step", if *last { "last" } else { "first" }))
                }
                Rearrangement::Range { before, after, .. } => {
                    ("slice", cropping([[*before, *after], [0, 0]]))
                }
                Rearrangement::Reshape(shape) if shape.len() == 1 => ("flatten", Description::new("flatten")),
                Rearrangement::Reshape(shape) => {
                    ("reshape", Description::new("reshape").with("axes", list(shape)))
                }
                Rearrangement::Permute(axes) => {
                    ("transpose", Description::new("permute").with("axes", list(axes)))
                }
            };
            let applied = Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![source] };
            let made = self.apply(name, applied)?;
            self.arranged.insert((source, step), made);
            source = made;
        }
        Ok((source, view.sample().1))
    }

    /// A layer with weights that return what this one does times a number; nothing if it has none.
    fn scaled_weights(&mut self, source: usize, factor: f64) -> Result<Option<usize>, String> {
        let source = &self.sources[source];
        let Kind::Layer(applied) = &source.kind else { return Ok(None) };
        let Some(scaled) = with_factor(applied, factor) else { return Ok(None) };
        let name = source.id.clone();
        self.apply(&name, scaled).map(Some)
    }

    fn layer(
        &mut self,
        mut operation: Operation<'_>,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Known, String> {
        if let Some(known) = self.biased(operator, inputs)? {
            return Ok(known);
        }
        if matches!(operator, "MatMul" | "Gemm")
            && let [Some(Known::Samples(samples)), ..] = inputs
        {
            let (weight, bias) = dense_weight(&operation)?;
            return self.product(samples, &weight, bias.as_ref(), operator);
        }
        if let ("Gather", [Some(Known::Constant(table)), Some(Known::Samples(ids))]) = (operator, inputs) {
            let table = embedding(&operation, table.clone())?;
            let (source, frame) = self.arranged(ids)?;
            if frame != Frame::plain(self.sources[source].shape.len()) {
                return Err("the first axis of its ids is not that of the batch".into());
            }
            return self.chain(operator, vec![table], source, &frame);
        }
        if let Some(known) = self.grouped(&operation, operator, inputs)? {
            return Ok(known);
        }
        if let Some(known) = self.summed(&operation, operator, inputs)? {
            return Ok(known);
        }
        // A softmax of the negative values.
        if let ("Softmax", [Some(Known::Samples(samples))]) = (operator, inputs)
            && samples.factor == -1.0
        {
            let (source, frame) = self.arranged(&Samples { factor: 1.0, ..samples.clone() })?;
            operation.frame = frame.clone();
            let of_last = matches!(convert(&operation)?, Step::Layers(layers) if layers[0].description.name == "softmax");
            let softmin = Converted::new(Description::new("softmin"));
            return if of_last {
                self.chain("softmin", vec![softmin], source, &frame)
            } else {
                Err("it is over another axis than the last".into())
            };
        }
        let mut of_samples = Vec::new();
        let mut frames = Vec::new();
        for known in inputs {
            if let Some(Known::Samples(samples)) = known {
                let (source, frame) = self.arranged(samples)?;
                of_samples.push(source);
                frames.push(frame);
            }
        }
        let frame = frames.first().cloned().ok_or("it has no samples")?;
        operation.frame = frame.clone();
        if let Some(values) = positions(&operation, operator) {
            let source = of_samples[0];
            let description = Description::new("learned_positions");
            return self.chain(
                "positions",
                vec![Converted::new(description).weight("weight", values)],
                source,
                &frame,
            );
        }
        if let Some(layer) = channel_scale(&operation, operator)? {
            return self.chain("scale", vec![layer], of_samples[0], &frame);
        }
        if let Some(known) = self.along_axis(operator, inputs)? {
            return Ok(known);
        }
        match convert(&operation)? {
            Step::Layers(layers) => self.chain(operator, layers, of_samples[0], &frame),
            Step::Pooled { order, kept, layers, keep } => {
                let Some(Some(Known::Samples(samples))) = inputs.first() else {
                    return Err("it has no samples".into());
                };
                let moved = Samples { view: samples.view.transposed(&order)?, ..samples.clone() };
                let (source, frame) = self.arranged(&moved)?;
                let shape = self.sources[source].shape.clone();
                let mut source = source;
                let channels: usize = shape[..kept].iter().product();
                if kept != 1 {
                    let mut axes = vec![channels];
                    axes.extend(&shape[kept..]);
                    let axes: Vec<Value> = axes.into_iter().map(Value::from).collect();
                    let description = Description::new("reshape").with("axes", Value::List(axes));
                    source = self.apply(
                        "reshape",
                        Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![source] },
                    )?;
                }
                let Known::Samples(pooled) = self.chain(operator, layers, source, &Frame::plain(1))? else {
                    return Err("it has no output".into());
                };
                debug_assert!(frame.rank() > kept);
                let mut lengths = vec![Length::Batch(1)];
                lengths.extend(shape[..kept].iter().map(|&length| Length::Known(length as i64)));
                let mut view = pooled.view.reshaped(&lengths, true, None)?;
                if keep {
                    let mut axes: Vec<i64> = order[kept + 1..].iter().map(|&axis| axis as i64).collect();
                    axes.sort_unstable();
                    view = view.unsqueezed(&axes)?;
                }
                Ok(Known::Samples(Samples { view, ..pooled }))
            }
            Step::Merge(description) => {
                if of_samples.len() != inputs.len() {
                    return Err("it merges samples with a constant".into());
                }
                if frames.iter().any(|other| *other != frame) {
                    return Err("the batch is another axis of one input than of the other".into());
                }
                let merge = Applied { description, is_merge: true, weights: Vec::new(), inputs: of_samples };
                let source = self.apply(operator, merge)?;
                self.framed(source, &frame)
            }
        }
    }

    /// The output of a layer, with the axes of a value.
    pub(super) fn framed(&self, source: usize, frame: &Frame) -> Result<Known, String> {
        let shape = &self.sources[source].shape;
        let view = if frame.is_plain() {
            View::of(source, shape)
        } else if frame.samples() == shape.len() {
            View::framed(source, shape, frame)
        } else {
            return Err("the first axis of its input is not that of the batch".into());
        };
        Ok(Known::Samples(Samples::of(view)))
    }

    pub(super) fn chain(
        &mut self,
        operator: &str,
        layers: Vec<Converted>,
        source: usize,
        frame: &Frame,
    ) -> Result<Known, String> {
        let mut source = source;
        for Converted { description, weights } in layers {
            source = self
                .apply(operator, Applied { description, is_merge: false, weights, inputs: vec![source] })?;
        }
        self.framed(source, frame)
    }

    /// The product with a weight, `[inputs, units]`, over the last axis: a dense layer for each of the other axes, or the last product of an attention.
    fn product(
        &mut self,
        samples: &Samples,
        weight: &Tensor,
        bias: Option<&Tensor>,
        operator: &str,
    ) -> Result<Known, String> {
        if let Kind::Attended(attended) = &self.sources[samples.view.source].kind
            && let Some(applied) = attended.projected(samples, weight, bias)?
        {
            let steps = self.sources[samples.view.source].shape[0];
            let view = samples.view.clone();
            let source = self.apply("attention", applied)?;
            return Ok(self.of_last_axis(&view, source, steps));
        }
        let view = &samples.view;
        let last = view.rank().checked_sub(1).ok_or("it has no axis")?;
        if view.axis(last).contains(&super::view::Slot::Batch) {
            return Err("its last axis is that of the batch".into());
        }
        let steps: usize = (0..last).map(|axis| view.length(axis)).product();
        let is_vector = view.is_of_samples() && last == 1;
        // The axes before the last as one, of steps.
        let flat = Samples { view: view.as_steps(is_vector), ..samples.clone() };
        let (source, _) = self.arranged(&flat)?;
        let layer = dense(is_vector, weight.clone(), bias.cloned())?;
        let view = view.clone();
        let source = self.apply(
            operator,
            Applied {
                description: layer.description,
                is_merge: false,
                weights: layer.weights,
                inputs: vec![source],
            },
        )?;
        Ok(if is_vector {
            self.framed(source, &Frame::plain(1))?
        } else {
            self.of_last_axis(&view, source, steps)
        })
    }

    /// The output of a layer of steps, with the axes of a view but the last.
    fn of_last_axis(&self, view: &View, source: usize, steps: usize) -> Known {
        debug_assert_eq!(self.sources[source].shape[0], steps);
        let units = self.sources[source].shape[1];
        let view = view.with_last_axis(source, units);
        Known::Samples(Samples::of(view))
    }

    /// What the layer before an addition, or a product, returns with the constant as its bias, or its weight.
    fn biased(&mut self, operator: &str, inputs: &[Option<Known>]) -> Result<Option<Known>, String> {
        let (samples, bias) = match inputs {
            [Some(Known::Samples(samples)), Some(Known::Constant(bias))]
            | [Some(Known::Constant(bias)), Some(Known::Samples(samples))] => (samples, bias),
            _ => return Ok(None),
        };
        if operator == "Add"
            && let Some(known) = self.added_token(samples, bias)?
        {
            return Ok(Some(known));
        }
        if !matches!(operator, "Add" | "Mul") || !samples.sole || samples.factor != 1.0 {
            return Ok(None);
        }
        let source = &mut self.sources[samples.view.source];
        let Kind::Layer(applied) = &mut source.kind else { return Ok(None) };
        let with = if operator == "Add" { with_bias } else { with_weight };
        let Some((description, weights)) = with(applied, &source.shape, &samples.view, bias) else {
            return Ok(None);
        };
        applied.description = description;
        applied.weights = weights;
        Ok(Some(Known::Samples(samples.clone())))
    }

    fn recurrent(
        &mut self,
        operation: &Operation<'_>,
        inputs: &[Option<Known>],
        used: &[bool],
    ) -> Result<Vec<Known>, String> {
        for (input, what) in [(5, "its first state"), (6, "its first memory")] {
            let zero = match inputs.get(input) {
                None | Some(None) => true,
                Some(Some(Known::Uniform(value))) => *value == 0.0,
                Some(Some(Known::Constant(tensor))) => tensor.numbers().all(|value| value == 0.0),
                Some(Some(_)) => false,
            };
            if !zero {
                return Err(format!("{what} is not zero"));
            }
        }
        if inputs.get(4).is_some_and(Option::is_some) {
            return Err("its sequences have lengths of their own".into());
        }
        let [Some(Known::Samples(samples)), ..] = inputs else {
            return Err("its first input is a constant".into());
        };
        let (source, frame) = self.arranged(samples)?;
        let wanted = [used.first() == Some(&true), used.get(1) == Some(&true)];
        if used.get(2) == Some(&true) {
            return Err("its memory is used, which no layer returns".into());
        }
        let recurrent = Recurrent::of(operation, &self.sources[source].shape, &frame, wanted)?;
        let Converted { description, weights } = recurrent.layer;
        let name = operation.operator();
        let source =
            self.apply(name, Applied { description, is_merge: false, weights, inputs: vec![source] })?;
        let shape = &self.sources[source].shape;
        let sole = wanted != [true, true];
        let known = |view: Option<View>| match view {
            Some(view) => Known::Samples(Samples { sole, ..Samples::of(view) }),
            None => Known::Opaque("it is not used".into()),
        };
        Ok(recurrent.outputs.views(source, shape)?.into_iter().map(known).collect())
    }

    pub(super) fn add(&mut self, name: &str, shape: Vec<usize>, kind: Kind) -> usize {
        let id = self.unique(name);
        self.sources.push(Source { id, shape, kind });
        self.sources.len() - 1
    }

    pub(super) fn source(&self, source: usize) -> &Source {
        &self.sources[source]
    }

    /// Adds a layer that is applied to sources; checks it and its weights.
    pub(super) fn apply(&mut self, operator: &str, applied: Applied) -> Result<usize, String> {
        let Applied { description, is_merge, weights, inputs } = &applied;
        let shape_of = |&input: &usize| {
            let source = &self.sources[input];
            let shape =
                Shape::new(&source.shape).filter(|_| matches!(source.kind, Kind::Input | Kind::Layer(_)));
            shape.ok_or_else(|| {
                format!("{description} is no layer for samples of the axes {:?}", source.shape)
            })
        };
        let shapes = inputs.iter().map(shape_of).collect::<Result<Vec<Shape>, _>>()?;
        let mut plan = Plan::new();
        let refused = |error: &dyn std::fmt::Display| format!("{description} is no layer for it: {error}");
        let output = if *is_merge {
            let merge: AnyMerge<f32> = REGISTRY.build(description).map_err(|error| refused(&error))?;
            Merge::plan(&merge, &shapes, &mut plan).map(|(output, _)| output)
        } else {
            let layer: AnyLayer<f32> = REGISTRY.build(description).map_err(|error| refused(&error))?;
            Layer::plan(&layer, shapes[0], &mut plan).map(|(output, _)| output)
        };
        let shape = output.map_err(|error| refused(&error))?;
        self.spend(weights.iter().map(|(_, tensor)| tensor.size()).sum())?;
        for entry in plan.entries() {
            let tensor = weights.iter().find(|(name, _)| *name == entry.name).map(|(_, tensor)| tensor);
            if tensor.is_none_or(|tensor| tensor.shape() != &*entry.shape) {
                return Err(format!("its {} is not of the shape {}", entry.name, entry.shape));
            }
        }
        Ok(self.add(&operator.to_lowercase(), shape.to_vec(), Kind::Layer(applied)))
    }
}

/// Samples times a number.
fn scaled(operator: &str, inputs: &[Option<Known>]) -> Option<Samples> {
    let (samples, by) = match (operator, inputs) {
        (
            "Mul",
            [Some(Known::Samples(samples)), Some(Known::Constant(by))]
            | [Some(Known::Constant(by)), Some(Known::Samples(samples))],
        ) => (samples, number_of(by)?),
        ("Div", [Some(Known::Samples(samples)), Some(Known::Constant(by))]) => {
            (samples, 1.0 / number_of(by)?)
        }
        ("Neg", [Some(Known::Samples(samples))]) => (samples, -1.0),
        _ => return None,
    };
    (by.is_finite() && by != 0.0).then(|| Samples { factor: samples.factor * by, ..samples.clone() })
}

/// The one number of a constant that adds no axis.
fn number_of(tensor: &Tensor) -> Option<f64> {
    number(tensor).filter(|_| tensor.shape().len() <= 1)
}
