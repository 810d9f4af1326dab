//! Layers of several inputs.

use super::{Argument, Lowered, Lowering, Signal};
use crate::site::{Reason, Site};

pub(super) fn value_by_value(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let (first, rest) = xs.split_first().ok_or("it has no inputs")?;
    if rest.iter().any(|x| x.shape != first.shape) {
        return Err("its inputs have different shapes, which there is no function for".into());
    }
    let function = match &*site.description.name {
        "subtract" => "subtract",
        "multiply" => "multiply",
        "maximum" => "maximum",
        "minimum" => "minimum",
        _ => "add",
    };
    let mut y = first.clone();
    for x in rest {
        y = lowering.change(function, (&y, &[x]), vec![]);
    }
    if site.description.name == "average" {
        y = lowering.change("scale", (&y, &[]), vec![Argument::Number(1.0 / xs.len() as f32)]);
    }
    Ok(y)
}

pub(super) fn concat(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    Ok(joined(lowering, xs, site.count("axis")?)?)
}

/// The values one after the other along an axis.
pub(super) fn joined(lowering: &mut Lowering<'_>, xs: &[Signal], axis: usize) -> Result<Signal, Reason> {
    let (first, rest) = xs.split_first().ok_or("it has no inputs")?;
    let mut shape = first.shape.clone();
    let lengths: Option<Vec<usize>> = xs.iter().map(|x| x.shape.get(axis).copied()).collect();
    shape[..][axis.min(first.shape.len().saturating_sub(1))] =
        lengths.ok_or("it has no such axis")?.iter().sum();
    let inner: usize = shape[axis + 1..].iter().product();
    let total = shape[axis] * inner;
    let arguments =
        |start: usize, x: &Signal| [start, x.shape[axis] * inner, total].map(Argument::Count).to_vec();
    let mut y = lowering.call("place", &[first], arguments(0, first), shape);
    let mut start = first.shape[axis] * inner;
    for x in rest {
        y = lowering.change("place", (&y, &[x]), arguments(start, x));
        start += x.shape[axis] * inner;
    }
    Ok(y)
}
