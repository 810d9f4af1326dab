//! The layers and merges that operators are.

use chainrule_core::{Description, Value};

use super::constant::{integers, number};
use super::node::{Converted, Length, Operand, Operation};
use super::{products, windows};

/// What a node becomes.
pub(super) enum Step {
    /// Nothing: its output is its first input.
    Same,
    /// One layer after the other.
    Layers(Vec<Converted>),
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
        "Identity" | "Dropout" | "Cast" | "CastLike" => Step::Same,
        "Gemm" => products::gemm(operation)?.into(),
        "MatMul" => products::mat_mul(operation)?.into(),
        "Conv" => windows::conv(operation)?.into(),
        "ConvTranspose" => windows::conv_transpose(operation)?.into(),
        "MaxPool" => windows::pool(operation, "max_pool")?.into(),
        "AveragePool" => windows::pool(operation, "avg_pool")?.into(),
        "GlobalAveragePool" => global(operation, "global_avg_pool", true)?,
        "GlobalMaxPool" => global(operation, "global_max_pool", true)?,
        "ReduceMean" => reduced(operation, "global_avg_pool")?,
        "ReduceMax" => reduced(operation, "global_max_pool")?,
        "BatchNormalization" => products::batch_norm(operation)?.into(),
        "LayerNormalization" => products::layer_norm(operation)?.into(),
        "InstanceNormalization" => products::instance_norm(operation)?.into(),
        "Relu" => plain("relu"),
        "LeakyRelu" => with("leaky_relu", "negative_slope", operation.float("alpha", 0.01)),
        "ThresholdedRelu" => with("thresholded_relu", "threshold", operation.float("alpha", 1.0)),
        "Elu" => with("elu", "alpha", operation.float("alpha", 1.0)),
        "Celu" => with("celu", "alpha", operation.float("alpha", 1.0)),
        "Selu" => plain("selu"),
        "Sigmoid" => plain("sigmoid"),
        "Tanh" => plain("tanh"),
        "Exp" => plain("exponential"),
        "Softplus" => plain("softplus"),
        "Softsign" => plain("softsign"),
        "HardSwish" => plain("hard_swish"),
        "HardSigmoid" => hard_sigmoid(operation)?,
        "Mish" => plain("mish"),
        "Gelu" => plain(if operation.text("approximate") == Some("tanh") { "gelu_tanh" } else { "gelu" }),
        "PRelu" => products::prelu(operation)?.into(),
        "Clip" => clip(operation)?,
        "Softmax" => softmax(operation, "softmax")?,
        "LogSoftmax" => softmax(operation, "log_softmax")?,
        "Flatten" => flatten(operation)?,
        "Reshape" => reshape(operation)?,
        "Squeeze" | "Unsqueeze" => squeeze(operation)?,
        "Transpose" => transpose(operation)?,
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
            let rank = operation.samples()?.len();
            let axis = operation.sample_axis(operation.int("axis", 1), rank)?;
            Step::Merge(Description::new("concat").with("axis", axis))
        }
        _ => return Err("its operator is not known".into()),
    })
}

/// The value of each channel over its image; with `keep`, with axes of length 1 after it.
fn global(operation: &Operation<'_>, name: &str, keep: bool) -> Result<Step, String> {
    let samples = operation.samples()?;
    let (&channels, image) = samples.split_first().ok_or("its samples have no channels")?;
    let pool = Converted::new(Description::new(name));
    if !keep {
        return Ok(pool.into());
    }
    let mut axes = vec![1; image.len()];
    axes.insert(0, channels);
    Ok(Step::Layers(vec![pool, Converted::new(Description::new("reshape").with("axes", axes))]))
}

