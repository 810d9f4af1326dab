//! Activations.

use super::{Argument, Lowered, Lowering, Signal, one};
use crate::site::{Reason, Site};

/// The constants of SELU (Klambauer et al. 2017).
const SELU: [f64; 2] = [1.673_263_242_354_377_2, 1.050_700_987_355_480_5];

/// The function of an activation of each value, and its settings.
pub(super) fn unit(site: &Site) -> Result<Argument, Reason> {
    let number = |setting: &str| site.number(setting);
    let (name, settings) = match &*site.description.name {
        "relu" => ("unit_relu", [0.0; 2]),
        "relu6" => ("unit_clip", [0.0, 6.0]),
        "leaky_relu" => ("unit_leaky_relu", [number("negative_slope")?, 0.0]),
        // In evaluation the slope is the mean of the limits.
        "rrelu" => ("unit_leaky_relu", [0.5 * (number("lower")? + number("upper")?), 0.0]),
        "relu_squared" => ("unit_relu_squared", [0.0; 2]),
        "threshold" => ("unit_threshold", [number("threshold")?, number("value")?]),
        "thresholded_relu" => ("unit_threshold", [number("threshold")?, 0.0]),
        "elu" => ("unit_elu", [number("alpha")?, 1.0]),
        "selu" => ("unit_elu", SELU),
        "celu" => ("unit_celu", [number("alpha")?, 1.0 / number("alpha")?]),
        "exponential" => ("unit_exponential", [0.0; 2]),
        "gelu" => ("unit_gelu", [0.0; 2]),
        "gelu_tanh" => ("unit_gelu_tanh", [0.0; 2]),
        "hard_sigmoid" => ("unit_hard_sigmoid", [0.0; 2]),
        "hard_swish" => ("unit_hard_swish", [0.0; 2]),
        "hard_tanh" => ("unit_clip", [number("low")?, number("high")?]),
        "hard_shrink" => ("unit_hard_shrink", [number("lambda")?, 0.0]),
        "soft_shrink" => ("unit_soft_shrink", [number("lambda")?, 0.0]),
        "tanh_shrink" => ("unit_tanh_shrink", [0.0; 2]),
        "sigmoid" => ("unit_sigmoid", [0.0; 2]),
        "tanh" => ("unit_tanh", [0.0; 2]),
        "softsign" => ("unit_softsign", [0.0; 2]),
        "silu" => ("unit_silu", [0.0; 2]),
        "mish" => ("unit_mish", [0.0; 2]),
        "softplus" => ("unit_softplus", [number("beta")?, number("threshold")?]),
        "log_sigmoid" => ("unit_log_sigmoid", [0.0; 2]),
        "squareplus" => ("unit_squareplus", [number("b")?, 0.0]),
        "sparse_plus" => ("unit_sparse_plus", [0.0; 2]),
        "sparse_sigmoid" => ("unit_sparse_sigmoid", [0.0; 2]),
        other => return Err(format!("there is no function for the activation {other}")),
    };
    Ok(Argument::Unit(name, settings.map(|setting| setting as f32)))
}

pub(super) fn of_each_value(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    Ok(lowering.change("apply", (&one(xs)?, &[]), vec![unit(site)?]))
}

pub(super) fn prelu(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let (slopes, _) = lowering.required(site, "weight")?;
    let inner = match site.text("shared") {
        Some("all") => 1,
        None if site.has("shared") => {
            let axis = site.count("shared")?;
            x.shape.get(axis + 1..).ok_or("it has no such axis")?.iter().product()
        }
        _ => 1,
    };
    let arguments = vec![lowering.floats("slopes", slopes), Argument::Count(inner)];
    Ok(lowering.change("prelu", (&x, &[]), arguments))
}

pub(super) fn softmax(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let &last = x.shape.last().ok_or("it has no axis")?;
    if site.description.name == "log_softmax" {
        return Ok(lowering.change("log_softmax", (&x, &[]), vec![Argument::Count(last)]));
    }
    let (count, inner) = match &*site.description.name {
        "softmax2d" => (x.shape[0], x.size() / x.shape[0]),
        _ => (last, 1),
    };
    let sign = if site.description.name == "softmin" { -1.0 } else { 1.0 };
    let arguments = vec![Argument::Count(count), Argument::Count(inner), Argument::Number(sign)];
    Ok(lowering.change("softmax", (&x, &[]), arguments))
}

/// An axis, by default the last one, and the number of values after it.
fn axis(site: &Site, x: &Signal) -> Result<(usize, usize), Reason> {
    let axis = if site.has("axis") { site.count("axis")? } else { x.shape.len().saturating_sub(1) };
    let after = x.shape.get(axis + 1..).filter(|_| axis < x.shape.len()).ok_or("it has no such axis")?;
    Ok((axis, after.iter().product()))
}

/// `a f(b)`, for the halves `a` and `b` of an axis.
pub(super) fn gated(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let (axis, inner) = axis(site, &x)?;
    let mut shape = x.shape.clone();
    shape[axis] /= 2;
    let gate = site.inner("gate", site.described("gate")?);
    let gate = match &*gate.description.name {
        "identity" => Argument::Unit("unit_leaky_relu", [1.0, 0.0]),
        _ => unit(&gate)?,
    };
    let count = Argument::Count(shape[axis] * inner);
    Ok(lowering.call("gate", &[&x], vec![gate, count], shape))
}

/// The largest of each group of neighbours along an axis.
pub(super) fn maxout(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let group = site.count("group")?;
    let (axis, inner) = axis(site, &x)?;
    let mut shape = x.shape.clone();
    shape[axis] /= group;
    Ok(lowering.call("maxima", &[&x], vec![Argument::Count(group), Argument::Count(inner)], shape))
}
