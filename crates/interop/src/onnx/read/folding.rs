//! Constants that nodes compute with constants, which exporters leave in a graph.

use super::builder::{Builder, Known};
use super::constant::{integers, number, one_number, tensor};
use super::lengths::{MOST, attribute, computed, constant, of_constant, range};
use super::node::Length;
use crate::dtype::Dtype;
use crate::onnx::proto::NodeProto;
use crate::tensor::Tensor;

/// The most characters of a name in a reason that is kept.
const LONGEST: usize = 80;

impl Builder {
    /// What a node makes of what does not depend on the samples, but perhaps on how many there are.
    pub(super) fn without_samples(
        &mut self,
        node: &NodeProto,
        operator: &str,
        inputs: &[Option<Known>],
        outputs: usize,
    ) -> Result<Vec<Known>, String> {
        let named = named(node, operator);
        let opaque = || Known::Opaque(format!("it depends on {named}, which is not known").into());
        let constants: Option<Vec<&Tensor>> = inputs
            .iter()
            .map(|known| match known {
                Some(Known::Constant(tensor)) => Some(tensor),
                _ => None,
            })
            .collect();
        let lengths = || -> Option<Vec<Vec<Length>>> {
            let lengths = inputs.iter().map(|known| match known {
                Some(Known::Lengths(lengths)) => Some(lengths.clone()),
                Some(Known::Constant(tensor)) => of_constant(tensor),
                _ => None,
            });
            lengths.collect()
        };
        let is_uniform = inputs.iter().any(|known| matches!(known, Some(Known::Uniform(_))));
        let known = match (operator, inputs) {
            ("ConstantOfShape", _) => {
                match node.attribute.iter().find_map(|attribute| attribute.t.clone()).map(tensor) {
                    None => Known::Uniform(0.0),
                    Some(value) => {
                        value.ok().and_then(|value| number(&value)).map_or_else(opaque, Known::Uniform)
                    }
                }
            }
            ("Expand", [Some(Known::Constant(value)), Some(lengths)]) => match number(value) {
                Some(value) => Known::Uniform(value),
                None => Self::expanded(value, lengths).unwrap_or_else(opaque),
            },
            (
                "Expand" | "Slice" | "Reshape" | "Transpose" | "Squeeze" | "Unsqueeze" | "Gather" | "Split"
                | "Identity" | "Cast",
                [Some(Known::Uniform(value)), ..],
            ) => Known::Uniform(*value),
            ("Concat", [Some(Known::Uniform(value)), others @ ..])
                if others
                    .iter()
                    .all(|other| matches!(other, Some(Known::Uniform(other)) if other == value)) =>
            {
                Known::Uniform(*value)
            }
            _ if is_uniform => opaque(),
            _ => match constants {
                Some(constants) => {
                    // What is put together of others, or in another order, is new.
                    if matches!(operator, "Concat" | "Transpose") {
                        let add = |sum: usize, tensor: &&Tensor| sum.saturating_add(tensor.size());
                        self.spend(constants.iter().fold(0, add))?;
                    }
                    let folded = folded(node, operator, &constants, outputs).unwrap_or_default();
                    if !folded.is_empty() {
                        return Ok(folded.into_iter().map(Known::Constant).collect());
                    }
                    opaque()
                }
                None => match lengths().map(|lengths| computed(node, operator, &lengths)) {
                    Some(Ok(lengths)) => Known::Lengths(lengths),
                    Some(Err(problem)) => Known::Opaque(format!("it depends on {named}: {problem}").into()),
                    None => opaque(),
                },
            },
        };
        Ok(vec![known; outputs])
    }
}

/// A node with its name and its operator, for a reason.
pub(super) fn named(node: &NodeProto, operator: &str) -> String {
    let name = node.name.as_deref().filter(|name| !name.is_empty()).map_or("without a name", short);
    format!("the node {name}, {}", short(operator))
}

/// The beginning of a name, as long as a message of many needs it.
pub(super) fn short(name: &str) -> &str {
    name.char_indices().nth(LONGEST).map_or(name, |(end, _)| &name[..end])
}

