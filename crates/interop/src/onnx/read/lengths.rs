//! Nodes that compute with the lengths of axes, as exporters write them for a reshape.

use super::constant::integers;
use super::node::Length;
use crate::dtype::Dtype;
use crate::onnx::proto::NodeProto;
use crate::tensor::Tensor;

/// The most numbers that are computed with.
pub(super) const MOST: usize = 64;

/// A whole number that a node is set to.
pub(super) fn attribute(node: &NodeProto, name: &str) -> Option<i64> {
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
