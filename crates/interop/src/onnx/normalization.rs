//! Normalisation, with running statistics where there are some.

use super::containers::one;
use super::operators::Emitted;
use super::writer::{Attribute, Signal, Writer};
use crate::site::Site;

/// Ones where a normalisation has no parameters, else its weight.
fn scale(writer: &mut Writer<'_>, site: &Site, shape: &[usize]) -> Result<String, String> {
    if writer.entry(site, "weight").is_some() {
        return writer.parameter_as(site, "weight", shape);
    }
    Ok(writer.constant("ones", shape, vec![1.0; shape.iter().product()]))
}

/// Zeros where a normalisation has no parameters, else its bias.
fn shift(writer: &mut Writer<'_>, site: &Site, shape: &[usize]) -> Result<String, String> {
    if writer.entry(site, "bias").is_some() {
        return writer.parameter_as(site, "bias", shape);
    }
    Ok(writer.constant("zeros", shape, vec![0.0; shape.iter().product()]))
}

pub(super) fn batch_norm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let epsilon = site.number("epsilon")?;
    let channels = writer.required(site, "running_mean")?.shape.to_vec();
    if site.flag("channels_last")? && x.rank() > 1 {
        // Over the last axis, by what the statistics make of scale and shift.
        let values = |name: &str, other: f64| match writer.entry(site, name) {
            Some(entry) => writer.values(entry).to_vec(),
            None => vec![other; channels[0]],
        };
        let (weight, bias) = (values("weight", 1.0), values("bias", 0.0));
        let (mean, variance) = (values("running_mean", 0.0), values("running_var", 1.0));
        let factors: Vec<f64> = weight.iter().zip(&variance).map(|(w, v)| w / (v + epsilon).sqrt()).collect();
        let shifts = bias.iter().zip(&mean).zip(&factors).map(|((b, m), f)| b - m * f).collect::<Vec<_>>();
        let factors = writer.constant("scale", &channels, factors);
        let shifts = writer.constant("shift", &channels, shifts);
        let scaled = writer.like(&x, "Mul", &[&x.name, &factors], vec![]);
        return Ok(writer.like(&x, "Add", &[&scaled.name, &shifts], vec![]));
    }
    let weight = scale(writer, site, &channels)?;
    let bias = shift(writer, site, &channels)?;
    let mean = writer.parameter(site, "running_mean")?;
    let variance = writer.parameter(site, "running_var")?;
    let inputs = [&*x.name, &weight, &bias, &mean, &variance];
    Ok(writer.like(&x, "BatchNormalization", &inputs, vec![Attribute::Float("epsilon", epsilon)]))
}

/// How many of the last axes are normalised over.
fn last_axes(site: &Site, x: &Signal) -> Result<usize, String> {
    if site.text("axes") == Some("all") { Ok(x.rank()) } else { site.count("axes") }
}

pub(super) fn layer_norm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axes = last_axes(site, &x)?;
    let shape = x.shape[x.rank() - axes..].to_vec();
    let weight = scale(writer, site, &shape)?;
    let mut inputs = vec![x.name.clone(), weight];
    if writer.entry(site, "bias").is_some() {
        inputs.push(writer.parameter(site, "bias")?);
    }
    let inputs: Vec<&str> = inputs.iter().map(|input| &**input).collect();
    let attributes =
        vec![Attribute::Int("axis", -(axes as i64)), Attribute::Float("epsilon", site.number("epsilon")?)];
    Ok(writer.like(&x, "LayerNormalization", &inputs, attributes))
}

fn last(axes: usize) -> Attribute {
    Attribute::Ints("axes", (1..=axes as i64).rev().map(|axis| -axis).collect())
}

/// `x / √(mean x² + ε)`, times the weight.
pub(super) fn rms_norm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axes = last_axes(site, &x)?;
    let epsilon = if site.has("epsilon") { site.number("epsilon")? } else { f64::from(f32::EPSILON) };
    let square = writer.node("Mul", &[&x.name, &x.name], vec![]);
    let mean = writer.node("ReduceMean", &[&square], vec![last(axes)]);
    let epsilon = writer.scalar("epsilon", epsilon);
    let sum = writer.node("Add", &[&mean, &epsilon], vec![]);
    let root = writer.node("Sqrt", &[&sum], vec![]);
    let y = writer.like(&x, "Div", &[&x.name, &root], vec![]);
    if !site.flag("affine")? {
        return Ok(y);
    }
    let weight = writer.parameter(site, "weight")?;
    Ok(writer.like(&y, "Mul", &[&y.name, &weight], vec![]))
}

