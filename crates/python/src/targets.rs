//! What is predicted: classes, or vectors of values. They are copied, two bytes or a few numbers a sample.

use std::ops::Range;

use chainrule::data::{Dataset, Samples};
use chainrule::tensor::{ClassTarget, Outputs, Shape};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::array_rows::{ArrayRows, array, kind};
use crate::error::{type_error, value_error};

/// The targets of all samples.
pub(crate) enum Targets {
    Classes(Vec<u16>),
    Values { values: Vec<f32>, width: usize },
}

impl Targets {
    /// Those of the array `y`: whole numbers or truth values in one axis are classes, unless the loss compares values; all else is
    /// values, as single precision.
    pub(crate) fn new(y: &Bound<'_, PyAny>, takes: Outputs) -> PyResult<Self> {
        let y = array(y)?;
        let kind = kind(&y)?;
        if !"biuf".contains(&kind) {
            return Err(type_error(format!(
                "y has the dtype {}: give classes as whole numbers from 0, or values",
                y.dtype()
            )));
        }
        if y.ndim() == 0 {
            return Err(value_error("y is a single number: its first axis has to count the samples"));
        }
        if kind != "f" && y.ndim() == 1 && takes != Outputs::Values {
            return Self::classes(&y);
        }
        let len = y.shape()[0];
        let single = y.call_method1("astype", ("float32",))?;
        // Of an array without samples the number of columns cannot be left open.
        let width = y.shape()[1..].iter().product::<usize>();
        let matrix = single.call_method1("reshape", ((len, width),))?.cast_into::<PyArray2<f32>>()?;
        let values = matrix.readonly().as_array().iter().copied().collect();
        Ok(Self::Values { values, width })
    }

    fn classes(y: &Bound<'_, PyUntypedArray>) -> PyResult<Self> {
        // A number that is too large for it becomes negative, and is refused as well.
        let whole = y.call_method1("astype", ("int64",))?.cast_into::<PyArray1<i64>>()?;
        let whole = whole.readonly();
        let class = |(sample, &class): (usize, &i64)| {
            u16::try_from(class).map_err(|_| {
                value_error(format!(
                    "sample {sample} has the class {class}, but classes are whole numbers from 0 to 65,535: number them so, or give a \
                     vector of values for each sample"
                ))
            })
        };
        Ok(Self::Classes(whole.as_array().iter().enumerate().map(class).collect::<PyResult<_>>()?))
    }

    fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values { values, width } => values.len().checked_div(*width).unwrap_or(0),
        }
    }

    /// Whether there is one for each sample.
    pub(crate) fn check_count(&self, samples: usize) -> PyResult<()> {
        let targets = self.len();
        if samples == targets {
            return Ok(());
        }
        Err(value_error(format!(
            "there are {samples} samples but {targets} targets: give one target per sample"
        )))
    }
}

/// A type of targets.
pub(crate) trait TargetOf: Clone + Send + Sync + 'static {
    /// The target of a sample, if they are of this type.
    fn of(targets: &Targets, index: usize) -> Option<Self>;
}

impl TargetOf for ClassTarget<f32> {
    fn of(targets: &Targets, index: usize) -> Option<Self> {
        match targets {
            Targets::Classes(classes) => classes.get(index).map(|&class| u32::from(class).into()),
            Targets::Values { .. } => None,
        }
    }
}

impl TargetOf for Vec<f32> {
    fn of(targets: &Targets, index: usize) -> Option<Self> {
        match targets {
            Targets::Values { values, width } => {
                values.get(width * index..width * (index + 1)).map(<[f32]>::to_vec)
            }
            Targets::Classes(_) => None,
        }
    }
}

/// Samples of an array with targets of one type.
pub(crate) struct ArraySamples<'a, Y> {
    rows: &'a ArrayRows,
    targets: &'a Targets,
    of_type: std::marker::PhantomData<Y>,
}

impl<'a, Y: TargetOf> ArraySamples<'a, Y> {
    /// `None` if the targets are of another type, or there are not as many as samples.
    pub(crate) fn new(rows: &'a ArrayRows, targets: &'a Targets) -> Option<Self> {
        let fits = rows.len() == targets.len() && (rows.len() == 0 || Y::of(targets, 0).is_some());
        fits.then_some(Self { rows, targets, of_type: std::marker::PhantomData })
    }
}

impl<Y: TargetOf> Dataset for ArraySamples<'_, Y> {
    type Target = Y;

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn shape(&self) -> Shape {
        self.rows.shape()
    }
}

impl<Y: TargetOf> Samples<f32> for ArraySamples<'_, Y> {
    fn read(&self, index: usize, row: &mut [f32]) -> Y {
        self.rows.read(index, 0..row.len(), row);
        Y::of(self.targets, index).expect("the types of the targets were checked")
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [f32], _: &mut [f32]) -> Y {
        self.rows.read(index, columns, part);
        Y::of(self.targets, index).expect("the types of the targets were checked")
    }
}
