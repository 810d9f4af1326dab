//! Layers that contain others.

use super::modules::layer;
use super::writer::{Built, Writer, argument};
use crate::site::{Reason, Site};

pub(super) fn sequential(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let mut text = "nn.Sequential(".to_owned();
    let mut shape = x.to_vec();
    for (index, description) in site.descriptions("layers")?.into_iter().enumerate() {
        let module = layer(writer, &site.inner(&index.to_string(), description), &shape)?;
        text += &argument(&module.text);
        shape = module.shape;
    }
    writer.module(text + "\n)", shape)
}

/// A sum with the input, or branches and their merge.
pub(super) fn around(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    if site.description.name == "residual" {
        let inner = layer(writer, &site.of_setting("layer", "residual")?, x)?;
        writer.helper("Residual");
        return writer.module(format!("Residual({}\n)", argument(&inner.text)), inner.shape);
    }
    let mut branches = String::new();
    let descriptions = site.descriptions("branches")?;
    let count = descriptions.len();
    for (index, description) in descriptions.into_iter().enumerate() {
        branches += &argument(&layer(writer, &site.inner(&index.to_string(), description), x)?.text);
    }
    let merge = site.of_setting("merge", "merge")?;
    let names: Vec<String> = (0..count).map(|index| format!("ys[{index}]")).collect();
    let merged = merged(&merge, &names)?;
    writer.helper("Branches");
    let output = writer.output(site)?;
    writer.module(format!("Branches(\n    lambda ys: {merged},{branches}\n)"), output)
}

/// What merges these values.
fn merged(merge: &Site, names: &[String]) -> Result<String, Reason> {
    let reduced = |function: &str| format!("functools.reduce(torch.{function}, [{}])", names.join(", "));
    Ok(match &*merge.description.name {
        "add" => names.join(" + "),
        "subtract" => names.join(" - "),
        "multiply" => names.join(" * "),
        "average" => format!("({}) / {}", names.join(" + "), names.len()),
        "maximum" => reduced("maximum"),
        "minimum" => reduced("minimum"),
        "concat" => format!("torch.cat([{}], {})", names.join(", "), merge.count("axis")? + 1),
        other => return Err(format!("there is no module for the merge {other}")),
    })
}

/// The name of the sample in a graph that names no input, as in the plan.
const INPUT: &str = "input";

