//! Layers that do nothing to the values, or move them.

use super::{Argument, Lowered, Lowering, Signal, one};
use crate::site::Site;

pub(super) fn nothing(_: &mut Lowering<'_>, _: &Site, xs: &[Signal]) -> Lowered {
    Ok(one(xs)?)
}

pub(super) fn reshape(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let shape = lowering.planned_output(site).ok_or("its output is not in the plan")?;
    Ok(one(xs)?.shaped(shape))
}

/// Two blocks of axes that follow each other change places; those before and after stay where they are.
pub(super) fn permute(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let order = site.counts("axes", x.shape.len())?;
    let shape: Vec<usize> = order.iter().map(|&axis| x.shape[axis]).collect();
    let Some(first) = (0..order.len()).find(|&axis| order[axis] != axis) else { return Ok(x) };
    let last = (0..order.len()).rfind(|&axis| order[axis] != axis).unwrap_or(first);
    let middle = order[first];
    let turned: Vec<usize> = (middle..=last).chain(first..middle).collect();
    if order[first..=last] != turned[..] {
        return Err("more than two blocks of axes change places".into());
    }
    let product = |axes: &[usize]| axes.iter().product::<usize>();
    let counts =
        [product(&x.shape[first..middle]), product(&x.shape[middle..=last]), product(&x.shape[last + 1..])];
    Ok(lowering.call("exchange", &[&x], counts.map(Argument::Count).to_vec(), shape))
}