/// The constants that a node makes of constants; nothing if it is not one of those that exporters leave in a graph.
fn folded(node: &NodeProto, operator: &str, inputs: &[&Tensor], outputs: usize) -> Option<Vec<Tensor>> {
    match operator {
        "Split" => parts(node, inputs, outputs),
        "Concat" if inputs.len() > 1 && inputs.iter().any(|tensor| tensor.dtype().is_float()) => {
            joined(attribute(node, "axis")?, inputs).map(|tensor| vec![tensor])
        }
        _ => one(node, operator, inputs).map(|tensor| vec![tensor]),
    }
}

/// Ranges of rows of a constant.
fn parts(node: &NodeProto, inputs: &[&Tensor], outputs: usize) -> Option<Vec<Tensor>> {
    let (tensor, axis) = (*inputs.first()?, attribute(node, "axis").unwrap_or(0));
    let rows = *tensor.shape().first().filter(|_| axis == 0)?;
    let given = node
        .attribute
        .iter()
        .find(|attribute| attribute.name.as_deref() == Some("split"))
        .map(|attribute| attribute.ints.clone());
    let given = match (given, inputs.get(1)) {
        (None, Some(lengths)) => Some(integers(lengths)?),
        (given, _) => given,
    };
    let lengths = match given {
        Some(lengths) => {
            lengths.into_iter().map(|length| usize::try_from(length).ok()).collect::<Option<Vec<_>>>()?
        }
        None => vec![rows.checked_div(outputs)?; outputs],
    };
    let mut start = 0;
    let mut parts = Vec::new();
    for length in lengths {
        parts.push(tensor.rows(start, length)?);
        start = start.checked_add(length)?;
    }
    (start == rows && parts.len() <= outputs).then_some(parts)
}

/// Constants one after the other along their first axis.
fn joined(axis: i64, inputs: &[&Tensor]) -> Option<Tensor> {
    let first = *inputs.first()?;
    let (_, rest) = first.shape().split_first().filter(|_| axis == 0)?;
    let mut rows = 0usize;
    let mut bytes = Vec::new();
    for tensor in inputs {
        let (own, others) = tensor.shape().split_first()?;
        if others != rest || tensor.dtype() != first.dtype() {
            return None;
        }
        rows = rows.checked_add(*own)?;
        bytes.extend(tensor.to_bytes());
    }
    Tensor::new(first.dtype(), [&[rows], rest].concat(), bytes).ok()
}

