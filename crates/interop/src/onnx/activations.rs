//! Activations.

use super::containers::one;
use super::operators::{Emitted, layer};
use super::writer::{Attribute, Signal, Writer};
use crate::site::Site;

/// An operator of its own, without settings.
macro_rules! operators {
    ($($rule:ident: $operator:literal [$($attribute:expr),*];)*) => {$(
        pub(super) fn $rule(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
            let x = one(xs)?;
            Ok(writer.like(&x, $operator, &[&x.name], vec![$($attribute),*]))
        }
    )*};
}

operators! {
    relu: "Relu" [];
    selu: "Selu" [];
    exponential: "Exp" [];
    sigmoid: "Sigmoid" [];
    tanh: "Tanh" [];
    softsign: "Softsign" [];
    hard_sigmoid: "HardSigmoid" [Attribute::Float("alpha", 1.0 / 6.0), Attribute::Float("beta", 0.5)];
    hard_swish: "HardSwish" [];
    softmax: "Softmax" [Attribute::Int("axis", -1)];
    log_softmax: "LogSoftmax" [Attribute::Int("axis", -1)];
    softmax2d: "Softmax" [Attribute::Int("axis", 1)];
}

/// An operator with one setting.
macro_rules! with_setting {
    ($($rule:ident: $operator:literal $attribute:literal = $setting:literal;)*) => {$(
        pub(super) fn $rule(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
            let x = one(xs)?;
            let value = site.number($setting)?;
            Ok(writer.like(&x, $operator, &[&x.name], vec![Attribute::Float($attribute, value)]))
        }
    )*};
}

with_setting! {
    leaky_relu: "LeakyRelu" "alpha" = "negative_slope";
    elu: "Elu" "alpha" = "alpha";
    celu: "Celu" "alpha" = "alpha";
    thresholded_relu: "ThresholdedRelu" "alpha" = "threshold";
}

/// What does nothing in evaluation.
pub(super) fn identity(_: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    Ok(one(xs)?)
}

/// A node of two inputs, of which the second is a number.
fn by(writer: &mut Writer<'_>, x: &Signal, operator: &str, name: &str, value: f64) -> Signal {
    let value = writer.scalar(name, value);
    writer.like(x, operator, &[&x.name, &value], vec![])
}

fn clip(writer: &mut Writer<'_>, x: &Signal, low: f64, high: f64) -> Signal {
    let low = writer.scalar("low", low);
    let high = writer.scalar("high", high);
    writer.like(x, "Clip", &[&x.name, &low, &high], vec![])
}

fn unary(writer: &mut Writer<'_>, x: &Signal, operator: &str) -> Signal {
    writer.like(x, operator, &[&x.name], vec![])
}

fn binary(writer: &mut Writer<'_>, operator: &str, a: &Signal, b: &Signal) -> Signal {
    writer.like(a, operator, &[&a.name, &b.name], vec![])
}

pub(super) fn relu6(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    Ok(clip(writer, &one(xs)?, 0.0, 6.0))
}

pub(super) fn hard_tanh(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    Ok(clip(writer, &one(xs)?, site.number("low")?, site.number("high")?))
}

/// `max(z, 0)²`
pub(super) fn relu_squared(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let relu = unary(writer, &one(xs)?, "Relu");
    Ok(binary(writer, "Mul", &relu, &relu))
}

/// `z` where it is above the threshold, else the value.
pub(super) fn threshold(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let above = by(writer, &x, "Greater", "threshold", site.number("threshold")?);
    let value = writer.scalar("value", site.number("value")?);
    Ok(writer.like(&x, "Where", &[&above.name, &x.name, &value], vec![]))
}

/// `½ z (1 + erf(z / √2))`
pub(super) fn gelu(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let scaled = by(writer, &x, "Mul", "factor", std::f64::consts::FRAC_1_SQRT_2);
    let erf = unary(writer, &scaled, "Erf");
    let twice = by(writer, &erf, "Add", "one", 1.0);
    let half = by(writer, &x, "Mul", "half", 0.5);
    Ok(binary(writer, "Mul", &half, &twice))
}

