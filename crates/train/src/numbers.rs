//! Numbers as bytes, little-endian: in files, and between processes.

use chainrule_tensor::Real;

/// The bytes of these numbers.
pub(crate) fn bytes<T: Real>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(values, &mut bytes);
    bytes
}

/// Appends the bytes of these numbers.
pub(crate) fn append<T: Real>(values: &[T], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.resize(start + size_of_val(values), 0);
    write(values, &mut bytes[start..]);
}

/// Writes the bytes of these numbers, as many as there are.
pub(crate) fn write<T: Real>(values: &[T], bytes: &mut [u8]) {
    match T::NAME {
        "f32" => {
            let (single, _) = bytes.as_chunks_mut::<4>();
            single.iter_mut().zip(values).for_each(|(b, v)| *b = (v.as_f64() as f32).to_le_bytes());
        }
        _ => {
            let (double, _) = bytes.as_chunks_mut::<8>();
            double.iter_mut().zip(values).for_each(|(b, v)| *b = v.as_f64().to_le_bytes());
        }
    }
}

/// Fills `values` from their bytes; `None` if the number of bytes is not theirs.
pub(crate) fn numbers<T: Real>(bytes: &[u8], values: &mut [T]) -> Option<()> {
    if bytes.len() != size_of_val(values) {
        return None;
    }
    let (single, _) = bytes.as_chunks::<4>();
    let (double, _) = bytes.as_chunks::<8>();
    match T::NAME {
        "f32" => values.iter_mut().zip(single).for_each(|(v, b)| *v = T::of(f32::from_le_bytes(*b).into())),
        _ => values.iter_mut().zip(double).for_each(|(v, b)| *v = T::of(f64::from_le_bytes(*b))),
    }
    Some(())
}
