//! Layers that contain others.

use super::{Argument, Lowered, Lowering, Signal, layer, merge, one};
use crate::site::{Reason, Site};

/// The name of the sample in a graph that names no input, as in the plan.
const INPUT: &str = "input";

pub(super) fn container(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    match &*site.description.name {
        "sequential" => {
            let mut x = one(xs)?;
            for (index, description) in site.descriptions("layers")?.into_iter().enumerate() {
                x = layer(lowering, &site.inner(&index.to_string(), description), &[x])?;
            }
            Ok(x)
        }
        "residual" => {
            let branch = layer(lowering, &site.of_setting("layer", "residual")?, xs)?;
            lowering.enter(site);
            Ok(lowering.change("add", (&branch, &[&one(xs)?]), vec![]))
        }
        "frozen" => layer(lowering, &site.of_setting("layer", "frozen")?, xs),
        _ => {
            let mut outputs = Vec::new();
            for (index, description) in site.descriptions("branches")?.into_iter().enumerate() {
                outputs.push(layer(lowering, &site.inner(&index.to_string(), description), xs)?);
            }
            layer(lowering, &site.of_setting("merge", "merge")?, &outputs)
        }
    }
}

pub(super) fn side_by_side(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let parts = split(lowering, &one(xs)?, &site.shapes("inputs")?);
    layer(lowering, &site.of_setting("merge", "merge")?, &parts)
}

/// The inputs of these shapes whose values a sample holds one after the other.
fn split(lowering: &mut Lowering<'_>, x: &Signal, shapes: &[Vec<usize>]) -> Vec<Signal> {
    if let [only] = shapes {
        return vec![x.shaped(only.clone())];
    }
    let mut start = 0;
    let mut parts = Vec::new();
    for shape in shapes {
        parts.push(lowering.call("slice", &[x], vec![Argument::Count(start)], shape.clone()));
        start += shape.iter().product::<usize>();
    }
    parts
}

/// The nodes of a graph in their order.
pub(super) fn graph(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let mut names = Vec::new();
    let mut shapes = Vec::new();
    for input in site.descriptions("inputs")? {
        let own = site.inner("", input);
        shapes.push(own.shape("shape")?);
        names.push(own.text("id").ok_or("an input has no name")?.to_owned());
    }
    let x = one(xs)?;
    let parts = if shapes.len() < 2 { vec![x] } else { split(lowering, &x, &shapes) };
    if names.is_empty() {
        names.push(INPUT.to_owned());
    }
    let mut signals: Vec<(String, Signal)> = names.into_iter().zip(parts).collect();
    let sites: Vec<Site> = site.descriptions("nodes")?.into_iter().map(|node| site.inner("", node)).collect();
    for node in &sites {
        let id = node.text("id").ok_or("a node has no name")?;
        // The node that has the layer and its weights.
        let of = node.text("of").unwrap_or(id);
        let owner = sites.iter().find(|node| node.text("id") == Some(of));
        let owner = owner.ok_or_else(|| format!("there is no node {of}"))?;
        let description = owner.described("layer").or_else(|_| owner.described("merge"))?;
        let from = match node.text("input") {
            Some(name) => vec![find(&signals, name)?],
            None => {
                let names = node.texts("inputs")?.into_iter();
                names.map(|name| find(&signals, name)).collect::<Result<_, _>>()?
            }
        };
        let y = layer(lowering, &site.inner(of, description), &from)?;
        signals.push((id.to_owned(), y));
    }
    let outputs = site.texts("outputs")?.into_iter().map(|name| find(&signals, name));
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    if let [only] = &outputs[..] {
        return Ok(only.clone());
    }
    lowering.enter(site);
    let flat: Vec<Signal> = outputs.iter().map(|output| output.shaped([output.size()])).collect();
    Ok(merge::joined(lowering, &flat, 0)?)
}

fn find(signals: &[(String, Signal)], name: &str) -> Result<Signal, Reason> {
    let found = signals.iter().find(|(own, _)| own == name);
    found.map(|(_, signal)| signal.clone()).ok_or_else(|| format!("there is no node {name}"))
}

/// The layers that treat the rows of a matrix alike, each alone.
const OF_ROWS: &[&str] = &[
    "sequential",
    "frozen",
    "dense",
    "dropout",
    "identity",
    "softmax",
    "softmin",
    "log_softmax",
    "layer_norm",
    "rms_norm",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
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
    "softsign",
];

/// All steps, as rows of one matrix.
pub(super) fn time_distributed(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let &[steps, features] = &*x.shape else { return Err("its steps have other than one axis".into()) };
    let inner = site.of_setting("layer", "step")?;
    rows(lowering, &inner, x.shaped([steps, features])).map(|y| y.shaped(vec![steps, y.size() / steps]))
}

fn rows(lowering: &mut Lowering<'_>, site: &Site, x: Signal) -> Lowered {
    let name = &*site.description.name;
    if !OF_ROWS.contains(&name) {
        return Err(format!("it has {name} inside, for which there is no function of rows").into());
    }
    match name {
        "sequential" => {
            let mut x = x;
            for (index, description) in site.descriptions("layers")?.into_iter().enumerate() {
                x = rows(lowering, &site.inner(&index.to_string(), description), x)?;
            }
            Ok(x)
        }
        "frozen" => rows(lowering, &site.of_setting("layer", "frozen")?, x),
        "dense" => {
            lowering.enter(site);
            super::products::dense_of_rows(lowering, site, &x)
        }
        _ => {
            lowering.enter(site);
            let family = super::FAMILIES.iter().find(|family| family.layers.contains(&name));
            let rule = family.and_then(|family| family.rule).ok_or("it is not known")?;
            rule(lowering, site, &[x])
        }
    }
}
