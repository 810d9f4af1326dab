//! Convolutions and poolings.

use chainrule_core::{Description, Value};

use super::constant::number;
use super::node::{Converted, Operation};

/// The zeros before and after each axis.
fn pads(operation: &Operation<'_>, axes: usize) -> Result<Vec<[usize; 2]>, String> {
    if !matches!(operation.text("auto_pad"), None | Some("NOTSET" | "VALID")) {
        return Err("it pads by auto_pad, which depends on the image: export it with pads".into());
    }
    let counts = operation.counts("pads", 2 * axes, 0)?;
    Ok((0..axes).map(|axis| [counts[axis], counts[axes + axis]]).collect())
}

fn lists(sides: &[[usize; 2]]) -> Value {
    Value::List(sides.iter().map(|&sides| Value::from(sides)).collect())
}

/// The number of axes of the image, and whether there is a layer for it.
fn image_axes(operation: &Operation<'_>) -> Result<usize, String> {
    let axes = operation.samples()?.len().saturating_sub(1);
    if (1..=3).contains(&axes) {
        Ok(axes)
    } else {
        Err("its samples are not [channels] and one to three more axes".into())
    }
}

fn window(
    operation: &Operation<'_>,
    description: Description,
    axes: usize,
    kernel: Vec<usize>,
) -> Result<Description, String> {
    let description =
        description.with("kernel", kernel).with("stride", operation.counts("strides", axes, 1)?);
    Ok(description.with("dilation", operation.counts("dilations", axes, 1)?))
}

pub(super) fn conv(operation: &Operation<'_>) -> Result<Converted, String> {
    let axes = image_axes(operation)?;
    let (weight, bias) = (operation.weight(1)?, operation.weight_if(2)?);
    let [outputs, _, kernel @ ..] = weight.shape() else { return Err("its weight has too few axes".into()) };
    let description = Description::new(format!("conv{axes}d")).with("channels", *outputs);
    let description = window(operation, description, axes, kernel.to_vec())?
        .with("padding", lists(&pads(operation, axes)?));
    let description = description.with("groups", operation.int("group", 1).max(0) as usize);
    let description = description.with("bias", bias.is_some());
    Ok(Converted::new(description).weight("weight", weight).weight_if("bias", bias))
}

pub(super) fn conv_transpose(operation: &Operation<'_>) -> Result<Converted, String> {
    let axes = image_axes(operation)?;
    let (weight, bias) = (operation.weight(1)?, operation.weight_if(2)?);
    let [_, outputs, kernel @ ..] = weight.shape() else { return Err("its weight has too few axes".into()) };
    let groups = operation.int("group", 1).max(0) as usize;
    if operation.ints("output_shape").is_some() {
        return Err("it has an output_shape: export it with pads".into());
    }
    let channels = outputs.checked_mul(groups).ok_or("it has too many channels")?;
    let description = Description::new(format!("conv_transpose{axes}d")).with("channels", channels);
    let description = window(operation, description, axes, kernel.to_vec())?
        .with("padding", lists(&pads(operation, axes)?));
    let description = description
        .with("groups", groups)
        .with("output_padding", operation.counts("output_padding", axes, 0)?);
    let description = description.with("bias", bias.is_some());
    Ok(Converted::new(description).weight("weight", weight).weight_if("bias", bias))
}

/// Along an axis, how a pooling here has the windows that the graph has: its padding on both sides, and whether it is `ceil`.
struct Axis {
    size: usize,
    extent: usize,
    stride: usize,
    pads: [usize; 2],
}

impl Axis {
    /// The windows that are full, with this much padding in all, and what is left of the axis after them.
    fn windows(&self, padding: usize) -> Option<(usize, usize)> {
        let range = self.size.checked_add(padding)?.checked_sub(self.extent)?;
        Some((range.checked_div(self.stride)? + 1, range % self.stride))
    }