/// A class of its own, whose modules are the nodes.
pub(super) fn graph(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let mut values: Vec<(String, Vec<usize>)> = Vec::new();
    for input in site.descriptions("inputs")? {
        let own = site.inner("", input);
        values.push((own.text("id").ok_or("an input has no name")?.to_owned(), own.shape("shape")?));
    }
    if values.is_empty() {
        values.push((INPUT.to_owned(), x.to_vec()));
    }
    let mut forward = String::new();
    if let [_] = values[..] {
        forward += "        v0 = x\n";
    } else {
        let mut start = 0;
        for (index, (_, shape)) in values.iter().enumerate() {
            let end = start + shape.iter().product::<usize>();
            let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
            forward +=
                &format!("        v{index} = x[:, {start}:{end}].reshape(len(x), {})\n", axes.join(", "));
            start = end;
        }
    }
    let mut modules = String::new();
    let sites: Vec<Site> = site.descriptions("nodes")?.into_iter().map(|node| site.inner("", node)).collect();
    for node in &sites {
        let id = node.text("id").ok_or("a node has no name")?;
        // The node that has the layer and its weights.
        let of = node.text("of").unwrap_or(id);
        let owner = sites.iter().find(|node| node.text("id") == Some(of));
        let owner = owner.ok_or_else(|| format!("there is no node {of}"))?;
        let names = match node.text("input") {
            Some(name) => vec![name],
            None => node.texts("inputs")?,
        };
        let from: Vec<usize> = names.iter().map(|name| find(&values, name)).collect::<Result<_, _>>()?;
        let inputs: Vec<String> = from.iter().map(|index| format!("v{index}")).collect();
        let inner = |description| site.inner(of, description);
        let value = match owner.described("merge") {
            Ok(merge) => {
                let merge = inner(merge);
                (merged(&merge, &inputs)?, writer.output(&merge)?)
            }
            Err(_) => {
                let [only] = from[..] else { return Err("a layer has other than one input".into()) };
                let module = layer(writer, &inner(owner.described("layer")?), &values[only].1.clone())?;
                if of.contains('.') {
                    return Err(format!(
                        "PyTorch's modules have no dot in their names: call the node {of} otherwise"
                    )
                    .into());
                }
                let name = serde_json::Value::from(of);
                if of == id {
                    let text = argument(&module.text).replace('\n', "\n        ");
                    modules += &format!(
                        "        self.add_module({name},{}\n        )\n",
                        text.trim_end_matches(',')
                    );
                }
                (format!("self.get_submodule({name})({})", inputs[0]), module.shape)
            }
        };
        forward += &format!("        v{} = {}\n", values.len(), value.0);
        values.push((id.to_owned(), value.1));
    }
    let outputs: Vec<usize> =
        site.texts("outputs")?.into_iter().map(|name| find(&values, name)).collect::<Result<_, _>>()?;
    let (returned, shape) = match outputs[..] {
        [only] => (format!("v{only}"), values[only].1.clone()),
        _ => {
            let flat: Vec<String> = outputs.iter().map(|index| format!("v{index}.flatten(1)")).collect();
            let size = outputs.iter().map(|&index| values[index].1.iter().product::<usize>()).sum();
            (format!("torch.cat([{}], 1)", flat.join(", ")), vec![size])
        }
    };
    let class = format!("Graph{}", writer.classes.len() + 1);
    let text = format!(
        "class {class}(nn.Module):\n    \"\"\"Modules, and how they are connected.\"\"\"\n\n    def __init__(self):\n        \
         super().__init__()\n{modules}\n    def forward(self, x):\n{forward}        return {returned}\n"
    );
    writer.classes.push(text);
    writer.module(format!("{class}()"), shape)
}

/// The index of the value of this name.
fn find(values: &[(String, Vec<usize>)], name: &str) -> Result<usize, Reason> {
    values.iter().rposition(|(own, _)| own == name).ok_or_else(|| format!("there is no node {name}"))
}

/// The layers that PyTorch applies to the last axis, whatever is before it.
const OF_LAST_AXIS: &[&str] = &[
    "sequential",
    "frozen",
    "dense",
    "dropout",
    "identity",
    "softmax",
    "softmin",
    "log_softmax",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "celu",
    "selu",
    "gelu",
    "gelu_tanh",
    "sigmoid",
    "tanh",
    "silu",
    "mish",
    "softplus",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "softsign",
    "log_sigmoid",
];

/// Whether a layer and all inside of it are such.
fn is_of_last_axis(site: &Site) -> bool {
    let name = &*site.description.name;
    let inside = match name {
        "sequential" => site.descriptions("layers").unwrap_or_default(),
        "frozen" => site.described("layer").into_iter().collect(),
        _ => Vec::new(),
    };
    OF_LAST_AXIS.contains(&name) && inside.into_iter().all(|inner| is_of_last_axis(&site.inner("", inner)))
}

/// Wrappers that PyTorch needs no module for.
pub(super) fn through(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    if site.description.name == "frozen" {
        let inner = layer(writer, &site.of_setting("layer", "frozen")?, x)?;
        return writer.module(format!("{}.requires_grad_(False)", inner.text), inner.shape);
    }
    let inner = site.of_setting("layer", "step")?;
    if !is_of_last_axis(&inner) {
        return Err("PyTorch's modules apply to steps only what acts on the last axis".into());
    }
    let output = writer.output(site)?;
    let module = layer(writer, &inner, x)?;
    writer.module(module.text, output)
}
