//! Layers of sequences, `[steps, features]`, that have no products.

use super::attention::without_padding;
use super::containers::one;
use super::operators::Emitted;
use super::writer::{Attribute, Signal, Writer};
use crate::site::Site;

/// The sum of the samples and a constant; if masked, only for steps that are no padding.
fn positions(writer: &mut Writer<'_>, site: &Site, x: &Signal, values: Vec<f64>) -> Emitted {
    let values = writer.constant("positions", &x.shape, values);
    let y = writer.like(x, "Add", &[&x.name, &values], vec![]);
    Ok(if site.flag("masked")? { without_padding(writer, x, &y) } else { y })
}

pub(super) fn learned_positions(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let values = writer.values(writer.required(site, "weight")?).to_vec();
    positions(writer, site, &one(xs)?, values)
}

pub(super) fn sinusoidal_positions(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let features = *x.shape.last().ok_or("it has no features")?;
    let value = |index: usize| {
        let (step, feature) = (index / features, index % features);
        let angle = step as f64 / 10_000f64.powf((feature - feature % 2) as f64 / features as f64);
        if feature % 2 == 1 { angle.cos() } else { angle.sin() }
    };
    positions(writer, site, &x, (0..x.size()).map(value).collect())
}

/// One more step before the others: zeros, to which the token is added.
pub(super) fn class_token(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let &[steps, features] = &*x.shape else {
        return Err("its samples are no [steps, features]".into());
    };
    let pads = writer.list("pads", vec![0, 1, 0, 0, 0, 0]);
    let padded = Signal::new(writer.node("Pad", &[&x.name, &pads], vec![]), [steps + 1, features]);
    let mut token = writer.values(writer.required(site, "token")?).to_vec();
    token.resize((steps + 1) * features, 0.0);
    let token = writer.constant("token", &padded.shape, token);
    Ok(writer.like(&padded, "Add", &[&padded.name, &token], vec![]))
}

pub(super) fn one_step(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let &[steps, features] = &*x.shape else {
        return Err("its samples are no [steps, features]".into());
    };
    let step = match site.text("step") {
        Some("first") => 0,
        _ => steps - 1,
    };
    let index = writer.indices("step", &[], [step as i64]);
    Ok(Signal::new(writer.node("Gather", &[&x.name, &index], vec![Attribute::Int("axis", 1)]), [features]))
}

/// An image as a sequence of its patches.
pub(super) fn patches(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let size = site.count("size")?;
    let &[channels, height, width] = &*x.shape else { return Err("it is no image".into()) };
    let [rows, columns] = [height / size, width / size];
    let split = writer.reshape(&x, [channels, rows, size, columns, size]);
    let moved = writer.transpose(&split, &[1, 3, 0, 2, 4]);
    Ok(writer.reshape(&moved, [rows * columns, channels * size * size]))
}

/// Zeros for the steps whose features all have this value.
pub(super) fn masking(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let value = writer.scalar("value", site.number("value")?);
    let equal = writer.node("Equal", &[&x.name, &value], vec![]);
    let other = writer.node("Not", &[&equal], vec![]);
    let other = writer.node("Cast", &[&other], vec![Attribute::Int("to", 1)]);
    let axes = vec![Attribute::counts("axes", 2..=x.rank())];
    let any = writer.node("ReduceMax", &[&other], axes);
    Ok(writer.like(&x, "Mul", &[&x.name, &any], vec![]))
}
