//! Layers that contain others.

use super::operators::{Emitted, layer};
use super::writer::{Signal, Writer, ints};
use crate::site::Site;

/// The name of the sample in a graph that names no input, as in the plan.
const INPUT: &str = "input";

pub(super) fn sequential(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let mut x = one(xs)?;
    for (index, description) in site.descriptions("layers")?.into_iter().enumerate() {
        x = layer(writer, &site.inner(&index.to_string(), description), &[x])?;
    }
    Ok(x)
}

/// `y = x + f(x)`
pub(super) fn residual(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let branch = layer(writer, &site.of_setting("layer", "residual")?, xs)?;
    writer.path.clone_from(&site.path);
    Ok(writer.like(&branch, "Add", &[&xs[0].name, &branch.name], vec![]))
}

pub(super) fn frozen(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    layer(writer, &site.of_setting("layer", "frozen")?, xs)
}

pub(super) fn branches(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let mut outputs = Vec::new();
    for (index, description) in site.descriptions("branches")?.into_iter().enumerate() {
        outputs.push(layer(writer, &site.inner(&index.to_string(), description), xs)?);
    }
    layer(writer, &site.of_setting("merge", "merge")?, &outputs)
}

pub(super) fn side_by_side(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let shapes = site.shapes("inputs")?;
    let parts = split(writer, &one(xs)?, &shapes);
    layer(writer, &site.of_setting("merge", "merge")?, &parts)
}

/// The nodes of a graph in their order.
pub(super) fn graph(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let mut inputs = Vec::new();
    for input in site.descriptions("inputs")? {
        let own = site.inner("", input);
        let shape = own.shape("shape")?;
        inputs.push((own.text("id").ok_or("an input has no name")?.to_owned(), shape));
    }
    let mut signals: Vec<(String, Signal)> = if inputs.len() < 2 {
        let name = inputs.first().map_or(INPUT, |(name, _)| name);
        vec![(name.to_owned(), x)]
    } else {
        let shapes: Vec<_> = inputs.iter().map(|(_, shape)| shape.clone()).collect();
        let parts = split(writer, &x, &shapes);
        inputs.into_iter().map(|(name, _)| name).zip(parts).collect()
    };
    let find = |signals: &[(String, Signal)], name: &str| {
        let found = signals.iter().find(|(own, _)| own == name);
        found.map(|(_, signal)| signal.clone()).ok_or_else(|| format!("there is no node {name}"))
    };
    let nodes = site.descriptions("nodes")?;
    let sites: Vec<Site> = nodes.into_iter().map(|node| site.inner("", node)).collect();
    for node in &sites {
        let id = node.text("id").ok_or("a node has no name")?;
        // The node that has the layer and its weights.
        let of = node.text("of").unwrap_or(id);
        let owner =
            sites.iter().find(|node| node.text("id") == Some(of)).ok_or(format!("there is no node {of}"))?;
        let description = owner.described("layer").or_else(|_| owner.described("merge"))?;
        let from = match node.text("input") {
            Some(name) => vec![find(&signals, name)?],
            None => node
                .texts("inputs")?
                .into_iter()
                .map(|name| find(&signals, name))
                .collect::<Result<_, _>>()?,
        };
        let y = layer(writer, &site.inner(of, description), &from)?;
        signals.push((id.to_owned(), y));
    }
    let outputs = site.texts("outputs")?.into_iter().map(|name| find(&signals, name));
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    writer.path.clone_from(&site.path);
    let [only] = &outputs[..] else { return Ok(side_by_side_of(writer, &outputs)) };
    Ok(only.clone())
}

/// Applies the layer to all steps of all samples, as samples of their own.
pub(super) fn time_distributed(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let Some((&steps, step)) = x.shape.split_first() else { return Err("it has no steps".into()) };
    let batched = |writer: &mut Writer<'_>, x: &Signal, shape: &[usize]| {
        let axes = [-1].into_iter().chain(ints(shape.iter().copied())).collect();
        let axes = writer.list("shape", axes);
        writer.node("Reshape", &[&x.name, &axes], vec![])
    };
    let each = batched(writer, &x, step);
    let y = layer(writer, &site.of_setting("layer", "step")?, &[Signal::new(each, step)])?;
    writer.path.clone_from(&site.path);
    let shape = [&[steps], &y.shape[..]].concat();
    let name = batched(writer, &y, &shape);
    Ok(Signal::new(name, shape))
}

/// The only input.
pub(super) fn one(xs: &[Signal]) -> Result<Signal, String> {
    match xs {
        [x] => Ok(x.clone()),
        _ => Err(format!("it has {} inputs instead of one", xs.len())),
    }
}

/// The inputs of these shapes whose values a sample holds one after the other.
fn split(writer: &mut Writer<'_>, x: &Signal, shapes: &[Vec<usize>]) -> Vec<Signal> {
    let mut start = 0;
    let mut parts = Vec::new();
    for shape in shapes {
        let size: usize = shape.iter().product();
        let part = if shapes.len() == 1 { x.clone() } else { writer.slice(x, 0, start..start + size) };
        parts.push(writer.reshape(&part, shape.clone()));
        start += size;
    }
    parts
}

/// The values of all of these in one vector.
fn side_by_side_of(writer: &mut Writer<'_>, signals: &[Signal]) -> Signal {
    let flat: Vec<Signal> = signals.iter().map(|signal| writer.reshape(signal, [signal.size()])).collect();
    let names: Vec<&str> = flat.iter().map(|signal| &*signal.name).collect();
    let name = writer.node("Concat", &names, vec![super::writer::Attribute::Int("axis", 1)]);
    Signal { name, shape: vec![flat.iter().map(Signal::size).sum()] }
}