fn one(node: &NodeProto, operator: &str, inputs: &[&Tensor]) -> Option<Tensor> {
    let first = *inputs.first()?;
    let floats = |name: &str| attribute(node, name);
    match operator {
        "Identity" => return Some(first.clone()),
        "Transpose" if first.shape().len() == 2 => {
            let order = node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some("perm"));
            return match order.map_or(&[1, 0][..], |order| &order.ints) {
                [1, 0] => Some(first.transposed()?.in_order()),
                [0, 1] => Some(first.clone()),
                _ => None,
            };
        }
        "Slice" if first.dtype().is_float() => {
            let number = |input: usize| {
                inputs.get(input).and_then(|tensor| integers(tensor)).filter(|numbers| numbers.len() == 1)
            };
            let (start, end) = (number(1)?[0], number(2)?[0]);
            let along = inputs.get(3).map_or(Some(0), |_| number(3).map(|axes| axes[0]));
            let step = inputs.get(4).map_or(Some(1), |_| number(4).map(|steps| steps[0]));
            let (start, len, false) =
                range(start, end, step?, *first.shape().first().filter(|_| along == Some(0))?)?
            else {
                return None;
            };
            return first.rows(start, len);
        }
        "Reshape" | "Unsqueeze" | "Squeeze" => {}
        "Cast" if floats("to") == Some(7) && first.dtype().is_float() && first.len() <= MOST => {
            let bytes = first.numbers().flat_map(|number| (number as i64).to_le_bytes()).collect();
            return Tensor::new(Dtype::I64, first.shape(), bytes).ok();
        }
        "Cast"
            if matches!(floats("to"), Some(1 | 11)) && !first.dtype().is_float() && first.len() <= MOST =>
        {
            return Some(Tensor::of_values(Dtype::F64, first.shape().to_vec(), first.numbers()));
        }
        "Cast" => {
            // In its own precision and size, as all constants are here.
            let to_float = matches!(floats("to"), Some(1 | 10 | 11 | 16));
            let to_whole = matches!(floats("to"), Some(6 | 7));
            let keeps = if first.dtype().is_float() { to_float } else { to_whole };
            return keeps.then(|| first.clone());
        }
        "Shape" => {
            return constant(
                &first.shape().iter().map(|&length| Length::Known(length as i64)).collect::<Vec<_>>(),
            );
        }
        _ => {}
    }
    if matches!(operator, "Reshape" | "Unsqueeze" | "Squeeze") {
        let attribute = node
            .attribute
            .iter()
            .find(|attribute| attribute.name.as_deref() == Some("axes"))
            .map(|attribute| attribute.ints.clone());
        let axes = match (attribute, inputs.get(1)) {
            (None, Some(axes)) => Some(integers(axes)?),
            (attribute, _) => attribute,
        };
        return reshaped(operator, first, axes.as_deref());
    }
    if let Some(lists) = inputs.iter().map(|tensor| of_constant(tensor)).collect::<Option<Vec<_>>>() {
        let lengths = computed(node, operator, &lists).ok()?;
        // One number stays one number.
        let tensor = constant(&lengths)?;
        let scalar = inputs.iter().all(|tensor| tensor.shape().is_empty()) && !matches!(operator, "Concat");
        return if scalar { tensor.reshaped(&[]) } else { Some(tensor) };
    }
    // Single numbers, as the scale of an attention.
    let numbers: Vec<f64> = inputs.iter().map(|tensor| one_number(tensor)).collect::<Option<_>>()?;
    let value = match (operator, &*numbers) {
        ("Sqrt", [a]) => a.sqrt(),
        ("Reciprocal", [a]) => 1.0 / a,
        ("Neg", [a]) => -a,
        ("Mul", [a, b]) => a * b,
        ("Div", [a, b]) => a / b,
        ("Add", [a, b]) => a + b,
        ("Sub", [a, b]) => a - b,
        ("Pow", [a, b]) => a.powf(*b),
        _ => return None,
    };
    Some(Tensor::of_values(Dtype::F64, first.shape().to_vec(), [value].into_iter()))
}

fn reshaped(operator: &str, tensor: &Tensor, axes: Option<&[i64]>) -> Option<Tensor> {
    let own = tensor.shape();
    let mut shape = Vec::new();
    match operator {
        "Reshape" => {
            let axes = axes?;
            let known: i64 = axes
                .iter()
                .filter(|length| **length != -1)
                .try_fold(1i64, |product, length| product.checked_mul(*length))?;
            for &length in axes {
                let length = if length == -1 { (tensor.len() as i64).checked_div(known)? } else { length };
                shape.push(usize::try_from(length).ok()?);
            }
        }
        "Unsqueeze" => {
            let axes = axes.filter(|axes| axes.len() <= MOST)?;
            let rank = own.len() + axes.len();
            let of = |axis: i64| usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).ok();
            let new = axes.iter().map(|&axis| of(axis)).collect::<Option<Vec<_>>>()?;
            let mut left = own.iter().copied();
            for axis in 0..rank {
                shape.push(if new.contains(&axis) { 1 } else { left.next()? });
            }
        }
        _ => {
            let of = |axis: i64| usize::try_from(if axis < 0 { axis + own.len() as i64 } else { axis }).ok();
            let gone = axes.map(|axes| axes.iter().map(|&axis| of(axis)).collect::<Option<Vec<_>>>());
            for (axis, &length) in own.iter().enumerate() {
                let is_gone = match &gone {
                    None => length == 1,
                    Some(gone) => gone.as_ref()?.contains(&axis),
                };
                if !is_gone {
                    shape.push(length);
                } else if length != 1 {
                    return None;
                }
            }
        }
    }
    tensor.reshaped(&shape)
}