/// `z σ(2 √(2/π) (z + 0.044715 z³))`
pub(super) fn gelu_tanh(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let square = binary(writer, "Mul", &x, &x);
    let cubic = by(writer, &square, "Mul", "cubic", 0.044_715);
    let factor = by(writer, &cubic, "Add", "one", 1.0);
    let inner = binary(writer, "Mul", &x, &factor);
    let scaled = by(writer, &inner, "Mul", "scale", 2.0 * (2.0 / std::f64::consts::PI).sqrt());
    let gate = unary(writer, &scaled, "Sigmoid");
    Ok(binary(writer, "Mul", &x, &gate))
}

/// `z σ(z)`
pub(super) fn silu(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let gate = unary(writer, &x, "Sigmoid");
    Ok(binary(writer, "Mul", &x, &gate))
}

/// `z tanh(ln(1 + eᶻ))`
pub(super) fn mish(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let softplus = unary(writer, &x, "Softplus");
    let gate = unary(writer, &softplus, "Tanh");
    Ok(binary(writer, "Mul", &x, &gate))
}

/// `ln(1 + exp(β z)) / β`, and `z` where `β z` is above the threshold.
pub(super) fn softplus(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let (beta, threshold) = (site.number("beta")?, site.number("threshold")?);
    let scaled = by(writer, &x, "Mul", "beta", beta);
    let softplus = unary(writer, &scaled, "Softplus");
    let smooth = by(writer, &softplus, "Div", "beta", beta);
    let above = by(writer, &scaled, "Greater", "threshold", threshold);
    Ok(writer.like(&x, "Where", &[&above.name, &x.name, &smooth.name], vec![]))
}

/// `-ln(1 + e⁻ᶻ)`
pub(super) fn log_sigmoid(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let negative = unary(writer, &one(xs)?, "Neg");
    let softplus = unary(writer, &negative, "Softplus");
    Ok(unary(writer, &softplus, "Neg"))
}

/// `(z + √(z² + b)) / 2`
pub(super) fn squareplus(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let square = binary(writer, "Mul", &x, &x);
    let sum = by(writer, &square, "Add", "b", site.number("b")?);
    let root = unary(writer, &sum, "Sqrt");
    let twice = binary(writer, "Add", &x, &root);
    Ok(by(writer, &twice, "Mul", "half", 0.5))
}

/// `(min(max(z, -1), 1) + 1)² / 4 + max(z - 1, 0)`
pub(super) fn sparse_plus(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let middle = clip(writer, &x, -1.0, 1.0);
    let above = by(writer, &middle, "Add", "one", 1.0);
    let square = binary(writer, "Mul", &above, &above);
    let quarter = by(writer, &square, "Mul", "quarter", 0.25);
    let beyond = by(writer, &x, "Sub", "one", 1.0);
    let linear = unary(writer, &beyond, "Relu");
    Ok(binary(writer, "Add", &quarter, &linear))
}

/// `min(max((z + 1) / 2, 0), 1)`
pub(super) fn sparse_sigmoid(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    Ok(writer.like(
        &x,
        "HardSigmoid",
        &[&x.name],
        vec![Attribute::Float("alpha", 0.5), Attribute::Float("beta", 0.5)],
    ))
}

fn shrink(writer: &mut Writer<'_>, x: &Signal, lambda: f64, bias: f64) -> Signal {
    let attributes = vec![Attribute::Float("lambd", lambda), Attribute::Float("bias", bias)];
    writer.like(x, "Shrink", &[&x.name], attributes)
}

pub(super) fn hard_shrink(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    Ok(shrink(writer, &one(xs)?, site.number("lambda")?, 0.0))
}

pub(super) fn soft_shrink(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let lambda = site.number("lambda")?;
    Ok(shrink(writer, &one(xs)?, lambda, lambda))
}

pub(super) fn tanh_shrink(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let tanh = unary(writer, &x, "Tanh");
    Ok(binary(writer, "Sub", &x, &tanh))
}

