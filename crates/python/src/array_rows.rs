//! NumPy arrays whose first axis counts samples, read where they are.
//!
//! Python's lock is released while they are read, so another thread can write to an array at any moment. That is why no reference to
//! its memory is made: each value is copied by a raw pointer, once, and any bits are a number. Who writes to an array in a training
//! trains on samples of which it is not said how much of them is new. NumPy's own functions read in the same way without the lock; Rust's
//! rules have no word for a writer outside of it, so this rests on the machine, where a load gives old bytes or new ones.

#![expect(unsafe_code, reason = "an array is read by pointers, without Python's lock")]

use std::ops::Range;

use chainrule::tensor::{MAX_RANK, Shape};
use numpy::{Element, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{type_error, value_error};

/// What keeps an array from being lent for writing to other extensions of Rust while it is read.
trait Lent {}

impl<T: Element> Lent for PyReadonlyArrayDyn<'_, T> {}

/// An array that is lent for reading, and its rows.
pub(crate) struct LentArray<'py> {
    rows: ArrayRows,
    /// Until this is dropped, the array exists and is lent.
    _lent: Box<dyn Lent + 'py>,
}

/// How a value is stored.
#[derive(Clone, Copy)]
enum Stored {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

/// The samples of an array.
pub(crate) struct ArrayRows {
    start: *const u8,
    stored: Stored,
    len: usize,
    shape: Shape,
    /// From one sample to the next, in bytes.
    step: isize,
    /// From one value to the next along each axis of a sample, in bytes.
    strides: [isize; MAX_RANK],
    /// Whether the values of a sample follow each other without a gap.
    packed: bool,
}

// SAFETY: the memory is that of an array which `LentArray` keeps alive, and it is only read, by copies of single values, which any
// thread may do.
unsafe impl Send for ArrayRows {}
// SAFETY: as above.
unsafe impl Sync for ArrayRows {}

impl<'py> LentArray<'py> {
    /// The array `x`, or what NumPy makes of it. An array of numbers or truth values in the order of bytes of this machine is not copied,
    /// whatever its strides; others are, as single precision.
    pub(crate) fn new(name: &str, x: &Bound<'py, PyAny>) -> PyResult<Self> {
        let array = array(x)?;
        match Self::of_array(name, &array)? {
            Some(lent) => Ok(lent),
            None => {
                let kind = kind(&array)?;
                if !"biuf".contains(&kind) {
                    let dtype = array.dtype();
                    return Err(type_error(format!("{name} has the dtype {dtype}: give numbers")));
                }
                let single = array.call_method1("astype", ("float32",))?.cast_into::<PyUntypedArray>()?;
                Self::of_array(name, &single)?.ok_or_else(|| type_error(format!("{name} has no numbers")))
            }
        }
    }

    pub(crate) fn rows(&self) -> &ArrayRows {
        &self.rows
    }

