//! Convolutions, and the windows that they slide.

use chainrule_core::Value;

use super::containers::one;
use super::operators::Emitted;
use super::writer::{Attribute, Signal, Writer};
use crate::site::Site;

/// A window along each axis.
pub(super) struct Window {
    pub(super) kernel: Vec<usize>,
    pub(super) stride: Vec<usize>,
    pub(super) dilation: Vec<usize>,
}

impl Window {
    fn of(site: &Site, axes: usize) -> Result<Self, String> {
        let [kernel, stride, dilation] =
            ["kernel", "stride", "dilation"].map(|setting| site.counts(setting, axes));
        Ok(Self { kernel: kernel?, stride: stride?, dilation: dilation? })
    }

    fn extent(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    fn axes(&self) -> usize {
        self.kernel.len()
    }

    /// The number of positions.
    fn positions(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The zeros before and after each axis of an image.
    fn pads(&self, site: &Site, image: &[usize]) -> Result<Vec<[usize; 2]>, String> {
        match site.description.get("padding") {
            Some(Value::Text(word)) if word == "valid" => Ok(vec![[0, 0]; self.axes()]),
            Some(Value::Text(word)) if word == "same" => {
                let pads = |(axis, &size): (usize, &usize)| {
                    let covered = (size - 1) / self.stride[axis] * self.stride[axis] + self.extent(axis);
                    let zeros = covered.saturating_sub(size);
                    [zeros / 2, zeros - zeros / 2]
                };
                Ok(image.iter().enumerate().map(pads).collect())
            }
            _ => site.sides("padding", self.axes()),
        }
    }

    /// The number of windows along each axis.
    fn features(&self, image: &[usize], pads: &[[usize; 2]]) -> Vec<usize> {
        let count = |(axis, &size): (usize, &usize)| {
            (size + pads[axis][0] + pads[axis][1] - self.extent(axis)) / self.stride[axis] + 1
        };
        image.iter().enumerate().map(count).collect()
    }

    fn attributes(&self, pads: &[[usize; 2]], groups: usize) -> Vec<Attribute> {
        vec![
            Attribute::counts("kernel_shape", self.kernel.iter().copied()),
            Attribute::counts("strides", self.stride.iter().copied()),
            Attribute::counts("dilations", self.dilation.iter().copied()),
            pads_attribute(pads),
            Attribute::Int("group", groups as i64),
        ]
    }
}

/// The zeros before all axes, and then those after them.
pub(super) fn pads_attribute(pads: &[[usize; 2]]) -> Attribute {
    let before = pads.iter().map(|pads| pads[0]);
    Attribute::counts("pads", before.chain(pads.iter().map(|pads| pads[1])))
}

/// The channels and the image of samples with this number of axes.
fn image(x: &Signal, axes: usize) -> Result<(usize, Vec<usize>), String> {
    match x.shape.split_first() {
        Some((&channels, image)) if image.len() == axes => Ok((channels, image.to_vec())),
        _ => Err(format!("its samples are not [channels] and {axes} more axes")),
    }
}

fn conv_of(
    writer: &mut Writer<'_>,
    (x, window): (&Signal, &Window),
    pads: &[[usize; 2]],
    groups: usize,
    (weight, outputs, bias): (String, usize, Option<String>),
) -> Result<Signal, String> {
    let (_, image) = image(x, window.axes())?;
    let mut inputs = vec![&*x.name, &*weight];
    inputs.extend(bias.as_deref());
    let name = writer.node("Conv", &inputs, window.attributes(pads, groups));
    Ok(Signal::new(name, [&[outputs], &window.features(&image, pads)[..]].concat()))
}

pub(super) fn conv(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let window = Window::of(site, site.axes())?;
    let (channels, image) = image(&x, window.axes())?;
    // Those of each channel alone have no setting for it.
    let groups = if site.has("groups") { site.count("groups")? } else { channels };
    let pads = window.pads(site, &image)?;
    let outputs = writer.required(site, "weight")?.shape[0];
    let weight = writer.parameter(site, "weight")?;
    let bias = site.flag("bias")?.then(|| writer.parameter(site, "bias")).transpose()?;
    Ok(conv_of(writer, (&x, &window), &pads, groups, (weight, outputs, bias))?)
}

/// Each channel alone, and then all channels at each position.
pub(super) fn separable(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let window = Window::of(site, site.axes())?;
    let (channels, image) = image(&x, window.axes())?;
    let pads = window.pads(site, &image)?;
    let between = writer.required(site, "depthwise.weight")?.shape[0];
    let weight = writer.parameter(site, "depthwise.weight")?;
    let y = conv_of(writer, (&x, &window), &pads, channels, (weight, between, None))?;
    let outputs = writer.required(site, "pointwise.weight")?.shape[0];
    let weight = writer.parameter(site, "pointwise.weight")?;
    let bias = site.flag("bias")?.then(|| writer.parameter(site, "pointwise.bias")).transpose()?;
    let axes = window.axes();
    let pixel = Window { kernel: vec![1; axes], stride: vec![1; axes], dilation: vec![1; axes] };
    Ok(conv_of(writer, (&y, &pixel), &vec![[0, 0]; axes], 1, (weight, outputs, bias))?)
}

/// A transposed convolution to an image of this size, of whose zeros so many are before it.
fn transposed_to(
    writer: &mut Writer<'_>,
    (x, window): (&Signal, &Window),
    (before, size): (&[usize], &[usize]),
    groups: usize,
    (weight, outputs, bias): (String, usize, Option<String>),
) -> Result<Signal, String> {
    let (_, features) = image(x, window.axes())?;
    let mut pads = Vec::new();
    let mut more = Vec::new();
    for (axis, &count) in features.iter().enumerate() {
        let covered = (count - 1) * window.stride[axis] + window.extent(axis);
        let end = before[axis] + size[axis];
        pads.push([before[axis], covered.saturating_sub(end)]);
        more.push(end.saturating_sub(covered));
    }
    let mut inputs = vec![&*x.name, &*weight];
    inputs.extend(bias.as_deref());
    let mut attributes = window.attributes(&pads, groups);
    attributes.push(Attribute::counts("output_padding", more));
    let name = writer.node("ConvTranspose", &inputs, attributes);
    Ok(Signal::new(name, [&[outputs], size].concat()))
}

pub(super) fn conv_transpose(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axes = site.axes();
    let window = Window::of(site, axes)?;
    let (_, features) = image(&x, axes)?;
    let output = writer.planned_output(site).ok_or("its output is not in the plan")?;
    let groups = site.count("groups")?;
    let before: Vec<usize> = match site.text("padding") {
        Some("valid") => vec![0; axes],
        Some("same") => {
            let before = |(axis, &count): (usize, &usize)| {
                let covered = (count - 1) * window.stride[axis] + window.extent(axis);
                covered.saturating_sub(count * window.stride[axis]) / 2
            };
            features.iter().enumerate().map(before).collect()
        }
        _ => site.sides("padding", axes)?.into_iter().map(|sides| sides[0]).collect(),
    };
    let (&outputs, size) = output.split_first().ok_or("its output has no channels")?;
    let weight = writer.parameter(site, "weight")?;
    let bias = site.flag("bias")?.then(|| writer.parameter(site, "bias")).transpose()?;
    Ok(transposed_to(writer, (&x, &window), (&before, size), groups, (weight, outputs, bias))?)
}

/// The kernel whose outputs are the positions of a window, for each of these channels.
fn one_hot(writer: &mut Writer<'_>, channels: usize, window: &Window) -> String {
    let positions = window.positions();
    let shape = [&[channels * positions, 1], &window.kernel[..]].concat();
    let values = (0..channels * positions * positions).map(|index| {
        let (row, column) = (index / positions, index % positions);
        if row % positions == column { 1.0 } else { 0.0 }
    });
    writer.constant("kernel", &shape, values)
}

/// The values in each window, `[channels · positions, windows]`.
pub(super) fn unfold(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let window = Window::of(site, site.axes())?;
    let (channels, image) = image(&x, window.axes())?;
    let pads = window.pads(site, &image)?;
    let outputs = channels * window.positions();
    let kernel = one_hot(writer, channels, &window);
    let y = conv_of(writer, (&x, &window), &pads, channels, (kernel, outputs, None))?;
    let windows = y.shape[1..].iter().product();
    Ok(writer.reshape(&y, [outputs, windows]))
}

/// The sums of what windows have at each value of an image.
pub(super) fn fold(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axes = site.axes();
    let window = Window::of(site, axes)?;
    let size = site.counts("size", axes)?;
    let pads = window.pads(site, &size)?;
    let features = window.features(&size, &pads);
    let channels = x.shape[0] / window.positions();
    let windows = writer.reshape(&x, [&[x.shape[0]], &features[..]].concat());
    let kernel = one_hot(writer, channels, &window);
    let before: Vec<usize> = pads.iter().map(|pads| pads[0]).collect();
    Ok(transposed_to(writer, (&windows, &window), (&before, &size), channels, (kernel, channels, None))?)
}
