//! Products with whole samples, and tables.

use super::containers::one;
use super::operators::Emitted;
use super::writer::{Attribute, Signal, Writer};
use crate::site::Site;

/// `Z = X W + b`
pub(super) fn dense(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let units = writer.required(site, "weight")?.shape[1];
    let weight = writer.parameter(site, "weight")?;
    let mut inputs = vec![x.name.clone(), weight];
    if site.flag("bias")? {
        inputs.push(writer.parameter(site, "bias")?);
    }
    let inputs: Vec<&str> = inputs.iter().map(|input| &**input).collect();
    Ok(Signal::new(writer.node("Gemm", &inputs, vec![]), [units]))
}

/// `Yₖ = x Aₖ z + bₖ`
pub(super) fn bilinear(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let [x, z] = xs else { return Err("it has other than two inputs".into()) };
    let units = writer.required(site, "weight")?.shape[0];
    let weight = writer.parameter(site, "weight")?;
    let products = vec![Attribute::Text("equation", "ni,kij,nj->nk")];
    let y = Signal::new(writer.node("Einsum", &[&x.name, &weight, &z.name], products), [units]);
    if !site.flag("bias")? {
        return Ok(y);
    }
    let bias = writer.parameter(site, "bias")?;
    Ok(writer.like(&y, "Add", &[&y.name, &bias], vec![]))
}

/// The table of an embedding, with zeros for the padding.
fn table(writer: &mut Writer<'_>, site: &Site) -> Result<(String, usize), String> {
    let entry = writer.required(site, "weight")?;
    let &[rows, columns] = &*entry.shape else { return Err("its table is no matrix".into()) };
    let mut values = writer.values(entry).to_vec();
    if site.has("padding_index") {
        let row = site.count("padding_index")?;
        values[row * columns..(row + 1) * columns].fill(0.0);
    }
    Ok((writer.constant("weight", &[rows, columns], values), columns))
}

/// The rows of the table at the ids, `[ids, size]`.
fn rows(writer: &mut Writer<'_>, site: &Site, x: &Signal) -> Result<Signal, String> {
    let (table, columns) = table(writer, site)?;
    // The element type INT64 of the format.
    let ids = writer.node("Cast", &[&x.name], vec![Attribute::Int("to", 7)]);
    let name = writer.node("Gather", &[&table, &ids], vec![Attribute::Int("axis", 0)]);
    Ok(Signal::new(name, [&x.shape[..], &[columns]].concat()))
}

pub(super) fn embedding(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    Ok(rows(writer, site, &one(xs)?)?)
}

/// The sum, mean or maximum of the rows that are no padding.
pub(super) fn embedding_bag(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let rows = rows(writer, site, &x)?;
    let reduced = vec![*rows.shape.last().unwrap_or(&0)];
    let over_ids = || vec![Attribute::Ints("axes", vec![1]), Attribute::Int("keepdims", 0)];
    let axis = writer.list("axis", vec![1]);
    // 1 for ids that are no padding, and how many there are, at least 1.
    let counted = if site.has("padding_index") {
        let padding = writer.scalar("padding_index", site.number("padding_index")?);
        let is_padding = writer.node("Equal", &[&x.name, &padding], vec![]);
        let own = writer.node("Not", &[&is_padding], vec![]);
        Some(writer.node("Cast", &[&own], vec![Attribute::Int("to", 1)]))
    } else {
        None
    };
    let sum = |writer: &mut Writer<'_>, name: &str, keep: i64| {
        writer.node("ReduceSum", &[name, &axis], vec![Attribute::Int("keepdims", keep)])
    };
    let name = match (site.text("reduction"), &counted) {
        (Some("sum"), _) => sum(writer, &rows.name, 0),
        (Some("mean"), None) => writer.node("ReduceMean", &[&rows.name], over_ids()),
        (Some("mean"), Some(counted)) => {
            let sums = sum(writer, &rows.name, 0);
            let count = sum(writer, counted, 1);
            let one = writer.scalar("one", 1.0);
            let count = writer.node("Max", &[&count, &one], vec![]);
            writer.node("Div", &[&sums, &count], vec![])
        }
        (Some("max"), counted) => {
            let mut values = rows.name.clone();
            if let Some(counted) = counted {
                // Padding is the lowest, unless there is nothing else, when it is 0.
                let last = writer.list("last", vec![2]);
                let own = writer.node("Unsqueeze", &[counted, &last], vec![]);
                let one = writer.scalar("one", 1.0);
                let padding = writer.node("Sub", &[&one, &own], vec![]);
                let any = writer.node("ReduceMax", &[&own], vec![Attribute::Ints("axes", vec![1])]);
                let low = writer.scalar("low", f64::from(f32::MIN));
                let lowered = writer.node("Mul", &[&padding, &low], vec![]);
                let lowered = writer.node("Mul", &[&lowered, &any], vec![]);
                values = writer.node("Add", &[&values, &lowered], vec![]);
            }
            writer.node("ReduceMax", &[&values], over_ids())
        }
        _ => return Err("its reduction is not known".into()),
    };
    Ok(Signal::new(name, reduced))
}