/// `x / |x|`
pub(super) fn unit_norm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axes = last_axes(site, &x)?;
    let length = writer.node("ReduceL2", &[&x.name], vec![last(axes)]);
    let low = writer.scalar("epsilon", 1e-12);
    let length = writer.node("Max", &[&length, &low], vec![]);
    Ok(writer.like(&x, "Div", &[&x.name, &length], vec![]))
}

/// Each of these parts of a sample to mean 0 and variance 1.
fn instances(writer: &mut Writer<'_>, x: &Signal, parts: usize, epsilon: f64) -> Signal {
    let flat = writer.reshape(x, [parts, x.size() / parts]);
    let ones = writer.constant("ones", &[parts], vec![1.0; parts]);
    let zeros = writer.constant("zeros", &[parts], vec![0.0; parts]);
    let attributes = vec![Attribute::Float("epsilon", epsilon)];
    let normal = writer.like(&flat, "InstanceNormalization", &[&flat.name, &ones, &zeros], attributes);
    writer.reshape(&normal, x.shape.clone())
}

/// The weight and the bias of each channel.
fn channels(writer: &mut Writer<'_>, site: &Site, x: &Signal) -> Emitted {
    if !site.flag("affine")? {
        return Ok(x.clone());
    }
    let shape = [&[x.shape[0]], &vec![1; x.rank() - 1][..]].concat();
    let weight = writer.parameter_as(site, "weight", &shape)?;
    let bias = writer.parameter_as(site, "bias", &shape)?;
    let scaled = writer.like(x, "Mul", &[&x.name, &weight], vec![]);
    Ok(writer.like(x, "Add", &[&scaled.name, &bias], vec![]))
}

pub(super) fn group_norm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let y = instances(writer, &x, site.count("groups")?, site.number("epsilon")?);
    channels(writer, site, &y)
}

pub(super) fn instance_norm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let y = instances(writer, &x, x.shape[0], site.number("epsilon")?);
    channels(writer, site, &y)
}

/// `x / (k + α/n Σ x²)^β` over `n` neighbouring channels. The operator LRN of ONNX has other neighbours where n is even.
pub(super) fn local_response(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let size = site.count("size")?;
    let channels = x.shape[0];
    if !size.is_multiple_of(2) {
        // ONNX Runtime has the operator for images.
        let image =
            if x.rank() == 3 { x.clone() } else { writer.reshape(&x, [channels, x.size() / channels, 1]) };
        let attributes = vec![
            Attribute::Int("size", size as i64),
            Attribute::Float("alpha", site.number("alpha")?),
            Attribute::Float("beta", site.number("beta")?),
            Attribute::Float("bias", site.number("k")?),
        ];
        let y = writer.like(&image, "LRN", &[&image.name], attributes);
        return Ok(writer.reshape(&y, x.shape.clone()));
    }
    let flat = writer.reshape(&x, [channels, x.size() / channels]);
    let square = writer.like(&flat, "Mul", &[&flat.name, &flat.name], vec![]);
    let alpha = site.number("alpha")? / size as f64;
    let band = (0..channels * channels).map(|index| {
        let (to, from) = (index / channels, index % channels);
        if from + size / 2 >= to && from < to + size.div_ceil(2) { alpha } else { 0.0 }
    });
    let band = writer.constant("neighbours", &[channels, channels], band);
    let sums = writer.like(&flat, "MatMul", &[&band, &square.name], vec![]);
    let k = writer.scalar("k", site.number("k")?);
    let sums = writer.like(&flat, "Add", &[&sums.name, &k], vec![]);
    let beta = writer.scalar("beta", site.number("beta")?);
    let powers = writer.like(&flat, "Pow", &[&sums.name, &beta], vec![]);
    let y = writer.like(&flat, "Div", &[&flat.name, &powers.name], vec![]);
    Ok(writer.reshape(&y, x.shape.clone()))
}
