//! Nodes that compute with the lengths of axes, as exporters write them for a reshape, and with other small constants.

use super::constant::integers;
use super::node::Length;
use crate::dtype::Dtype;
use crate::onnx::proto::NodeProto;
use crate::tensor::Tensor;

/// The most numbers that are computed with.
const MOST: usize = 64;

fn attribute(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute
        .iter()
        .find(|attribute| attribute.name.as_deref() == Some(name))
        .and_then(|attribute| attribute.i)
}

/// The lengths of the axes of a value, or of those from `start` to `end`.
pub(super) fn lengths_of(node: &NodeProto, lengths: Vec<Length>) -> Vec<Length> {
    let index = |name: &str, default: usize| {
        let given = attribute(node, name).unwrap_or(default as i64);
        let given = if given < 0 { given.saturating_add(lengths.len() as i64) } else { given };
        usize::try_from(given).unwrap_or(0).min(lengths.len())
    };
    let (start, end) = (index("start", 0), index("end", lengths.len()));
    lengths.get(start..end).unwrap_or_default().to_vec()
}

/// The constant that lengths are, if none depends on the batch.
pub(super) fn constant(lengths: &[Length]) -> Option<Tensor> {
    let known = |length: &Length| match length {
        Length::Known(length) => Some(*length),
        Length::Batch(_) => None,
    };
    let numbers = lengths.iter().map(known).collect::<Option<Vec<_>>>()?;
    Tensor::new(Dtype::I64, [numbers.len()], numbers.into_iter().flat_map(i64::to_le_bytes).collect()).ok()
}

/// Which values a slice has, of an axis of this length: the first, how many, and whether from the last to the first.
pub(super) fn range(start: i64, end: i64, step: i64, length: usize) -> Option<(usize, usize, bool)> {
    let length = length as i64;
    let of = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    match step {
        1 => {
            let (start, end) = (of(start).clamp(0, length), of(end).clamp(0, length));
            Some((start as usize, (end - start).max(0) as usize, false))
        }
        -1 => {
            let start = of(start).clamp(-1, length - 1);
            let end = if end < -length { -1 } else { of(end).clamp(-1, length - 1) };
            Some(((end + 1) as usize, (start - end).max(0) as usize, true))
        }
        _ => None,
    }
}

/// What a node makes of lists of lengths.
pub(super) fn computed(
    node: &NodeProto,
    operator: &str,
    inputs: &[Vec<Length>],
) -> Result<Vec<Length>, String> {
    let numbers = |input: usize| {
        let known = |length: &Length| match length {
            Length::Known(length) => Some(*length),
            Length::Batch(_) => None,
        };
        inputs.get(input).and_then(|lengths| lengths.iter().map(known).collect::<Option<Vec<_>>>())
    };
    let first = inputs.first().ok_or("it has no input")?;
    let computed = match operator {
        "Unsqueeze" | "Squeeze" | "Cast" | "Identity" | "Reshape" => first.clone(),
        "Concat" => inputs.concat(),
        "Gather" => {
            let indices = numbers(1).ok_or("its indices are computed")?;
            let pick = |index: i64| {
                let index = if index < 0 { index.saturating_add(first.len() as i64) } else { index };
                usize::try_from(index).ok().and_then(|index| first.get(index).copied())
            };
            indices.into_iter().map(pick).collect::<Option<_>>().ok_or("an index is not there")?
        }
        "Slice" => {
            let one = |input: usize, default: i64| match inputs.get(input) {
                None => Some(default),
                Some(_) => numbers(input).filter(|numbers| numbers.len() == 1).map(|numbers| numbers[0]),
            };
            let attribute = |name: &str| {
                let found = node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name));
                found.and_then(|attribute| attribute.ints.first().copied())
            };
            let (start, end) = match (attribute("starts"), attribute("ends")) {
                (Some(start), Some(end)) => (Some(start), Some(end)),
                _ => (one(1, 0), one(2, 0)),
            };
            let range = start
                .zip(end)
                .zip(one(4, 1))
                .and_then(|((start, end), step)| range(start, end, step, first.len()));
            let (start, len, reversed) = range.ok_or("it picks lengths by steps, or by what is computed")?;
            let mut picked = first[start..start + len].to_vec();
            if reversed {
                picked.reverse();
            }
            picked
        }
        "ReduceProd" => {
            let product = |product: Length, length: &Length| product.times(*length);
            vec![first.iter().try_fold(Length::Known(1), product).ok_or("its product is too large")?]
        }
        "Mul" | "Div" | "Add" | "Sub" | "Mod" | "Max" | "Min" => {
            let second = inputs.get(1).ok_or("it has one input")?;
            let count = first.len().max(second.len());
            let at = |lengths: &Vec<Length>, index: usize| {
                if lengths.len() == 1 { lengths.first().copied() } else { lengths.get(index).copied() }
            };
            let one = |index: usize| {
                let (a, b) = (at(first, index)?, at(second, index)?);
                match (operator, a, b) {
                    ("Mul", a, b) => a.times(b),
                    ("Div", Length::Batch(a), Length::Known(b)) if b > 0 && a % b == 0 => {
                        Some(Length::Batch(a / b))
                    }
                    ("Div", Length::Known(a), Length::Known(b)) => a.checked_div(b).map(Length::Known),
                    ("Add", Length::Known(a), Length::Known(b)) => a.checked_add(b).map(Length::Known),
                    ("Sub", Length::Known(a), Length::Known(b)) => a.checked_sub(b).map(Length::Known),
                    ("Mod", Length::Known(a), Length::Known(b)) => a.checked_rem_euclid(b).map(Length::Known),
                    ("Max" | "Min", a, b) if a == b => Some(a),
                    ("Max", Length::Known(a), Length::Known(b)) => Some(Length::Known(a.max(b))),
                    ("Min", Length::Known(a), Length::Known(b)) => Some(Length::Known(a.min(b))),
                    // An axis of length 1 is made as long as the batch.
                    ("Max", length @ Length::Batch(_), Length::Known(1))
                    | ("Max", Length::Known(1), length @ Length::Batch(_)) => Some(length),
                    _ => None,
                }
            };
            (0..count)
                .map(one)
                .collect::<Option<_>>()
                .ok_or("it computes a length that depends on the batch otherwise than as its multiple")?
        }
        _ => return Err("its operator is not known for lengths of axes".into()),
    };
    if computed.len() > MOST { Err("it makes a shape of too many axes".into()) } else { Ok(computed) }
}

/// The lengths that a constant is.
pub(super) fn of_constant(tensor: &Tensor) -> Option<Vec<Length>> {
    Some(integers(tensor)?.into_iter().map(Length::Known).collect())
}

/// The constants that a node makes of constants; nothing if it is not one of those that exporters leave in a graph.
pub(super) fn folded(
    node: &NodeProto,
    operator: &str,
    inputs: &[&Tensor],
    outputs: usize,
) -> Option<Vec<Tensor>> {
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
        "Cast" => return Some(first.clone()),
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
    let numbers: Vec<f64> = inputs
        .iter()
        .map(|tensor| tensor.numbers().next().filter(|_| tensor.len() == 1))
        .collect::<Option<_>>()?;
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
