//! Poolings.

use super::containers::one;
use super::convolution::pads_attribute;
use super::operators::Emitted;
use super::writer::{Attribute, Signal, Writer, ints};
use crate::site::Site;

/// The windows of a pooling along one axis.
struct Sliding {
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    /// The length of the axis, and the number of windows.
    size: usize,
    outputs: usize,
}

impl Sliding {
    fn extent(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// The padding that all windows take, the last one included, which may not be full.
    fn pads(&self) -> [usize; 2] {
        let end = (self.outputs - 1) * self.stride + self.extent();
        [self.padding, end.saturating_sub(self.padding + self.size)]
    }

    /// How many positions of a window are within the axis and its padding, as it was set.
    fn padded_count(&self, output: usize) -> usize {
        let begin = output * self.stride;
        (2 * self.padding + self.size).saturating_sub(begin).div_ceil(self.dilation).min(self.kernel)
    }
}

fn sliding(writer: &Writer<'_>, site: &Site, x: &Signal) -> Result<Vec<Sliding>, String> {
    let axes = site.axes();
    let output = writer.planned_output(site).filter(|output| output.len() == axes + 1);
    let output = output.ok_or("its output is not in the plan")?;
    sliding_to(site, &x.shape, &output)
}

fn sliding_to(site: &Site, input: &[usize], output: &[usize]) -> Result<Vec<Sliding>, String> {
    let axes = site.axes();
    let kernel = site.counts("kernel", axes)?;
    let stride = if site.has("stride") { site.counts("stride", axes)? } else { kernel.clone() };
    let [padding, dilation] = ["padding", "dilation"].map(|setting| site.counts(setting, axes));
    let (padding, dilation) = (padding?, dilation?);
    let axis = |axis: usize| Sliding {
        kernel: kernel[axis],
        stride: stride[axis],
        padding: padding[axis],
        dilation: dilation[axis],
        size: input[axis + 1],
        outputs: output[axis + 1],
    };
    Ok((0..axes).map(axis).collect())
}

fn attributes(axes: &[Sliding]) -> Vec<Attribute> {
    let pads: Vec<_> = axes.iter().map(Sliding::pads).collect();
    vec![
        Attribute::counts("kernel_shape", axes.iter().map(|axis| axis.kernel)),
        Attribute::counts("strides", axes.iter().map(|axis| axis.stride)),
        pads_attribute(&pads),
    ]
}

fn output(x: &Signal, axes: &[Sliding]) -> Vec<usize> {
    [x.shape[0]].into_iter().chain(axes.iter().map(|axis| axis.outputs)).collect()
}

fn max_attributes(axes: &[Sliding]) -> Vec<Attribute> {
    let mut attributes = attributes(axes);
    attributes.push(Attribute::counts("dilations", axes.iter().map(|axis| axis.dilation)));
    attributes
}

pub(super) fn max_pool(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axes = sliding(writer, site, &x)?;
    Ok(Signal::new(writer.node("MaxPool", &[&x.name], max_attributes(&axes)), output(&x, &axes)))
}

fn not_dilated(axes: &[Sliding]) -> Result<(), String> {
    if axes.iter().all(|axis| axis.dilation == 1) {
        return Ok(());
    }
    Err("its windows are dilated, which AveragePool has from opset 19 on".into())
}

/// The mean over all positions of each window, where padding counts as zeros.
fn mean(writer: &mut Writer<'_>, x: &Signal, axes: &[Sliding]) -> Result<Signal, String> {
    not_dilated(axes)?;
    let mut attributes = attributes(axes);
    attributes.push(Attribute::Int("count_include_pad", 1));
    Ok(Signal::new(writer.node("AveragePool", &[&x.name], attributes), output(x, axes)))
}

pub(super) fn avg_pool(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axes = sliding(writer, site, &x)?;
    if site.flag("exclude_padding")? {
        not_dilated(&axes)?;
        let name = writer.node("AveragePool", &[&x.name], attributes(&axes));
        return Ok(Signal::new(name, output(&x, &axes)));
    }
    let y = mean(writer, &x, &axes)?;
    // Positions beyond the padding, of windows that are not full, do not count.
    let shape: Vec<usize> = axes.iter().map(|axis| axis.outputs).collect();
    let factors: Vec<f64> = (0..shape.iter().product())
        .map(|index| {
            let mut rest = index;
            let mut factor = 1.0;
            for axis in axes.iter().rev() {
                factor *= axis.kernel as f64 / axis.padded_count(rest % axis.outputs) as f64;
                rest /= axis.outputs;
            }
            factor
        })
        .collect();
    if factors.iter().all(|factor| *factor == 1.0) {
        return Ok(y);
    }
    let factors = writer.constant("factors", &shape, factors);
    Ok(writer.like(&y, "Mul", &[&y.name, &factors], vec![]))
}

/// `(Σ |x|ᵖ)^(1/p)`
pub(super) fn lp_pool(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axes = sliding(writer, site, &x)?;
    let p = site.number("p")?;
    let positive = writer.like(&x, "Abs", &[&x.name], vec![]);
    let exponent = writer.scalar("p", p);
    let powers = writer.like(&x, "Pow", &[&positive.name, &exponent], vec![]);
    let means = mean(writer, &powers, &axes)?;
    let count = writer.scalar("positions", axes.iter().map(|axis| axis.kernel).product::<usize>() as f64);
    let sums = writer.like(&means, "Mul", &[&means.name, &count], vec![]);
    let inverse = writer.scalar("inverse", 1.0 / p);
    Ok(writer.like(&sums, "Pow", &[&sums.name, &inverse], vec![]))
}

/// For each output along an axis, the inputs from `⌊i n / o⌋` to `⌈(i + 1) n / o⌉`, as many for each, and their weights in a mean.
pub(super) fn parts(size: usize, outputs: usize) -> (usize, Vec<usize>, Vec<f64>) {
    let range = |output: usize| (output * size / outputs, ((output + 1) * size).div_ceil(outputs));
    let longest = (0..outputs).map(|output| range(output).1 - range(output).0).max().unwrap_or(1);
    let mut indices = Vec::new();
    let mut weights = Vec::new();
    for (start, end) in (0..outputs).map(range) {
        for offset in 0..longest {
            // The last one again, which changes no maximum, and counts for nothing in a mean.
            indices.push((start + offset).min(end - 1));
            weights.push(if start + offset < end { 1.0 / (end - start) as f64 } else { 0.0 });
        }
    }
    (longest, indices, weights)
}

/// Pools one axis after the other to parts of nearly the same size.
fn adaptive(writer: &mut Writer<'_>, site: &Site, xs: &[Signal], maximum: bool) -> Emitted {
    let mut x = one(xs)?;
    for (axis, outputs) in site.counts("output", site.axes())?.into_iter().enumerate() {
        let axis = axis + 1;
        let (longest, indices, weights) = parts(x.shape[axis], outputs);
        let mut shape = x.shape.clone();
        shape[axis] = outputs;
        let indices = writer.indices("indices", &[outputs, longest], ints(indices));
        let mut name =
            writer.node("Gather", &[&x.name, &indices], vec![Attribute::Int("axis", axis as i64 + 1)]);
        let over = axis as i64 + 2;
        name = if maximum {
            writer.node(
                "ReduceMax",
                &[&name],
                vec![Attribute::Ints("axes", vec![over]), Attribute::Int("keepdims", 0)],
            )
        } else {
            let after = vec![1; x.rank() - axis - 1];
            let weights = writer.constant("weights", &[&[outputs, longest], &after[..]].concat(), weights);
            let weighted = writer.node("Mul", &[&name, &weights], vec![]);
            let over = writer.list("axes", vec![over]);
            writer.node("ReduceSum", &[&weighted, &over], vec![Attribute::Int("keepdims", 0)])
        };
        x = Signal::new(name, shape);
    }
    Ok(x)
}

pub(super) fn adaptive_max(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    adaptive(writer, site, xs, true)
}

pub(super) fn adaptive_avg(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    adaptive(writer, site, xs, false)
}

fn global(writer: &mut Writer<'_>, xs: &[Signal], operator: &str) -> Emitted {
    let x = one(xs)?;
    let axes = vec![Attribute::counts("axes", 2..=x.rank()), Attribute::Int("keepdims", 0)];
    Ok(Signal::new(writer.node(operator, &[&x.name], axes), [x.shape[0]]))
}

pub(super) fn global_max(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    global(writer, xs, "ReduceMax")
}

pub(super) fn global_avg(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    global(writer, xs, "ReduceMean")
}

/// Puts each value of the first input where the pooling takes its value from in the second.
pub(super) fn max_unpool(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let [values, input] = xs else { return Err("it has other than two inputs".into()) };
    let axes = sliding_to(site, &input.shape, &values.shape)?;
    let indices = writer.nodes("MaxPool", &[&input.name], 2, max_attributes(&axes)).swap_remove(1);
    let shape = writer.node("Shape", &[&input.name], vec![]);
    let name = writer.node("MaxUnpool", &[&values.name, &indices, &shape], attributes(&axes));
    Ok(Signal::new(name, input.shape.clone()))
}
