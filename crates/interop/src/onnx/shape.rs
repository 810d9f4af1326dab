//! Layers that move values.

use super::containers::one;
use super::operators::Emitted;
use super::writer::{Attribute, Signal, Writer, ints};
use crate::site::Site;

pub(super) fn flatten(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let name = writer.node("Flatten", &[&x.name], vec![Attribute::Int("axis", 1)]);
    Ok(Signal::new(name, [x.size()]))
}

/// To the shape that the plan has.
pub(super) fn reshape(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let shape = writer.planned_output(site).ok_or("its output is not in the plan")?;
    Ok(writer.reshape(&x, shape))
}

pub(super) fn permute(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let order = site.counts("axes", x.rank())?;
    Ok(writer.transpose(&x, &order))
}

pub(super) fn repeat_vector(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let times = site.count("times")?;
    let row = writer.reshape(&x, [1, x.size()]);
    let repeats = writer.list("repeats", ints([1, times, 1]));
    Ok(Signal::new(writer.node("Tile", &[&row.name, &repeats], vec![]), [times, x.size()]))
}

/// Puts values around an image, `[channels, axes...]`.
fn pad(
    writer: &mut Writer<'_>,
    x: &Signal,
    sides: &[[usize; 2]],
    mode: &'static str,
    value: Option<f64>,
) -> Signal {
    let before = [0, 0].into_iter().chain(sides.iter().map(|sides| sides[0]));
    let after = [0, 0].into_iter().chain(sides.iter().map(|sides| sides[1]));
    let pads = writer.list("pads", ints(before.chain(after)));
    let mut inputs = vec![x.name.clone(), pads];
    inputs.extend(value.map(|value| writer.scalar("value", value)));
    let inputs: Vec<&str> = inputs.iter().map(|input| &**input).collect();
    let mut shape = x.shape.clone();
    shape[1..].iter_mut().zip(sides).for_each(|(length, sides)| *length += sides[0] + sides[1]);
    Signal::new(writer.node("Pad", &inputs, vec![Attribute::Text("mode", mode)]), shape)
}

pub(super) fn zero_padding(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    Ok(pad(writer, &one(xs)?, &site.sides("sides", site.axes())?, "constant", None))
}

pub(super) fn constant_padding(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let value = site.number("value")?;
    Ok(pad(writer, &one(xs)?, &site.sides("sides", site.axes())?, "constant", Some(value)))
}

pub(super) fn reflection_padding(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    Ok(pad(writer, &one(xs)?, &site.sides("sides", site.axes())?, "reflect", None))
}

pub(super) fn replication_padding(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    Ok(pad(writer, &one(xs)?, &site.sides("sides", site.axes())?, "edge", None))
}

/// By indices, since the mode `wrap` is of opset 19.
pub(super) fn circular_padding(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let mut x = one(xs)?;
    for (axis, [before, after]) in site.sides("sides", site.axes())?.into_iter().enumerate() {
        let length = x.shape[axis + 1];
        if before + after > 0 {
            let first = length - before % length;
            x = writer.gather(
                &x,
                axis + 1,
                (0..before + length + after).map(|index| (first + index) % length),
            );
        }
    }
    Ok(x)
}

pub(super) fn cropping(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let mut x = one(xs)?;
    for (axis, [before, after]) in site.sides("sides", site.axes())?.into_iter().enumerate() {
        if before + after > 0 {
            let end = x.shape[axis + 1] - after;
            x = writer.slice(&x, axis + 1, before..end);
        }
    }
    Ok(x)
}

/// Each value several times: output `i` along an axis is input `⌊i n / m⌋`.
pub(super) fn up_sampling(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let mut x = one(xs)?;
    let output = writer.planned_output(site).ok_or("its output is not in the plan")?;
    for (axis, &outputs) in output.iter().enumerate().skip(1) {
        let inputs = x.shape[axis];
        if outputs != inputs {
            x = writer.gather(&x, axis, (0..outputs).map(|index| index * inputs / outputs));
        }
    }
    Ok(x)
}

/// Linear interpolation along each axis.
pub(super) fn linear_up_sampling(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let output = writer.planned_output(site).ok_or("its output is not in the plan")?;
    let align = site.flag("align_corners")?;
    let mode = if align { "align_corners" } else { "half_pixel" };
    let attributes =
        vec![Attribute::Text("mode", "linear"), Attribute::Text("coordinate_transformation_mode", mode)];
    let sizes = writer.batched_shape(&x, &output);
    Ok(Signal::new(writer.node("Resize", &[&x.name, "", "", &sizes], attributes), output))
}

/// `[channels factor², height, width]` to `[channels, height factor, width factor]`.
pub(super) fn pixel_shuffle(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let factor = site.count("factor")?;
    let &[channels, height, width] = &*x.shape else { return Err("it is no image".into()) };
    let attributes = vec![Attribute::Int("blocksize", factor as i64), Attribute::Text("mode", "CRD")];
    let name = writer.node("DepthToSpace", &[&x.name], attributes);
    Ok(Signal::new(name, [channels / (factor * factor), height * factor, width * factor]))
}

/// The inverse. (The operator SpaceToDepth of ONNX has the channels in another order.)
pub(super) fn pixel_unshuffle(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let factor = site.count("factor")?;
    let &[channels, height, width] = &*x.shape else { return Err("it is no image".into()) };
    let [rows, columns] = [height / factor, width / factor];
    let split = writer.reshape(&x, [channels, rows, factor, columns, factor]);
    let moved = writer.transpose(&split, &[0, 2, 4, 1, 3]);
    Ok(writer.reshape(&moved, [channels * factor * factor, rows, columns]))
}

pub(super) fn channel_shuffle(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let groups = site.count("groups")?;
    let (channels, size) = (x.shape[0], x.size() / x.shape[0]);
    let split = writer.reshape(&x, [groups, channels / groups, size]);
    let moved = writer.transpose(&split, &[1, 0, 2]);
    Ok(writer.reshape(&moved, x.shape.clone()))
}
