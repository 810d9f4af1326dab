//! Layers of several inputs.

use super::operators::Emitted;
use super::writer::{Attribute, Signal, Writer};
use crate::site::Site;

/// The inputs with as many axes as the one with most, and the shape of what is computed of them value by value.
fn broadcast(writer: &mut Writer<'_>, xs: &[Signal]) -> (Vec<Signal>, Vec<usize>) {
    let rank = xs.iter().map(Signal::rank).max().unwrap_or(0);
    let mut shape = vec![1; rank];
    let aligned: Vec<Signal> = xs
        .iter()
        .map(|x| {
            // Missing axes come after the batch.
            let axes = [vec![1; rank - x.rank()], x.shape.clone()].concat();
            for (length, own) in shape.iter_mut().zip(&axes) {
                *length = if *length == 1 { *own } else { *length };
            }
            writer.reshape(x, axes)
        })
        .collect();
    (aligned, shape)
}

/// An operator of two values, from the first input to the last.
fn folded(writer: &mut Writer<'_>, xs: &[Signal], operator: &str) -> Emitted {
    let (xs, shape) = broadcast(writer, xs);
    let Some((first, rest)) = xs.split_first() else { return Err("it has no inputs".into()) };
    let mut y = first.clone();
    for x in rest {
        y = Signal::new(writer.node(operator, &[&y.name, &x.name], vec![]), shape.clone());
    }
    Ok(y)
}

/// An operator of any number of values.
fn of_all(writer: &mut Writer<'_>, xs: &[Signal], operator: &str) -> Emitted {
    let (xs, shape) = broadcast(writer, xs);
    let names: Vec<&str> = xs.iter().map(|x| &*x.name).collect();
    Ok(Signal { name: writer.node(operator, &names, vec![]), shape })
}

pub(super) fn add(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    folded(writer, xs, "Add")
}

pub(super) fn subtract(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    folded(writer, xs, "Sub")
}

pub(super) fn multiply(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    folded(writer, xs, "Mul")
}

pub(super) fn average(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    of_all(writer, xs, "Mean")
}

pub(super) fn maximum(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    of_all(writer, xs, "Max")
}

pub(super) fn minimum(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    of_all(writer, xs, "Min")
}

pub(super) fn concat(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let axis = site.count("axis")?;
    let names: Vec<&str> = xs.iter().map(|x| &*x.name).collect();
    let name = writer.node("Concat", &names, vec![Attribute::Int("axis", axis as i64 + 1)]);
    let mut shape = xs.first().map(|x| x.shape.clone()).unwrap_or_default();
    if let Some(length) = shape.get_mut(axis) {
        *length = xs.iter().filter_map(|x| x.shape.get(axis)).sum();
    }
    Ok(Signal { name, shape })
}

/// The product of two vectors, perhaps of their directions.
pub(super) fn dot(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let [a, b] = xs else { return Err("it has other than two inputs".into()) };
    let axis = writer.list("axis", vec![1]);
    let product = writer.node("Mul", &[&a.name, &b.name], vec![]);
    let mut name = writer.node("ReduceSum", &[&product, &axis], vec![]);
    if site.flag("cosine")? {
        // As in the layer, squared lengths are at least 10⁻¹².
        let low = writer.scalar("epsilon", 1e-6);
        let length = |writer: &mut Writer<'_>, x: &Signal| {
            let length = writer.node("ReduceL2", &[&x.name], vec![Attribute::Ints("axes", vec![1])]);
            writer.node("Max", &[&length, &low], vec![])
        };
        let lengths = [length(writer, a), length(writer, b)];
        let both = writer.node("Mul", &[&lengths[0], &lengths[1]], vec![]);
        name = writer.node("Div", &[&name, &both], vec![]);
    }
    Ok(Signal::new(name, [1]))
}
