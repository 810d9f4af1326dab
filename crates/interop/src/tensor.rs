//! A tensor of a file.

use std::fmt;
use std::sync::Arc;

use crate::dtype::Dtype;
use crate::indices::{Indices, count, row_major};

/// The most axes of a tensor, as in PyTorch.
pub(crate) const MAX_AXES: usize = 64;

/// Numbers of one type in a rectangular shape, as files hold them.
///
/// It is a view of bytes that many tensors may share, so reading a file of tensors copies nothing, and a file whose tensors are all
/// of one storage takes no more memory than itself.
#[derive(Clone)]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    /// In elements.
    strides: Vec<usize>,
    /// The first element, in bytes.
    start: usize,
    /// Little-endian.
    bytes: Arc<Vec<u8>>,
}

impl Tensor {
    /// The tensor of these little-endian bytes, in row-major order.
    ///
    /// # Errors
    ///
    /// [`TensorError`] if they do not have the number of bytes of that shape.
    pub fn new(dtype: Dtype, shape: impl Into<Vec<usize>>, bytes: Vec<u8>) -> Result<Self, TensorError> {
        let shape = shape.into();
        let found = bytes.len();
        let tensor = Self::within(dtype, shape, Arc::new(bytes), 0)?;
        if tensor.len() * dtype.size() < found {
            return Err(TensorError::Bytes { dtype, shape: tensor.shape, found });
        }
        Ok(tensor)
    }

    /// The tensor whose bytes begin at the byte `start`.
    pub(crate) fn within(
        dtype: Dtype,
        shape: Vec<usize>,
        bytes: Arc<Vec<u8>>,
        start: usize,
    ) -> Result<Self, TensorError> {
        let strides = row_major(&shape);
        Self::strided(dtype, shape, strides, bytes, start)
    }

    /// The tensor whose bytes begin at the byte `start`, with these distances between its elements along each axis.
    pub(crate) fn strided(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<usize>,
        bytes: Arc<Vec<u8>>,
        start: usize,
    ) -> Result<Self, TensorError> {
        if shape.len() > MAX_AXES || strides.len() != shape.len() {
            return Err(TensorError::Axes { axes: shape.len() });
        }
        let count = count(&shape);
        // The index of the last element, and that of the end.
        let span = match count {
            Some(0) => Some(0),
            _ => shape.iter().zip(&strides).try_fold(1usize, |end, (&length, &stride)| {
                end.checked_add((length - 1).checked_mul(stride)?)
            }),
        };
        let end = span.and_then(|span| span.checked_mul(dtype.size())?.checked_add(start));
        // A view that repeats its elements could be larger than any memory.
        let repeats = count.zip(span).is_some_and(|(count, span)| count > span);
        match end {
            Some(end) if end <= bytes.len() && !repeats && count.is_some() => {
                Ok(Self { dtype, shape, strides, start, bytes })
            }
            Some(_) if repeats => Err(TensorError::Repeats { shape, strides }),
            _ => Err(TensorError::Bytes { dtype, shape, found: bytes.len().saturating_sub(start) }),
        }
    }

    /// The tensor of these numbers, which are rounded to `dtype`.
    pub(crate) fn of_values(dtype: Dtype, shape: Vec<usize>, values: impl Iterator<Item = f64>) -> Self {
        let mut bytes = Vec::with_capacity(values.size_hint().0.saturating_mul(dtype.size()));
        values.for_each(|value| dtype.encode(value, &mut bytes));
        let strides = row_major(&shape);
        Self { dtype, shape, strides, start: 0, bytes: Arc::new(bytes) }
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The lengths of its axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of its elements.
    pub fn len(&self) -> usize {
        count(&self.shape).unwrap_or(0)
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its elements in row-major order, in double precision, in which all of these types are exact; `None` for whole numbers and
    /// truth values.
    pub fn values(&self) -> Option<impl Iterator<Item = f64> + '_> {
        self.dtype
            .is_float()
            .then(|| self.elements().map(|bytes| self.dtype.decode(bytes).unwrap_or(f64::NAN)))
    }

    /// Its elements in row-major order, in double precision, of any type: whole numbers beyond 2⁵³ are rounded, and truth values are 0
    /// and 1.
    pub fn numbers(&self) -> impl Iterator<Item = f64> + '_ {
        self.elements().map(|bytes| self.dtype.number(bytes).unwrap_or(f64::NAN))
    }