fn reduced(operation: &Operation<'_>, name: &str) -> Result<Step, String> {
    let rank = operation.samples()?.len();
    let axes = operation.axes(1).ok_or("it reduces all axes, that of the batch too")?;
    let mut axes =
        axes.into_iter().map(|axis| operation.sample_axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    if rank < 2 || !axes.into_iter().eq(1..rank) {
        return Err("it reduces other axes than those of an image".into());
    }
    global(operation, name, operation.int("keepdims", 1) != 0)
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
    let rank = operation.samples()?.len();
    // Before opset 13 the axis was 1, and all after it belonged to it.
    let default = if operation.opset < 13 { 1 } else { -1 };
    let axis = operation.sample_axis(operation.int("axis", default), rank)?;
    if axis + 1 == rank {
        Ok(plain(name))
    } else if axis == 0 && name == "softmax" && operation.opset >= 13 {
        Ok(plain("softmax2d"))
    } else {
        Err("it is over another axis than the last".into())
    }
}

fn flatten(operation: &Operation<'_>) -> Result<Step, String> {
    let rank = operation.samples()?.len();
    match operation.int("axis", 1) {
        1 if rank == 1 => Ok(Step::Same),
        1 => Ok(plain("flatten")),
        _ => Err("it is from another axis than the first of a sample".into()),
    }
}

/// To samples of this shape.
fn to_shape(operation: &Operation<'_>, shape: Vec<usize>) -> Result<Step, String> {
    let samples = operation.samples()?;
    if shape == samples {
        return Ok(Step::Same);
    }
    if shape.len() == 1 {
        return Ok(plain("flatten"));
    }
    Ok(Converted::new(Description::new("reshape").with("axes", shape)).into())
}

fn reshape(operation: &Operation<'_>) -> Result<Step, String> {
    let samples = operation.samples()?.to_vec();
    let lengths = match operation.inputs.get(1) {
        Some(Some(Operand::Lengths(lengths))) => lengths.clone(),
        Some(Some(Operand::Constant(axes))) => {
            let axes = integers(axes).ok_or("its shape is not made of whole numbers")?;
            axes.into_iter().map(Length::Known).collect()
        }
        _ => return Err("its shape is computed from the samples".into()),
    };
    let (first, rest) = lengths.split_first().ok_or("its shape has no axis of the batch")?;
    let mut lengths = Vec::new();
    for (axis, length) in rest.iter().enumerate() {
        lengths.push(match length {
            Length::Known(0) if operation.int("allowzero", 0) == 0 => {
                samples.get(axis).map(|&length| length as i64)
            }
            Length::Known(length) => Some(*length),
            Length::Batch => None,
        });
    }
    let lengths =
        lengths.into_iter().collect::<Option<Vec<_>>>().ok_or("its shape moves the axis of the batch")?;
    let size: usize = samples.iter().product();
    let mut known = lengths.iter().filter(|length| **length >= 0);
    let known = known.try_fold(1usize, |size, &length| size.checked_mul(usize::try_from(length).ok()?));
    let known = known.ok_or("its shape is too large")?;
    let open = lengths.iter().filter(|length| **length < 0).count();
    // The batch is what is left (-1), the same axis (0), or a number of samples that the graph was exported for.
    let missing = if open == 1 { size.checked_div(known).unwrap_or(0) } else { 1 };
    let whole =
        open <= 1 && known.checked_mul(missing) == Some(size) && (open == 0 || *first != Length::Known(-1));
    if !whole {
        return Err("its shape mixes the samples of a batch".into());
    }
    let shape = lengths.into_iter().map(|length| usize::try_from(length).unwrap_or(missing)).collect();
    to_shape(operation, shape)
}

fn squeeze(operation: &Operation<'_>) -> Result<Step, String> {
    let samples = operation.samples()?.to_vec();
    let axes = operation.axes(1).ok_or("it has no axes")?;
    let unsqueeze = operation.operator() == "Unsqueeze";
    let rank = if unsqueeze { samples.len() + axes.len() } else { samples.len() };
    let mut axes =
        axes.into_iter().map(|axis| operation.sample_axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    let mut shape = samples;
    if unsqueeze {
        axes.into_iter().for_each(|axis| shape.insert(axis.min(shape.len()), 1));
    } else {
        for axis in axes.into_iter().rev() {
            if shape.get(axis) != Some(&1) {
                return Err("it removes an axis that is not of length 1".into());
            }
            shape.remove(axis);
        }
    }
    to_shape(operation, shape)
}

fn transpose(operation: &Operation<'_>) -> Result<Step, String> {
    let rank = operation.samples()?.len();
    let order = operation.ints("perm").ok_or("it has no perm, and moves the axis of the batch")?;
    let (Some(0), true) = (order.first(), order.len() == rank + 1) else {
        return Err("it moves the axis of the batch".into());
    };
    let axes =
        order[1..].iter().map(|&axis| operation.sample_axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    let axes: Vec<Value> = axes.into_iter().map(Value::from).collect();
    Ok(Converted::new(Description::new("permute").with("axes", Value::List(axes))).into())
}
