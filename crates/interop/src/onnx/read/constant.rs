//! Constants of a graph.

use crate::dtype::Dtype;
use crate::onnx::proto::{ElementType, NodeProto, TensorProto};
use crate::tensor::Tensor;

/// Where the elements of a tensor are: in its file.
const IN_FILE: i32 = 0;

/// The tensor of a message.
pub(super) fn tensor(proto: TensorProto) -> Result<Tensor, String> {
    let TensorProto { dims, data_type, float_data, int32_data, int64_data, raw_data, data_location, .. } =
        proto;
    if data_location.unwrap_or(IN_FILE) != IN_FILE {
        return Err("its elements are in another file: save it with them inside".into());
    }
    let shape = dims.iter().map(|&length| usize::try_from(length).ok()).collect::<Option<Vec<_>>>();
    let shape = shape.ok_or("it has an axis of negative length")?;
    let kind = data_type.and_then(|kind| ElementType::try_from(kind).ok());
    let (dtype, listed) = match kind {
        Some(ElementType::Float) => {
            (Dtype::F32, float_data.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        Some(ElementType::Int64) => {
            (Dtype::I64, int64_data.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        Some(ElementType::Int32) => {
            (Dtype::I32, int32_data.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        Some(ElementType::Double) => (Dtype::F64, Vec::new()),
        Some(ElementType::Float16) => (Dtype::F16, Vec::new()),
        Some(ElementType::Bool) => (Dtype::Bool, Vec::new()),
        _ => return Err(format!("its elements have the type {}, which is not read", data_type.unwrap_or(0))),
    };
    Tensor::new(dtype, shape, raw_data.unwrap_or(listed)).map_err(|error| error.to_string())
}

/// The whole numbers of a constant, at most as many as a shape has axes.
pub(super) fn integers(tensor: &Tensor) -> Option<Vec<i64>> {
    if tensor.len() > 64 {
        return None;
    }
    let bytes = tensor.to_bytes();
    match tensor.dtype() {
        Dtype::I64 => Some(bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()),
        Dtype::I32 => {
            Some(bytes.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect())
        }
        _ => None,
    }
}

/// A shape without the axes of length 1 before the others.
pub(super) fn trimmed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().skip_while(|length| *length == 1).collect()
}

/// The one number of a constant, whole or not.
pub(super) fn one_number(tensor: &Tensor) -> Option<f64> {
    tensor.numbers().next().filter(|_| tensor.len() == 1)
}

/// The one number of a constant that is not of whole numbers.
pub(super) fn number(tensor: &Tensor) -> Option<f64> {
    let mut values = tensor.values()?;
    values.next().filter(|_| tensor.len() == 1)
}

/// The tensor of a node that is a constant.
pub(super) fn of_node(node: &mut NodeProto) -> Result<Tensor, String> {
    let attribute = node.attribute.iter_mut().find(|attribute| attribute.t.is_some());
    let Some(proto) = attribute.and_then(|attribute| attribute.t.take()) else {
        let first = node.attribute.first().ok_or("it has no value")?;
        let (ints, floats) = (&first.ints, &first.floats);
        let numbers = match first.name.as_deref() {
            Some("value_int") => vec![first.i.unwrap_or(0)],
            Some("value_ints") => ints.clone(),
            Some("value_float") => {
                let bytes = first.f.unwrap_or(0.0).to_le_bytes().to_vec();
                return Tensor::new(Dtype::F32, [], bytes).map_err(|error| error.to_string());
            }
            Some("value_floats") => {
                let bytes = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
                return Tensor::new(Dtype::F32, [floats.len()], bytes).map_err(|error| error.to_string());
            }
            _ => return Err("its value is of a kind that is not read".into()),
        };
        let shape = if first.name.as_deref() == Some("value_int") { vec![] } else { vec![numbers.len()] };
        let bytes = numbers.into_iter().flat_map(i64::to_le_bytes).collect();
        return Tensor::new(Dtype::I64, shape, bytes).map_err(|error| error.to_string());
    };
    tensor(proto)
}
