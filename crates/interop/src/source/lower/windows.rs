//! Windows over samples of one or two axes besides the channels: those of one axis are a single row.

use chainrule_core::Value;

use super::{Argument, Lowered, Lowering, Signal, Window, one};
use crate::site::{Reason, Site};

/// A list for one axis or two, as one for two: with this in place of the rows.
fn two<T: Copy>(values: &[T], single: T) -> Result<[T; 2], Reason> {
    match *values {
        [columns] => Ok([single, columns]),
        [rows, columns] => Ok([rows, columns]),
        _ => Err("it has other than one or two axes besides the channels".into()),
    }
}

/// The window of a convolution or a pooling.
pub(super) fn geometry(lowering: &Lowering<'_>, site: &Site, x: &Signal) -> Result<Window, Reason> {
    let axes = site.axes();
    let output = lowering.planned_output(site).ok_or("its output is not in the plan")?;
    let image = image(x, axes)?;
    let kernel = site.counts("kernel", axes)?;
    let stride = if site.has("stride") { site.counts("stride", axes)? } else { kernel.clone() };
    let dilation = site.counts("dilation", axes)?;
    let before: Vec<usize> = match site.description.get("padding") {
        Some(Value::Text(word)) if word == "valid" => vec![0; axes],
        Some(Value::Text(word)) if word == "same" => (0..axes)
            .map(|axis| {
                let extent = dilation[axis] * (kernel[axis] - 1) + 1;
                let covered = (image[axis] - 1) / stride[axis] * stride[axis] + extent;
                covered.saturating_sub(image[axis]) / 2
            })
            .collect(),
        _ => site.sides("padding", axes)?.into_iter().map(|[before, _]| before).collect(),
    };
    let features = output.get(1..).unwrap_or_default();
    Ok(Window {
        channels: x.shape[0],
        size: two(image, 1)?,
        kernel: two(&kernel, 1)?,
        stride: two(&stride, 1)?,
        dilation: two(&dilation, 1)?,
        before: two(&before, 0)?,
        outputs: two(features, 1)?,
    })
}

/// The axes of samples besides the channels.
fn image(x: &Signal, axes: usize) -> Result<&[usize], Reason> {
    match x.shape.split_first() {
        Some((_, image)) if image.len() == axes => Ok(image),
        _ => Err(format!("its samples are not [channels] and {axes} more axes")),
    }
}

pub(super) fn pool(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let window = geometry(lowering, site, &x)?;
    let shape = lowering.planned_output(site).ok_or("its output is not in the plan")?;
    let mut arguments = vec![Argument::Window(window)];
    if site.description.name.starts_with("max") {
        return Ok(lowering.call("max_pool", &[&x], arguments, shape));
    }
    arguments.push(Argument::Flag(!site.flag("exclude_padding")?));
    Ok(lowering.call("avg_pool", &[&x], arguments, shape))
}

/// Of each channel.
pub(super) fn global(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let &channels = x.shape.first().ok_or("it has no channels")?;
    let count = Argument::Count(x.size() / channels);
    if site.description.name == "global_max_pool" {
        return Ok(lowering.call("maxima", &[&x], vec![count, Argument::Count(1)], [channels]));
    }
    Ok(lowering.call("means", &[&x], vec![count], [channels]))
}

/// What moves rows and columns: the window has the sizes of both images, and where one begins in the other.
fn moved(
    lowering: &mut Lowering<'_>,
    site: &Site,
    x: &Signal,
    (function, before, more): (&'static str, &[usize], Option<Argument>),
) -> Lowered {
    let shape = lowering.planned_output(site).ok_or("its output is not in the plan")?;
    let size = two(image(x, site.axes())?, 1)?;
    let outputs = two(shape.get(1..).unwrap_or_default(), 1)?;
    let before = two(before, 0)?;
    let window = Window { outputs, before, ..super::pointwise(x.shape[0], size) };
    let arguments = [Argument::Window(window)].into_iter().chain(more).collect();
    Ok(lowering.call(function, &[x], arguments, shape))
}

fn before(site: &Site) -> Result<Vec<usize>, Reason> {
    Ok(site.sides("sides", site.axes())?.into_iter().map(|[before, _]| before).collect())
}

pub(super) fn pad(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let value = if site.has("value") { site.number("value")? } else { 0.0 };
    let more = Some(Argument::Number(value as f32));
    moved(lowering, site, &one(xs)?, ("pad", &before(site)?, more))
}

pub(super) fn crop(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    moved(lowering, site, &one(xs)?, ("crop", &before(site)?, None))
}

/// Each value several times.
pub(super) fn enlarge(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    moved(lowering, site, &one(xs)?, ("enlarge", &vec![0; site.axes()], None))
}