    /// Its elements in row-major order, each little-endian, one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.strides == row_major(&self.shape) {
            return self.bytes[self.start..self.start + self.len() * self.dtype.size()].to_vec();
        }
        self.elements().flatten().copied().collect()
    }

    /// The same numbers in another type, rounded to the nearest; whole numbers and truth values stay as they are.
    #[must_use]
    pub fn to_dtype(&self, dtype: Dtype) -> Self {
        match self.values() {
            Some(values) if dtype != self.dtype && dtype.is_float() => {
                Self::of_values(dtype, self.shape.clone(), values)
            }
            _ => self.clone(),
        }
    }

    /// A matrix with its axes swapped, of the same bytes.
    #[cfg(feature = "onnx")]
    pub(crate) fn transposed(&self) -> Option<Self> {
        let &[rows, columns] = &*self.shape else { return None };
        let &[down, along] = &*self.strides else { return None };
        Some(Self { shape: vec![columns, rows], strides: vec![along, down], ..self.clone() })
    }

    /// The same elements one after the other; of the same bytes, if they are already.
    #[cfg(feature = "onnx")]
    pub(crate) fn in_order(&self) -> Self {
        if self.strides == row_major(&self.shape) {
            return self.clone();
        }
        let strides = row_major(&self.shape);
        Self { shape: self.shape.clone(), strides, start: 0, bytes: Arc::new(self.to_bytes()), ..*self }
    }

    /// These of its rows, of the same bytes.
    #[cfg(feature = "onnx")]
    pub(crate) fn rows(&self, start: usize, count: usize) -> Option<Self> {
        let (&rows, rest) = self.shape.split_first()?;
        if start.checked_add(count)? > rows {
            return None;
        }
        let shape = [&[count], rest].concat();
        let start =
            start.checked_mul(self.strides[0])?.checked_mul(self.dtype.size())?.checked_add(self.start)?;
        Self::strided(self.dtype, shape, self.strides.clone(), Arc::clone(&self.bytes), start).ok()
    }

    /// How many bytes its elements take.
    #[cfg(feature = "onnx")]
    pub(crate) fn size(&self) -> usize {
        self.len() * self.dtype.size()
    }

    /// The same elements in another shape; of the same bytes, unless they are not in order there.
    #[cfg(feature = "onnx")]
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        if count(shape)? != self.len() {
            return None;
        }
        if self.strides == row_major(&self.shape) {
            return Self::within(self.dtype, shape.to_vec(), Arc::clone(&self.bytes), self.start).ok();
        }
        Self::new(self.dtype, shape, self.to_bytes()).ok()
    }

    fn elements(&self) -> impl Iterator<Item = &[u8]> {
        let size = self.dtype.size();
        Indices::new(&self.shape, &self.strides, 0).map(move |index| {
            let start = self.start + index * size;
            &self.bytes[start..start + size]
        })
    }
}

/// Of the same type and shape, with elements of the same bits.
impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.shape == other.shape && self.elements().eq(other.elements())
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype, self.shape)
    }
}

/// A tensor that its bytes do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The bytes are too few, or too many.
    #[error("a tensor of {dtype} with the shape {shape:?} does not have {found} bytes")]
    Bytes {
        /// The type of its elements.
        dtype: Dtype,
        /// Its shape.
        shape: Vec<usize>,
        /// The number of bytes that there are.
        found: usize,
    },
    /// It has too many axes.
    #[error("a tensor has {axes} axes, or strides for another number; at most {MAX_AXES} are read")]
    Axes {
        /// The number of its axes.
        axes: usize,
    },
    /// It holds elements several times, as PyTorch's `expand` does.
    #[error(
        "a tensor with the shape {shape:?} and the strides {strides:?} repeats its elements: save a copy of it, by `clone`"
    )]
    Repeats {
        /// Its shape.
        shape: Vec<usize>,
        /// The distances between its elements.
        strides: Vec<usize>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_checked() {
        let bytes = Arc::new(vec![0; 24]);
        let view = |shape: &[usize], strides: &[usize], start| {
            Tensor::strided(Dtype::F32, shape.to_vec(), strides.to_vec(), Arc::clone(&bytes), start)
        };
        assert!(view(&[2, 3], &[1, 2], 0).is_ok());
        assert!(view(&[2, 3], &[3, 1], 4).is_err());
        assert!(view(&[usize::MAX, usize::MAX], &[1, 1], 0).is_err());
        assert!(view(&[2], &[usize::MAX], 0).is_err());
        assert!(matches!(view(&[1 << 40], &[0], 0), Err(TensorError::Repeats { .. })));
        assert!(view(&[0, 1 << 60], &[0, 0], 24).unwrap().is_empty());
        assert!(view(&[1 << 60, 1 << 60, 0], &[1, 1, 1], 0).unwrap().is_empty());
        assert!(view(&[1; 65], &[1; 65], 0).is_err());
        assert!(Tensor::new(Dtype::F32, [2], vec![0; 8]).is_ok());
        assert!(Tensor::new(Dtype::F32, [2], vec![0; 9]).is_err());
    }

    #[test]
    fn a_transposed_view_is_written_in_order() {
        let bytes = Arc::new((0..6).collect::<Vec<u8>>());
        let view = Tensor::strided(Dtype::U8, vec![3, 2], vec![1, 3], bytes, 0).unwrap();
        assert_eq!(view.to_bytes(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(view, Tensor::new(Dtype::U8, [3, 2], vec![0, 3, 1, 4, 2, 5]).unwrap());
        assert!(view.values().is_none());
    }
}
