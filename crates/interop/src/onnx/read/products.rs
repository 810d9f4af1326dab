//! Nodes with weights: products, normalisation, tables.

use chainrule_core::{Description, Value};

use super::attention::with_out_bias;
use super::builder::{Applied, Builder, Kind, Known, Samples};
use super::constant::trimmed;
use super::node::{Converted, Operand, Operation};
use super::norms::{switched_on, with_norm_bias};
use super::view::View;
use crate::dtype::Dtype;
use crate::tensor::Tensor;

/// A dense layer with this weight, `[inputs, units]`, of vectors or of each step of a sequence.
pub(super) fn dense(is_vector: bool, weight: Tensor, bias: Option<Tensor>) -> Result<Converted, String> {
    let &[_, units] = weight.shape() else { return Err("its weight is no matrix".into()) };
    let bias = match bias {
        Some(bias) => {
            Some(bias.reshaped(&[units]).ok_or("its bias does not have one number for each output")?)
        }
        None => None,
    };
    let dense = Description::new("dense").with("units", units).with("bias", bias.is_some());
    if is_vector {
        return Ok(Converted::new(dense).weight("weight", weight).weight_if("bias", bias));
    }
    let each = Description::new("time_distributed").with("layer", dense);
    Ok(Converted::new(each).weight("step.weight", weight).weight_if("step.bias", bias))
}

/// The weight, `[inputs, units]`, and the bias of a product.
pub(super) fn dense_weight(operation: &Operation<'_>) -> Result<(Tensor, Option<Tensor>), String> {
    let weight = operation.weight(1)?;
    if operation.operator() == "MatMul" {
        return Ok((weight, None));
    }
    // `α A B + β C`
    let weight = if operation.int("transB", 0) == 0 { Some(weight) } else { weight.transposed() };
    let weight = weight.ok_or("its weight is no matrix")?;
    let ones = operation.float("alpha", 1.0) == 1.0 && operation.float("beta", 1.0) == 1.0;
    if operation.int("transA", 0) != 0 || !ones {
        return Err("it transposes its samples, or has factors".into());
    }
    Ok((weight, operation.weight_if(2)?))
}