    /// `None` where values are stored in a way that is not read here.
    fn of_array(name: &str, array: &Bound<'py, PyUntypedArray>) -> PyResult<Option<Self>> {
        macro_rules! stored_as {
            ($($number:ty => $stored:ident),*) => {
                $(if let Ok(array) = array.cast::<PyArrayDyn<$number>>() {
                    let lent = array
                        .try_readonly()
                        .map_err(|error| value_error(format!("{name} cannot be read: {error}")))?;
                    let rows = ArrayRows::new(name, array.as_untyped(), array.data().cast(), Stored::$stored)?;
                    return Ok(Some(Self { rows, _lent: Box::new(lent) }));
                })*
            };
        }
        stored_as!(
            f32 => F32, f64 => F64, bool => Bool, u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32,
            u64 => U64, i64 => I64
        );
        Ok(None)
    }
}

/// The kind of the values of an array, as NumPy calls it: `"f"` of floating-point numbers.
pub(crate) fn kind(array: &Bound<'_, PyUntypedArray>) -> PyResult<String> {
    array.dtype().getattr("kind")?.extract()
}

/// The array `x`, or what NumPy makes of it.
pub(crate) fn array<'py>(x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    match x.cast::<PyUntypedArray>() {
        Ok(array) => Ok(array.clone()),
        Err(_) => {
            let numpy = x.py().import("numpy")?;
            Ok(numpy.call_method("asarray", (x,), None::<&Bound<'py, PyDict>>)?.cast_into()?)
        }
    }
}

impl ArrayRows {
    fn new(
        name: &str,
        array: &Bound<'_, PyUntypedArray>,
        start: *const u8,
        stored: Stored,
    ) -> PyResult<Self> {
        let Some((&len, axes)) = array.shape().split_first() else {
            return Err(value_error(format!(
                "{name} is a single number: its first axis has to count the samples"
            )));
        };
        let shape = Shape::new(axes).ok_or_else(|| {
            value_error(format!("{name} has samples of {} axes: at most {MAX_RANK} are possible", axes.len()))
        })?;
        let (step, of_axes) =
            array.strides().split_first().map_or((0, &[][..]), |(step, axes)| (*step, axes));
        let mut strides = [0; MAX_RANK];
        strides[..of_axes.len()].copy_from_slice(of_axes);
        let mut expected = stored.size() as isize;
        let packed = axes.iter().zip(of_axes).rev().all(|(&axis, &stride)| {
            let follows = axis == 1 || stride == expected;
            expected = expected.wrapping_mul(axis as isize);
            follows
        });
        Ok(Self { start, stored, len, shape, step, strides, packed })
    }

    /// The number of samples.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The shape of one.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Writes the values of these columns of a sample to `part`, in row-major order.
    ///
    /// # Panics
    ///
    /// If there is no such sample, or the length of `part` is not that of the columns, or there are fewer.
    pub(crate) fn read(&self, index: usize, columns: Range<usize>, part: &mut [f32]) {
        assert!(index < self.len && columns.end <= self.shape.size() && columns.len() == part.len());
        match self.stored {
            // NumPy writes 0 and 1, but any byte may be there.
            Stored::Bool => self.copy::<u8>(index, columns, part, |value| f32::from(u8::from(value != 0))),
            Stored::U8 => self.copy::<u8>(index, columns, part, f32::from),
            Stored::I8 => self.copy::<i8>(index, columns, part, f32::from),
            Stored::U16 => self.copy::<u16>(index, columns, part, f32::from),
            Stored::I16 => self.copy::<i16>(index, columns, part, f32::from),
            Stored::U32 => self.copy::<u32>(index, columns, part, |value| value as f32),
            Stored::I32 => self.copy::<i32>(index, columns, part, |value| value as f32),
            Stored::U64 => self.copy::<u64>(index, columns, part, |value| value as f32),
            Stored::I64 => self.copy::<i64>(index, columns, part, |value| value as f32),
            Stored::F32 => self.copy::<f32>(index, columns, part, |value| value),
            Stored::F64 => self.copy::<f64>(index, columns, part, |value| value as f32),
        }
    }

    /// `E` is the type of the values, or one of its size of which any bits are a value. The sample and its columns have been checked.
    fn copy<E: Copy>(
        &self,
        index: usize,
        columns: Range<usize>,
        part: &mut [f32],
        convert: impl Fn(E) -> f32,
    ) {
        let sample = self.start.wrapping_offset(self.step.wrapping_mul(index as isize));
        if self.packed {
            let first = sample.cast::<E>().wrapping_add(columns.start);
            for (column, value) in part.iter_mut().enumerate() {
                // SAFETY: the sample and the column are within the shape of the array, which is alive; NumPy's strides keep all values of
                // the shape within its memory. Nothing is assumed of the alignment.
                *value = convert(unsafe { first.wrapping_add(column).read_unaligned() });
            }
            return;
        }
        for (column, value) in columns.zip(part) {
            let mut rest = column;
            let mut offset = 0isize;
            for (&axis, &stride) in self.shape.iter().zip(&self.strides).rev() {
                offset = offset.wrapping_add(stride.wrapping_mul((rest % axis) as isize));
                rest /= axis;
            }
            // SAFETY: as above.
            *value = convert(unsafe { sample.wrapping_offset(offset).cast::<E>().read_unaligned() });
        }
    }
}

impl Stored {
    fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}