    /// Whether it is `ceil`; an error if no pooling has these windows.
    fn ceil(&self, mean_of_padding: bool) -> Result<bool, String> {
        let [before, after] = self.pads;
        let other = || "it has other padding before an axis than after it".to_owned();
        let (wanted, _) =
            before.checked_add(after).and_then(|padding| self.windows(padding)).ok_or_else(other)?;
        let (full, left) =
            before.checked_mul(2).and_then(|padding| self.windows(padding)).ok_or_else(other)?;
        if full == wanted {
            Ok(false)
        } else if full + 1 == wanted && left > 0 && !mean_of_padding {
            Ok(true)
        } else {
            Err(other())
        }
    }
}

pub(super) fn pool(operation: &Operation<'_>, name: &str) -> Result<Converted, String> {
    let axes = image_axes(operation)?;
    let kernel = operation.ints("kernel_shape").ok_or("it has no kernel_shape")?;
    let kernel = kernel.iter().map(|&length| usize::try_from(length).ok()).collect::<Option<Vec<_>>>();
    let kernel =
        kernel.filter(|kernel| kernel.len() == axes).ok_or("its kernel_shape does not have these axes")?;
    let description = window(operation, Description::new(format!("{name}{axes}d")), axes, kernel.clone())?;
    let [stride, dilation] = ["strides", "dilations"].map(|setting| operation.counts(setting, axes, 1));
    let (stride, dilation) = (stride?, dilation?);
    let pads = pads(operation, axes)?;
    let exclude = operation.int("count_include_pad", 0) == 0;
    let mut ceil = Vec::new();
    for axis in 0..axes {
        let extent = dilation[axis].saturating_mul(kernel[axis].saturating_sub(1)).saturating_add(1);
        let own =
            Axis { size: operation.samples()?[axis + 1], extent, stride: stride[axis], pads: pads[axis] };
        if operation.int("ceil_mode", 0) != 0 && pads[axis][0] == pads[axis][1] {
            ceil.push((true, false));
        } else {
            let needed = own.ceil(name == "avg_pool" && !exclude)?;
            // An axis that ends with a full window has as many either way.
            let either = own.windows(2 * pads[axis][0]).is_some_and(|(_, left)| left == 0);
            ceil.push((needed, either));
        }
    }
    let is_ceil = ceil.iter().any(|(needed, _)| *needed);
    if is_ceil && ceil.iter().any(|(needed, either)| !needed && !either) {
        return Err("its last windows are full along one axis, and not along another".into());
    }
    let padding: Vec<usize> = pads.iter().map(|pads| pads[0]).collect();
    let description = description.with("padding", padding).with("ceil", is_ceil);
    if name != "avg_pool" {
        return Ok(Converted::new(description));
    }
    Ok(Converted::new(description.with("exclude_padding", exclude)))
}

/// Values around an image.
pub(super) fn pad(operation: &Operation<'_>) -> Result<Converted, String> {
    let axes = image_axes(operation)?;
    let given = operation.integers("pads", 1)?.ok_or("it has no pads")?;
    let counts = given.iter().map(|&count| usize::try_from(count).ok()).collect::<Option<Vec<_>>>();
    let counts = counts
        .filter(|counts| counts.len() == 2 * (axes + 2))
        .ok_or("its pads are not two for each axis, at least 0")?;
    let (before, after) = counts.split_at(axes + 2);
    if [&before[..2], &after[..2]].concat().iter().any(|count| *count != 0)
        || operation.inputs.get(3).is_some_and(Option::is_some)
    {
        return Err("it pads the batch or the channels, or names its axes".into());
    }
    let sides: Vec<[usize; 2]> =
        before[2..].iter().zip(&after[2..]).map(|(&before, &after)| [before, after]).collect();
    let value = match operation.weight_if(2)? {
        Some(value) => number(&value).ok_or("its value is not one number")?,
        None => operation.float("value", 0.0),
    };
    let name = match operation.text("mode").unwrap_or("constant") {
        "constant" if value == 0.0 => "zero_padding",
        "constant" => "constant_padding",
        "reflect" => "reflection_padding",
        "edge" => "replication_padding",
        "wrap" => "circular_padding",
        other => return Err(format!("its mode {other} is not known")),
    };
    let description = Description::new(format!("{name}{axes}d")).with("sides", lists(&sides));
    Ok(Converted::new(if name == "constant_padding" {
        description.with("value", value)
    } else {
        description
    }))
}
