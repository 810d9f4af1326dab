//! The layers and merges that operators are.

use chainrule_core::Description;

use super::constant::number;
use super::node::{Converted, Operand, Operation};
use super::{products, windows};

/// The α and the γ of a SELU.
const SELU: [f64; 2] = [1.673_263_242_354_377_2, 1.050_700_987_355_480_5];

/// What a node becomes.
pub(super) enum Step {
    /// One layer after the other.
    Layers(Vec<Converted>),
    /// The axes of the value in this order, the batch, those that are kept and others; of the latter the layers make one value.
    Pooled { order: Vec<usize>, kept: usize, layers: Vec<Converted>, keep: bool },
    /// A merge of its inputs.
    Merge(Description),
}

impl From<Converted> for Step {
    fn from(converted: Converted) -> Self {
        Self::Layers(vec![converted])
    }
}

fn plain(name: &str) -> Step {
    Converted::new(Description::new(name)).into()
}

fn with(name: &str, setting: &str, value: f64) -> Step {
    Converted::new(Description::new(name).with(setting, value)).into()
}

/// The layers of a node that is given samples.
pub(super) fn convert(operation: &Operation<'_>) -> Result<Step, String> {
    let of_samples =
        operation.inputs.iter().filter(|input| matches!(input, Some(Operand::Samples(_)))).count();
    Ok(match operation.operator() {
        "Conv" => windows::conv(operation)?.into(),
        "ConvTranspose" => windows::conv_transpose(operation)?.into(),
        "MaxPool" => windows::pool(operation, "max_pool")?.into(),
        "AveragePool" => windows::pool(operation, "avg_pool")?.into(),
        "GlobalAveragePool" => global(operation, "global_avg_pool")?,
        "GlobalMaxPool" => global(operation, "global_max_pool")?,
        "ReduceMean" => reduced(operation, "global_avg_pool")?,
        "ReduceMax" => reduced(operation, "global_max_pool")?,
        "Pad" => windows::pad(operation)?.into(),
        "DepthToSpace" => depth_to_space(operation)?,
        "BatchNormalization" => products::batch_norm(operation)?.into(),
        "LRN" => products::local_response_norm(operation)?.into(),
        "LayerNormalization" => products::layer_norm(operation)?.into(),
        "InstanceNormalization" => products::instance_norm(operation)?.into(),
        "Relu" => plain("relu"),
        "LeakyRelu" => with("leaky_relu", "negative_slope", operation.float("alpha", 0.01)),
        "ThresholdedRelu" => with("thresholded_relu", "threshold", operation.float("alpha", 1.0)),
        "Elu" => with("elu", "alpha", operation.float("alpha", 1.0)),
        "Celu" => with("celu", "alpha", operation.float("alpha", 1.0)),
        "Selu" => selu(operation)?,
        "Sigmoid" => plain("sigmoid"),
        "Tanh" => plain("tanh"),
        "Exp" => plain("exponential"),
        "Softplus" => plain("softplus"),
        "Softsign" => plain("softsign"),
        "HardSwish" => plain("hard_swish"),
        "HardSigmoid" => hard_sigmoid(operation)?,
        "Mish" => plain("mish"),
        "Gelu" => plain(if operation.text("approximate") == Some("tanh") { "gelu_tanh" } else { "gelu" }),
        "Shrink" => shrink(operation)?,
        "PRelu" => products::prelu(operation)?.into(),
        "Clip" => clip(operation)?,
        "Softmax" => softmax(operation, "softmax")?,
        "LogSoftmax" => softmax(operation, "log_softmax")?,
        "Gather" => return Err("its table is not a constant".into()),
        "Add" if of_samples == 2 => Step::Merge(Description::new("add")),
        "Sub" if of_samples == 2 => Step::Merge(Description::new("subtract")),
        "Mul" if of_samples == 2 => Step::Merge(Description::new("multiply")),
        "Add" | "Sub" | "Mul" | "Div" => {
            return Err("it computes with a constant that is no bias of a layer before it".into());
        }
        "Sum" => Step::Merge(Description::new("add")),
        "Mean" => Step::Merge(Description::new("average")),
        "Max" => Step::Merge(Description::new("maximum")),
        "Min" => Step::Merge(Description::new("minimum")),
        "Concat" => {
            let axis = operation.sample_axis(operation.int("axis", 1))?;
            Step::Merge(Description::new("concat").with("axis", axis))
        }
        _ => return Err("its operator is not known".into()),
    })
}

