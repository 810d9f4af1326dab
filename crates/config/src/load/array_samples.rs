//! Samples of arrays, in memory or in their file.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;

use chainrule::data::{Dataset, Rows, Samples};
use chainrule::interop::ArrayFile;
use chainrule::tensor::Shape;
use ndarray::{Array2, s};

/// The number of values that are looked at in one go.
const BLOCK: usize = 1 << 18;

thread_local! {
    /// The bytes of a sample.
    static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The samples of an array, and the shape of one.
pub(crate) struct ArraySamples {
    stored: Stored,
    pub(crate) shape: Shape,
}

enum Stored {
    Memory(Rows<f32, ()>),
    /// Each is read when it is gathered, so that the memory of a training does not grow with its data.
    File(Box<SampleFile>),
}

struct SampleFile {
    array: ArrayFile,
    samples: usize,
    /// What the elements are divided by.
    divide_by: f64,
    /// Why a sample could not be read.
    failure: OnceLock<String>,
}

impl ArraySamples {
    /// Samples of this shape in the rows of a matrix.
    pub(super) fn in_memory(rows: Array2<f32>, shape: Shape) -> Self {
        let count = rows.nrows();
        let rows = Rows::new(rows, vec![(); count]).expect("there is a target for each row");
        Self { stored: Stored::Memory(rows), shape }
    }

    /// So many samples of this shape in a file.
    pub(super) fn in_file(array: ArrayFile, samples: usize, divide_by: f64, shape: Shape) -> Self {
        let file = SampleFile { array, samples, divide_by, failure: OnceLock::new() };
        Self { stored: Stored::File(Box::new(file)), shape }
    }

    /// Looks at all of them once, from the first to the last: a system that has the memory keeps what it has read of a file, from which
    /// samples in any order are then read as fast as from memory.
    ///
    /// # Errors
    ///
    /// The sample and the value that is no finite number, or why they cannot be read.
    pub(super) fn check(&self) -> Result<(), String> {
        let size = self.shape.size();
        let mut samples = vec![0.0; (BLOCK / size).max(1) * size];
        for first in (0..self.count()).step_by(samples.len() / size) {
            let rows = (self.count() - first).min(samples.len() / size);
            let values = &mut samples[..rows * size];
            match &self.stored {
                Stored::Memory(matrix) => {
                    let block = matrix.samples().slice(s![first..first + rows, ..]);
                    values.iter_mut().zip(block).for_each(|(value, &sample)| *value = sample);
                }
                Stored::File(file) => file.read(first * size, values),
            }
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let (sample, value) = (first + index / size, values[index]);
                return Err(format!(
                    "sample {sample} has the value {value}: replace what is no finite number of f32"
                ));
            }
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        match &self.stored {
            Stored::Memory(rows) => rows.len(),
            Stored::File(file) => file.samples,
        }
    }

    /// Writes these columns of a sample.
    pub(crate) fn read(&self, index: usize, columns: Range<usize>, part: &mut [f32]) {
        match &self.stored {
            Stored::Memory(rows) => rows.read_part(index, columns, part, &mut []),
            Stored::File(file) => file.read(index * self.shape.size() + columns.start, part),
        }
    }

    /// A hint that these columns of a sample will be read. The system fetches what is in a file.
    fn prefetch(&self, index: usize, columns: Range<usize>) {
        if let Stored::Memory(rows) = &self.stored {
            rows.prefetch(index, columns);
        }
    }

    /// Why a sample could not be read.
    pub(crate) fn failure(&self) -> Option<String> {
        match &self.stored {
            Stored::Memory(_) => None,
            Stored::File(file) => file.failure.get().cloned(),
        }
    }
}

impl SampleFile {
    /// Reads elements from this one on. If that fails, they are no numbers, which no step is taken with, and the failure is kept.
    fn read(&self, first: usize, part: &mut [f32]) {
        let dtype = self.array.dtype();
        BYTES.with_borrow_mut(|bytes| {
            bytes.resize(part.len() * dtype.size(), 0);
            match self.array.read_bytes(first, bytes) {
                Ok(()) => dtype.divided_numbers(bytes, self.divide_by, part),
                Err(error) => {
                    part.fill(f32::NAN);
                    self.failure.get_or_init(|| format!("{}: {error}", self.array.path().display()));
                }
            }
        });
    }
}

/// Samples of arrays with their targets.
pub(crate) struct ArrayRows<Y> {
    samples: ArraySamples,
    targets: Vec<Y>,
}

impl<Y> ArrayRows<Y> {
    /// These samples with a target for each.
    pub(crate) fn new(samples: ArraySamples, targets: Vec<Y>) -> Self {
        assert_eq!(samples.count(), targets.len(), "there is a target for each sample");
        Self { samples, targets }
    }
}

impl<Y: Clone + Send + Sync> Dataset for ArrayRows<Y> {
    type Target = Y;

    fn len(&self) -> usize {
        self.targets.len()
    }

    fn shape(&self) -> Shape {
        self.samples.shape
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        self.samples.prefetch(index, columns);
    }

    fn failure(&self) -> Option<String> {
        self.samples.failure()
    }
}

impl<Y: Clone + Send + Sync> Samples<f32> for ArrayRows<Y> {
    fn read(&self, index: usize, row: &mut [f32]) -> Y {
        self.samples.read(index, 0..row.len(), row);
        self.targets[index].clone()
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [f32], _: &mut [f32]) -> Y {
        self.samples.read(index, columns, part);
        self.targets[index].clone()
    }
}
