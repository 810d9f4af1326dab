//! Nodes with weights: products, normalisation, tables.

use chainrule_core::{Description, Value};

use super::node::{Converted, Operation};
use crate::dtype::Dtype;
use crate::tensor::Tensor;

/// A dense layer with this weight, `[inputs, units]`, for samples of any rank: of each step where they are sequences.
fn dense(rank: usize, weight: Tensor, bias: Option<Tensor>) -> Result<Converted, String> {
    let &[_, units] = weight.shape() else { return Err("its weight is no matrix".into()) };
    let bias = match bias {
        Some(bias) => {
            Some(bias.reshaped(&[units]).ok_or("its bias does not have one number for each output")?)
        }
        None => None,
    };
    let dense = Description::new("dense").with("units", units).with("bias", bias.is_some());
    match rank {
        1 => Ok(Converted::new(dense).weight("weight", weight).weight_if("bias", bias)),
        2 => {
            let each = Description::new("time_distributed").with("layer", dense);
            Ok(Converted::new(each).weight("step.weight", weight).weight_if("step.bias", bias))
        }
        _ => Err("its samples are neither vectors nor sequences of vectors".into()),
    }
}

/// `α A B + β C`, for a constant B and C.
pub(super) fn gemm(operation: &Operation<'_>) -> Result<Converted, String> {
    let rank = operation.samples()?.len();
    let weight = operation.weight(1)?;
    let weight = if operation.int("transB", 0) == 0 { Some(weight) } else { weight.transposed() };
    let weight = weight.ok_or("its weight is no matrix")?;
    let ones = operation.float("alpha", 1.0) == 1.0 && operation.float("beta", 1.0) == 1.0;
    if operation.int("transA", 0) != 0 || !ones {
        return Err("it transposes its samples, or has factors".into());
    }
    dense(rank, weight, operation.weight_if(2)?)
}

pub(super) fn mat_mul(operation: &Operation<'_>) -> Result<Converted, String> {
    dense(operation.samples()?.len(), operation.weight(1)?, None)
}

/// A layer without a bias, with this one added after it; nothing if it can have none.
pub(super) fn with_bias(layer: &Description, bias: &Tensor) -> Option<(Description, &'static str, Tensor)> {
    let inner =
        if layer.name == "time_distributed" { layer.get("layer")?.to_description()? } else { layer.clone() };
    let setting = match &*inner.name {
        "dense" => "units",
        "conv1d" | "conv2d" | "conv3d" => "channels",
        _ => return None,
    };
    if inner.get("bias") != Some(&Value::Bool(false)) {
        return None;
    }
    let count = inner.get(setting)?.as_f64()? as usize;
    // One number for each channel, with axes of length 1 after it; for a dense layer the last axis.
    let mut axes = bias.shape().iter().copied().skip_while(|length| *length == 1);
    let fits = match &*inner.name {
        "dense" => bias.shape().last() == Some(&count) && bias.len() == count,
        name => {
            let image = name[4..5].parse::<usize>().ok()?;
            let aligned = bias.shape().len() > image && bias.shape()[bias.shape().len() - 1 - image] == count;
            aligned && (axes.next() == Some(count) || count == 1) && bias.len() == count
        }
    };
    let bias = bias.reshaped(&[count]).filter(|_| fits)?;
    let mut with = inner;
    for (name, value) in &mut with.settings {
        if name == "bias" {
            *value = true.into();
        }
    }
    Some(match &*layer.name {
        "time_distributed" => (Description::new("time_distributed").with("layer", with), "step.bias", bias),
        _ => (with, "bias", bias),
    })
}

pub(super) fn batch_norm(operation: &Operation<'_>) -> Result<Converted, String> {
    operation.samples()?;
    if operation.int("training_mode", 0) != 0 {
        return Err("it is in training: export the model in evaluation".into());
    }
    let description = Description::new("batch_norm").with("epsilon", operation.float("epsilon", 1e-5));
    let norm = Converted::new(description)
        .weight("weight", operation.weight(1)?)
        .weight("bias", operation.weight(2)?);
    Ok(norm.weight("running_mean", operation.weight(3)?).weight("running_var", operation.weight(4)?))
}

pub(super) fn layer_norm(operation: &Operation<'_>) -> Result<Converted, String> {
    let rank = operation.samples()?.len();
    let first = operation.sample_axis(operation.int("axis", -1), rank)?;
    let bias = operation.weight_if(2)?;
    let description = Description::new("layer_norm")
        .with("axes", rank - first)
        .with("epsilon", operation.float("epsilon", 1e-5));
    let norm =
        Converted::new(description.with("bias", bias.is_some())).weight("weight", operation.weight(1)?);
    Ok(norm.weight_if("bias", bias))
}

pub(super) fn instance_norm(operation: &Operation<'_>) -> Result<Converted, String> {
    operation.samples()?;
    let description = Description::new("instance_norm").with("epsilon", operation.float("epsilon", 1e-5));
    let norm = Converted::new(description.with("affine", true)).weight("weight", operation.weight(1)?);
    Ok(norm.weight("bias", operation.weight(2)?))
}

/// A slope for all values, or for each channel.
pub(super) fn prelu(operation: &Operation<'_>) -> Result<Converted, String> {
    let samples = operation.samples()?.to_vec();
    let slope = operation.weight(1)?;
    let channels = samples.first().copied().unwrap_or(1);
    let description = Description::new("prelu");
    let shaped =
        |shape: &[usize]| slope.reshaped(shape).ok_or_else(|| "its slopes are of another shape".to_owned());
    if slope.len() == 1 {
        return Ok(Converted::new(description.with("shared", "all")).weight("weight", shaped(&[1])?));
    }
    let per_channel = slope.len() == channels
        && slope.shape().iter().rev().take(samples.len().saturating_sub(1)).all(|length| *length == 1);
    if per_channel {
        return Ok(Converted::new(description.with("shared", 0usize)).weight("weight", shaped(&[channels])?));
    }
    Ok(Converted::new(description.with("shared", Value::None)).weight("weight", shaped(&samples)?))
}

/// The rows of a constant table at the ids that the samples are.
pub(super) fn embedding(operation: &Operation<'_>, table: Tensor) -> Result<Converted, String> {
    let &[rows, columns] = table.shape() else { return Err("its table is no matrix".into()) };
    if operation.int("axis", 0) != 0 || table.dtype() == Dtype::I64 {
        return Err("it is no look-up of rows".into());
    }
    let description = Description::new("embedding").with("vocabulary", rows).with("size", columns);
    Ok(Converted::new(description).weight("weight", table))
}
