//! Normalisation: rows to mean 0 and variance 1, and then a scale and a shift.

use super::{Argument, Lowered, Lowering, Signal, one};
use crate::site::{Reason, Site};

/// What the statistics make of scale and shift. Where there is a layer with weights before, it takes them in.
pub(super) fn batch_norm(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let epsilon = site.number("epsilon")?;
    let (mean, _) = lowering.required(site, "running_mean")?;
    let (variance, _) = lowering.required(site, "running_var")?;
    let channels = mean.len();
    let weight = lowering.values(site, "weight").unwrap_or_else(|| vec![1.0; channels]);
    let bias = lowering.values(site, "bias").unwrap_or_else(|| vec![0.0; channels]);
    let scale: Vec<f64> = weight.iter().zip(&variance).map(|(w, v)| w / (v + epsilon).sqrt()).collect();
    let shift: Vec<f64> = bias.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
    let inner = if site.flag("channels_last")? { 1 } else { x.size() / channels };
    Ok(scale_shift(lowering, &x, (scale, shift), inner))
}

fn scale_shift(
    lowering: &mut Lowering<'_>,
    x: &Signal,
    (scale, shift): (Vec<f64>, Vec<f64>),
    inner: usize,
) -> Signal {
    let arguments =
        vec![lowering.floats("scale", scale), lowering.floats("shift", shift), Argument::Count(inner)];
    lowering.change("scale_shift", (x, &[]), arguments)
}

/// How many of the last values are normalised together.
fn count(site: &Site, x: &Signal) -> Result<usize, Reason> {
    match &*site.description.name {
        "group_norm" => Ok(x.size() / site.count("groups")?),
        "instance_norm" => Ok(x.size() / x.shape[0]),
        _ if site.text("axes") == Some("all") => Ok(x.size()),
        _ => {
            let axes = site.count("axes")?;
            let first = x.shape.len().checked_sub(axes).ok_or("it has more axes than the samples")?;
            Ok(x.shape[first..].iter().product())
        }
    }
}

pub(super) fn normalized(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let count = count(site, &x)?;
    let epsilon = if site.has("epsilon") { site.number("epsilon")? } else { f64::from(f32::EPSILON) };
    let function = if site.description.name == "rms_norm" { "rms_normalize" } else { "normalize" };
    let arguments = vec![Argument::Count(count), Argument::Number(epsilon as f32)];
    let y = lowering.change(function, (&x, &[]), arguments);
    let Some(weight) = lowering.values(site, "weight") else { return Ok(y) };
    let bias = lowering.values(site, "bias").unwrap_or_else(|| vec![0.0; weight.len()]);
    let inner = match &*site.description.name {
        "group_norm" | "instance_norm" => x.size() / x.shape[0],
        _ => 1,
    };
    Ok(scale_shift(lowering, &y, (weight, bias), inner))
}
