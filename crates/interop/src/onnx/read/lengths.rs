//! Nodes that compute with the lengths of axes, as exporters write them for a reshape.

use super::builder::Known;
use super::constant::integers;
use super::node::Length;
use crate::onnx::proto::NodeProto;

/// The lengths of the axes of a value, or of those from `start` to `end`.
pub(super) fn lengths_of(node: &NodeProto, shape: &[usize]) -> Vec<Length> {
    let mut lengths = vec![Length::Batch];
    lengths.extend(shape.iter().map(|&length| Length::Known(length as i64)));
    let attribute = |name: &str, default: usize| {
        let given = node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name));
        let given = given.and_then(|attribute| attribute.i).unwrap_or(default as i64);
        let given = if given < 0 { given + lengths.len() as i64 } else { given };
        usize::try_from(given).unwrap_or(0).min(lengths.len())
    };
    let (start, end) = (attribute("start", 0), attribute("end", lengths.len()));
    lengths.get(start..end).unwrap_or_default().to_vec()
}

/// Whether a node computes with the lengths of axes.
pub(super) fn is_of_lengths(inputs: &[Option<Known>]) -> bool {
    inputs.iter().any(|known| matches!(known, Some(Known::Lengths(_))))
        && !inputs.iter().any(|known| matches!(known, Some(Known::Source(_))))
}

/// The lengths that a node picks or puts one after the other.
pub(super) fn picked(operator: &str, inputs: &[Option<Known>]) -> Result<Vec<Length>, String> {
    let lengths = |known: &Option<Known>| match known {
        Some(Known::Lengths(lengths)) => Ok(lengths.clone()),
        Some(Known::Constant(tensor)) => {
            let numbers = integers(tensor).ok_or("it computes lengths with what is no whole number")?;
            Ok(numbers.into_iter().map(Length::Known).collect::<Vec<_>>())
        }
        _ => Err("it has no input".to_owned()),
    };
    match (operator, inputs) {
        ("Concat", inputs) => {
            let parts = inputs.iter().map(lengths).collect::<Result<Vec<_>, _>>()?;
            let all = parts.concat();
            if all.len() > 64 { Err("it makes a shape of too many axes".into()) } else { Ok(all) }
        }
        ("Gather", [of, Some(Known::Constant(indices))]) => {
            let of = lengths(of)?;
            let indices = integers(indices).ok_or("its indices are not whole numbers")?;
            let pick = |index: i64| {
                let index = if index < 0 { index + of.len() as i64 } else { index };
                usize::try_from(index).ok().and_then(|index| of.get(index).copied())
            };
            indices.into_iter().map(pick).collect::<Option<_>>().ok_or_else(|| "an index is not there".into())
        }
        ("Gather", _) => Err("its indices are computed".into()),
        (_, [of, ..]) => lengths(of),
        (_, []) => Err("it has no input".into()),
    }
}
