//! Products with weights.

use super::windows::geometry;
use super::{Argument, Lowered, Lowering, Signal, one, pointwise, transposed};
use crate::site::Site;

/// `Z = X W + b`
pub(super) fn dense(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let flat = x.shaped([1, x.size()]);
    dense_of_rows(lowering, site, &flat).map(|y| y.shaped([y.size()]))
}

/// Of the rows of a matrix.
pub(super) fn dense_of_rows(lowering: &mut Lowering<'_>, site: &Site, x: &Signal) -> Lowered {
    let (weight, shape) = lowering.required(site, "weight")?;
    let &[inputs, units] = &*shape else { return Err("its weight is no matrix".into()) };
    let bias = lowering.values(site, "bias").unwrap_or_else(|| vec![0.0; units]);
    let arguments = vec![
        lowering.floats("weight", transposed(&weight, units)),
        lowering.floats("bias", bias),
        Argument::Count(inputs),
    ];
    Ok(lowering.call("dense", &[x], arguments, [x.size() / inputs, units]))
}

pub(super) fn conv(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let window = geometry(lowering, site, &x)?;
    let (weight, shape) = lowering.required(site, "weight")?;
    let outputs = shape.first().copied().ok_or("its weight has no axes")?;
    // Those of each channel alone have no setting for it.
    let groups = if site.has("groups") { site.count("groups")? } else { window.channels };
    let bias = lowering.values(site, "bias").unwrap_or_else(|| vec![0.0; outputs]);
    let arguments = vec![
        lowering.floats("weight", weight),
        lowering.floats("bias", bias),
        Argument::Window(window),
        Argument::Count(groups),
    ];
    let shape = lowering.planned_output(site).ok_or("its output is not in the plan")?;
    Ok(lowering.call("conv", &[&x], arguments, shape))
}

/// Each channel alone, and then all channels at each position.
pub(super) fn separable(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let window = geometry(lowering, site, &x)?;
    let shape = lowering.planned_output(site).ok_or("its output is not in the plan")?;
    let (depthwise, depthwise_shape) = lowering.required(site, "depthwise.weight")?;
    let between = depthwise_shape.first().copied().ok_or("its weight has no axes")?;
    let arguments = vec![
        lowering.floats("depthwise", depthwise),
        lowering.floats("zeros", vec![0.0; between]),
        Argument::Window(window),
        Argument::Count(window.channels),
    ];
    let middle = [&[between], &shape[1..]].concat();
    let y = lowering.call("conv", &[&x], arguments, middle);
    let (pointwise_weight, _) = lowering.required(site, "pointwise.weight")?;
    let bias = lowering.values(site, "pointwise.bias").unwrap_or_else(|| vec![0.0; shape[0]]);
    let arguments = vec![
        lowering.floats("pointwise", pointwise_weight),
        lowering.floats("bias", bias),
        Argument::Window(pointwise(between, window.outputs)),
        Argument::Count(1),
    ];
    Ok(lowering.call("conv", &[&y], arguments, shape))
}

/// The rows of the table at the ids, with zeros for the padding.
pub(super) fn embedding(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let (mut table, shape) = lowering.required(site, "weight")?;
    let &[_, columns] = &*shape else { return Err("its table is no matrix".into()) };
    if site.has("padding_index") {
        let row = site.count("padding_index")?;
        table[row * columns..(row + 1) * columns].fill(0.0);
    }
    let arguments = vec![lowering.floats("table", table), Argument::Count(columns)];
    Ok(lowering.call("embedding", &[&x], arguments, [&x.shape[..], &[columns]].concat()))
}