/// In evaluation the slope is the mean of the limits.
pub(super) fn rrelu(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let slope = 0.5 * (site.number("lower")? + site.number("upper")?);
    Ok(writer.like(&x, "LeakyRelu", &[&x.name], vec![Attribute::Float("alpha", slope)]))
}

pub(super) fn prelu(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let shape = match site.text("shared") {
        Some("all") => vec![1; x.rank()],
        Some(_) => x.shape.clone(),
        None if site.has("shared") => {
            let axis = site.count("shared")?;
            (0..x.rank()).map(|own| if own == axis { x.shape[own] } else { 1 }).collect()
        }
        None => x.shape.clone(),
    };
    let slope = writer.parameter_as(site, "weight", &shape)?;
    Ok(writer.like(&x, "PRelu", &[&x.name, &slope], vec![]))
}

pub(super) fn softmin(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let negative = unary(writer, &one(xs)?, "Neg");
    softmax(writer, site, &[negative])
}

/// `max(z - τ, 0)`, with `τ = (Σ of the k largest - 1) / k` for the largest k of which `1 + k zₖ` is above that sum.
pub(super) fn sparsemax(writer: &mut Writer<'_>, _: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let classes = *x.shape.last().ok_or("it has no axis")?;
    let count = writer.list("classes", vec![classes as i64]);
    let sorted = writer.nodes("TopK", &[&x.name, &count], 2, vec![Attribute::Int("axis", -1)]).swap_remove(0);
    let last = writer.indices("last", &[], [-1]);
    let sums = writer.node("CumSum", &[&sorted, &last], vec![]);
    let numbers = writer.constant("k", &[classes], (1..=classes).map(|k| k as f64));
    let one = writer.scalar("one", 1.0);
    let product = writer.node("Mul", &[&sorted, &numbers], vec![]);
    let left = writer.node("Add", &[&product, &one], vec![]);
    let within = writer.node("Greater", &[&left, &sums], vec![]);
    let within = writer.node("Cast", &[&within], vec![Attribute::Int("to", 1)]);
    let axis = writer.list("axis", vec![-1]);
    let support = writer.node("ReduceSum", &[&within, &axis], vec![]);
    // The sum of the largest, without a look-up by an index that is computed.
    let largest = writer.node("Mul", &[&sorted, &within], vec![]);
    let total = writer.node("ReduceSum", &[&largest, &axis], vec![]);
    let above = writer.node("Sub", &[&total, &one], vec![]);
    let tau = writer.node("Div", &[&above, &support], vec![]);
    let shifted = writer.like(&x, "Sub", &[&x.name, &tau], vec![]);
    Ok(unary(writer, &shifted, "Relu"))
}

/// `a f(b)`, for the halves `a` and `b` of an axis.
pub(super) fn gated(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let axis = if site.has("axis") { site.count("axis")? } else { x.rank() - 1 };
    let half = x.shape.get(axis).ok_or("it has no such axis")? / 2;
    let sizes = writer.list("split", vec![half as i64; 2]);
    let halves = writer.nodes("Split", &[&x.name, &sizes], 2, vec![Attribute::Int("axis", axis as i64 + 1)]);
    let mut shape = x.shape.clone();
    shape[axis] = half;
    let [a, b] = [0, 1].map(|index| Signal::new(halves[index].clone(), shape.clone()));
    let gate = layer(writer, &site.of_setting("gate", "gate")?, &[b])?;
    writer.path.clone_from(&site.path);
    Ok(binary(writer, "Mul", &a, &gate))
}

/// The maximum of each group of neighbours along an axis.
pub(super) fn maxout(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let group = site.count("group")?;
    let axis = if site.has("axis") { site.count("axis")? } else { x.rank() - 1 };
    let mut shape = x.shape.clone();
    shape[axis] /= group;
    let grouped = [&shape[..=axis], &[group], &shape[axis + 1..]].concat();
    let grouped = writer.reshape(&x, grouped);
    let over = vec![Attribute::Ints("axes", vec![axis as i64 + 2]), Attribute::Int("keepdims", 0)];
    Ok(Signal::new(writer.node("ReduceMax", &[&grouped.name], over), shape))
}