/// The value of each channel over its image, with axes of length 1 after it.
fn global(operation: &Operation<'_>, name: &str) -> Result<Step, String> {
    let samples = operation.samples()?;
    let (&channels, image) = samples.split_first().ok_or("its samples have no channels")?;
    let mut axes = vec![1; image.len()];
    axes.insert(0, channels);
    let pool = Converted::new(Description::new(name));
    Ok(Step::Layers(vec![pool, Converted::new(Description::new("reshape").with("axes", axes))]))
}

/// One value of all along these axes.
fn reduced(operation: &Operation<'_>, name: &str) -> Result<Step, String> {
    let frame = &operation.frame;
    let rank = frame.rank();
    let axes = operation.axes(1)?.ok_or("it reduces all axes, that of the batch too")?;
    let batch = frame.batch_axis().ok_or("the batch is part of another axis")?;
    let mut gone = Vec::new();
    for axis in axes {
        // Refused if it is that of the batch.
        frame.sample_axis(axis)?;
        gone.push(if axis < 0 { axis + rank as i64 } else { axis } as usize);
    }
    gone.sort_unstable();
    gone.dedup();
    let kept: Vec<usize> = (0..rank).filter(|axis| *axis != batch && !gone.contains(axis)).collect();
    if gone.is_empty() || kept.iter().any(|axis| *axis < batch) {
        return Err("it reduces nothing, or the first axis that is left is not that of the batch".into());
    }
    let order = [&[batch], &kept[..], &gone[..]].concat();
    let layers = vec![Converted::new(Description::new(name))];
    Ok(Step::Pooled { order, kept: kept.len(), layers, keep: operation.int("keepdims", 1) != 0 })
}

fn depth_to_space(operation: &Operation<'_>) -> Result<Step, String> {
    operation.samples()?;
    let factor = usize::try_from(operation.int("blocksize", 0)).unwrap_or(0);
    if operation.text("mode") != Some("CRD") {
        return Err("its mode is not CRD, in which the factors are the last of the channels".into());
    }
    Ok(Converted::new(Description::new("pixel_shuffle").with("factor", factor)).into())
}

fn shrink(operation: &Operation<'_>) -> Result<Step, String> {
    let (lambda, bias) = (operation.float("lambd", 0.5), operation.float("bias", 0.0));
    if bias == 0.0 {
        Ok(with("hard_shrink", "lambda", lambda))
    } else if bias == lambda {
        Ok(with("soft_shrink", "lambda", lambda))
    } else {
        Err(format!("there is no activation with the bias {bias}"))
    }
}

fn selu(operation: &Operation<'_>) -> Result<Step, String> {
    let (alpha, gamma) = (operation.float("alpha", SELU[0]), operation.float("gamma", SELU[1]));
    let usual = (alpha - SELU[0]).abs() < 1e-6 && (gamma - SELU[1]).abs() < 1e-6;
    let [own, factor] = SELU;
    let other = || format!("its alpha and gamma are {alpha} and {gamma}, and not {own} and {factor}");
    if usual { Ok(plain("selu")) } else { Err(other()) }
}

fn hard_sigmoid(operation: &Operation<'_>) -> Result<Step, String> {
    let (alpha, beta) = (operation.float("alpha", 0.2), operation.float("beta", 0.5));
    if (alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5 {
        Ok(plain("hard_sigmoid"))
    } else if alpha == 0.5 && beta == 0.5 {
        Ok(plain("sparse_sigmoid"))
    } else {
        Err(format!("there is no activation with the slope {alpha}"))
    }
}

fn clip(operation: &Operation<'_>) -> Result<Step, String> {
    let limit = |input: usize, attribute: &str, default: f64| match operation.weight_if(input)? {
        Some(limit) => number(&limit).ok_or_else(|| "a limit is not one number".to_owned()),
        None => Ok(operation.float(attribute, default)),
    };
    let (low, high) = (limit(1, "min", f64::NEG_INFINITY)?, limit(2, "max", f64::INFINITY)?);
    if (low, high) == (0.0, 6.0) {
        return Ok(plain("relu6"));
    }
    Ok(Converted::new(Description::new("hard_tanh").with("low", low).with("high", high)).into())
}

fn softmax(operation: &Operation<'_>, name: &str) -> Result<Step, String> {
    let rank = operation.any_samples()?.len();
    // Before opset 13 the axis was 1, and all after it belonged to it.
    let default = if operation.opset < 13 { 1 } else { -1 };
    let axis = operation.sample_axis(operation.int("axis", default))?;
    if axis + 1 == rank {
        Ok(plain(name))
    } else if axis == 0 && name == "softmax" && operation.opset >= 13 {
        Ok(plain("softmax2d"))
    } else {
        Err("it is over another axis than the last".into())
    }
}