/// A layer without a bias, with this one added to a view of what it returns; nothing if it can have none.
pub(super) fn with_bias(
    applied: &Applied,
    output: &[usize],
    view: &View,
    bias: &Tensor,
) -> Option<(Description, Vec<(&'static str, Tensor)>)> {
    let layer = &applied.description;
    let inner =
        if layer.name == "time_distributed" { layer.get("layer")?.to_description()? } else { layer.clone() };
    match &*inner.name {
        "dense" => {
            let bias = of_units(*output.last()?, view, bias)?;
            let name = if layer.name == "dense" { "bias" } else { "step.bias" };
            biased(applied, inner, name, bias)
        }
        "multi_head_attention" => with_out_bias(applied, &of_units(*output.last()?, view, bias)?),
        "layer_norm" | "group_norm" | "instance_norm" => with_norm_bias(applied, output, view, bias),
        "conv1d" | "conv2d" | "conv3d" | "depthwise_conv1d" | "depthwise_conv2d" => {
            biased(applied, inner, "bias", of_channels(output, view, bias)?)
        }
        _ => None,
    }
}

/// A bias that is added along the last axes of a view, as one number for each unit of the last axis of the source.
fn of_units(units: usize, view: &View, bias: &Tensor) -> Option<Tensor> {
    let lengths = trimmed(bias.shape());
    let count = lengths.len().max(1);
    let first = view.rank().checked_sub(count)?;
    if bias.len() != units
        || !lengths.iter().enumerate().all(|(index, length)| view.length(first + index) == *length)
    {
        return None;
    }
    let slots =
        |axes: std::ops::Range<usize>| axes.flat_map(|axis| view.axis(axis).to_vec()).collect::<Vec<_>>();
    let columns = view.columns(&slots(first..view.rank()), &slots(0..first), units)?;
    let mut values = vec![0.0; units];
    let given: Vec<f64> = bias.values()?.collect();
    if columns.len() != units {
        return None;
    }
    columns.into_iter().zip(given).for_each(|(column, value)| values[column] = value);
    Some(Tensor::of_values(bias.dtype(), vec![units], values.into_iter()))
}

/// One number for each channel of a layer, `[channels, ...]`, from a constant with axes of length 1 besides.
pub(super) fn of_channels(output: &[usize], view: &View, constant: &Tensor) -> Option<Tensor> {
    let count = *output.first()?;
    let missing = view.rank().checked_sub(constant.shape().len())?;
    let mut long = constant.shape().iter().enumerate().filter(|(_, length)| **length != 1);
    let fits = match (long.next(), long.next()) {
        (Some((axis, length)), None) => *length == count && view.is_first(missing + axis, count),
        (None, None) => count == 1 && view.is_plain() && view.is_of_samples(),
        _ => false,
    };
    constant.reshaped(&[count]).filter(|_| fits && constant.dtype().is_float())
}

/// A layer whose outputs are those of this one times a number, if its weights can be.
pub(super) fn with_factor(applied: &Applied, factor: f64) -> Option<Applied> {
    let layer = &applied.description;
    let inner =
        if layer.name == "time_distributed" { layer.get("layer")?.to_description()? } else { layer.clone() };
    let scaled: &[&str] = match &*inner.name {
        "dense" => &["weight", "bias", "step.weight", "step.bias"],
        "conv1d" | "conv2d" | "conv3d" | "depthwise_conv1d" | "depthwise_conv2d" | "conv_transpose1d"
        | "conv_transpose2d" | "conv_transpose3d" | "embedding" | "batch_norm" | "layer_norm"
        | "rms_norm" | "group_norm" | "instance_norm" => &["weight", "bias"],
        "multi_head_attention" => &["out_weight", "out_bias"],
        _ => return None,
    };
    let times = |(name, tensor): &(&'static str, Tensor)| {
        if !scaled.contains(name) {
            return (*name, tensor.clone());
        }
        let values = tensor.numbers().map(|value| value * factor);
        (*name, Tensor::of_values(Dtype::F32, tensor.shape().to_vec(), values))
    };
    let has_any = applied.weights.iter().any(|(name, _)| scaled.contains(name));
    has_any.then(|| Applied { weights: applied.weights.iter().map(times).collect(), ..applied.clone() })
}

/// A layer that has no bias, with one.
fn biased(
    applied: &Applied,
    inner: Description,
    name: &'static str,
    bias: Tensor,
) -> Option<(Description, Vec<(&'static str, Tensor)>)> {
    if inner.get("bias") != Some(&Value::Bool(false)) {
        return None;
    }
    let with = switched_on(&inner, "bias");
    let mut weights = applied.weights.clone();
    weights.push((name, bias));
    let is_each = applied.description.name == "time_distributed";
    let with = if is_each { Description::new("time_distributed").with("layer", with) } else { with };
    Some((with, weights))
}

/// A product with a number for each channel of an image, which is a convolution of each channel with a kernel of one value; nothing if it is none.
pub(super) fn channel_scale(operation: &Operation<'_>, operator: &str) -> Result<Option<Converted>, String> {
    let (Some(Some(Operand::Samples(samples))), Some(scale)) =
        (operation.inputs.first(), operation.constant(1))
    else {
        return Ok(None);
    };
    let [channels, image @ ..] = &samples[..] else { return Ok(None) };
    let ones = vec![1; image.len()];
    let shape = trimmed(scale.shape());
    let wanted = [&[*channels], &ones[..]].concat();
    let plain = operation.frame.is_plain() && scale.dtype().is_float();
    if operator != "Mul" || !(1..=2).contains(&image.len()) || shape != wanted || *channels == 1 || !plain {
        return Ok(None);
    }
    let description =
        Description::new(format!("depthwise_conv{}d", image.len())).with("kernel", ones.clone());
    let weight = scale.reshaped(&[&[*channels, 1], &ones[..]].concat()).ok_or("its factors are no vector")?;
    Ok(Some(Converted::new(description.with("bias", false)).weight("weight", weight)))
}

/// The vectors that a sum adds to each step of a sequence, if it does.
pub(super) fn positions(operation: &Operation<'_>, operator: &str) -> Option<Tensor> {
    let mut samples = None;
    let mut constant = None;
    for operand in operation.inputs.iter().flatten() {
        match operand {
            Operand::Samples(shape) => samples = Some(shape),
            Operand::Constant(tensor) => constant = Some(tensor),
            Operand::Computed => return None,
        }
    }
    let (samples, constant) = samples.zip(constant)?;
    let fits = operator == "Add" && samples.len() == 2 && operation.frame.fits(constant.shape(), samples);
    constant.reshaped(samples).filter(|_| fits && constant.dtype().is_float())
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
    let rank = operation.any_samples()?.len();
    let axis = operation.int("axis", -1);
    let first = operation.sample_axis(axis)?;
    // The axes from this one on have to be the last of a sample, in their order.
    let axis = if axis < 0 { axis + operation.frame.rank() as i64 } else { axis };
    let own = (axis..operation.frame.rank() as i64).map(|axis| operation.sample_axis(axis));
    if !own.collect::<Result<Vec<_>, _>>()?.into_iter().eq(first..rank) {
        return Err("the axis of the batch is among those that it normalises over".into());
    }
    let bias = operation.weight_if(2)?;
    let description = Description::new("layer_norm")
        .with("axes", rank - first)
        .with("epsilon", operation.float("epsilon", 1e-5));
    let norm =
        Converted::new(description.with("bias", bias.is_some())).weight("weight", operation.weight(1)?);
    Ok(norm.weight_if("bias", bias))
}

/// Divides by a power of the mean of the squares of neighbouring channels.
pub(super) fn local_response_norm(operation: &Operation<'_>) -> Result<Converted, String> {
    operation.samples()?;
    let size = usize::try_from(operation.int("size", 0)).unwrap_or(0);
    if size.is_multiple_of(2) {
        return Err("its size is even, where the neighbours here are others".into());
    }
    let description = Description::new("local_response_norm").with("size", size);
    let description =
        description.with("alpha", operation.float("alpha", 1e-4)).with("beta", operation.float("beta", 0.75));
    Ok(Converted::new(description.with("k", operation.float("bias", 1.0))))
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
    let description = Description::new("prelu");
    let shaped =
        |shape: &[usize]| slope.reshaped(shape).ok_or_else(|| "its slopes are of another shape".to_owned());
    if slope.len() == 1 {
        return Ok(Converted::new(description.with("shared", "all")).weight("weight", shaped(&[1])?));
    }
    // A slope for each index of one axis.
    let missing =
        (samples.len() + 1).checked_sub(slope.shape().len()).ok_or("its slopes are of another shape")?;
    let mut long = slope.shape().iter().enumerate().filter(|(_, length)| **length != 1);
    if let (Some((axis, length)), None) = (long.next(), long.next())
        && let Some(axis) = (missing + axis).checked_sub(1)
        && samples.len() > 1
        && samples[axis] == *length
    {
        return Ok(Converted::new(description.with("shared", axis)).weight("weight", shaped(&[*length])?));
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

impl Builder {
    /// A sum over the ids of an embedding, or over the products of two vectors: the layer that both are; nothing if it is neither.
    pub(super) fn summed(
        &mut self,
        operation: &Operation<'_>,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Option<Known>, String> {
        let ("ReduceSum", [Some(Known::Samples(samples)), ..]) = (operator, inputs) else { return Ok(None) };
        let Samples { view, factor, sole, .. } = samples;
        let source = self.source(view.source);
        let Kind::Layer(applied) = &source.kind else { return Ok(None) };
        let own = View::of(view.source, &source.shape);
        let axes = operation.axes(1)?.unwrap_or_default();
        let [axis] = axes[..] else { return Ok(None) };
        if *view != own || *factor != 1.0 || !sole || view.axis_index(axis, view.rank())? != 1 {
            return Ok(None);
        }
        let keep = operation.int("keepdims", 1) != 0;
        let setting = |name: &str| applied.description.get(name).cloned().ok_or("its table has no size");
        let (description, weights, is_merge) = match (&*applied.description.name, &source.shape[..]) {
            ("embedding", [_, _]) => {
                let bag = Description::new("embedding_bag").with("vocabulary", setting("vocabulary")?);
                let bag = bag.with("size", setting("size")?).with("reduction", "sum");
                (bag, applied.weights.clone(), false)
            }
            ("multiply", [_]) if applied.inputs.len() == 2 => (Description::new("dot"), Vec::new(), true),
            _ => return Ok(None),
        };
        let inputs = applied.inputs.clone();
        if is_merge && inputs.iter().any(|&input| self.source(input).shape != source.shape) {
            return Ok(None);
        }
        let made = self.apply("sum", Applied { description, is_merge, weights, inputs })?;
        let view = View::of(made, &self.source(made).shape);
        // A product has an axis of length 1 that the sum may not keep; the vectors of a bag have none that it may.
        let view = match (is_merge, keep) {
            (true, false) => view.squeezed(Some(&[1]))?,
            (false, true) => view.unsqueezed(&[1])?,
            _ => view,
        };
        Ok(Some(Known::Samples(Samples::of(view))))
    }
}
