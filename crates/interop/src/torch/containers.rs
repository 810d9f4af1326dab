//! Layers that contain others.

use super::modules::layer;
use super::writer::{Built, Writer, argument};
use crate::site::Site;

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
    let joined = |operator: &str| (0..count).map(|index| format!("ys[{index}]")).collect::<Vec<_>>().join(operator);
    let merged = match &*merge.description.name {
        "add" => joined(" + "),
        "subtract" => joined(" - "),
        "multiply" => joined(" * "),
        "average" => format!("({}) / {count}", joined(" + ")),
        "maximum" => "functools.reduce(torch.maximum, ys)".to_owned(),
        "minimum" => "functools.reduce(torch.minimum, ys)".to_owned(),
        "concat" => format!("torch.cat(ys, {})", merge.count("axis")? + 1),
        other => return Err(format!("there is no module for its merge {other}").into()),
    };
    writer.helper("Branches");
    let output = writer.output(site)?;
    writer.module(format!("Branches(\n    lambda ys: {merged},{branches}\n)"), output)
}

/// The layers that PyTorch applies to the last axis, whatever is before it.
const OF_LAST_AXIS: &[&str] = &[
    "sequential", "frozen", "dense", "dropout", "identity", "softmax", "softmin", "log_softmax", "relu", "relu6", "leaky_relu",
    "elu", "celu", "selu", "gelu", "gelu_tanh", "sigmoid", "tanh", "silu", "mish", "softplus", "hard_sigmoid", "hard_swish",
    "hard_tanh", "softsign", "log_sigmoid",
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
