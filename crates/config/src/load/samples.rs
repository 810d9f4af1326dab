//! Data sets as the trainer takes them.

use std::ops::Range;
use std::sync::Arc;

use chainrule::data::{Dataset, Samples};
use chainrule::tensor::Shape;

/// Some samples of a data set that others share, whose classes are small numbers, perhaps in another order.
pub(crate) struct Selected<D> {
    data: Arc<D>,
    indices: Vec<usize>,
    /// For each class of the data set the one that it is here.
    classes: Vec<u8>,
    /// How many there are here.
    count: usize,
}

impl<D> Selected<D> {
    /// These samples, with the classes of the data set, of which there are at most 256.
    pub(crate) fn new(data: &Arc<D>, indices: Vec<usize>, count: usize) -> Self {
        let classes = (0..count).map(|class| class as u8).collect();
        Self { data: Arc::clone(data), indices, classes, count }
    }

    /// All samples, each class of the data set as another one of so many.
    pub(crate) fn all(data: D, samples: usize, classes: Vec<u8>, count: usize) -> Self {
        Self { data: Arc::new(data), indices: (0..samples).collect(), classes, count }
    }
}

/// The number of a class in a data set.
pub(crate) trait ClassNumber {
    fn number(self) -> usize;
}

impl ClassNumber for u8 {
    fn number(self) -> usize {
        self.into()
    }
}

impl ClassNumber for u32 {
    fn number(self) -> usize {
        self as usize
    }
}

impl<D: Dataset + Send> Dataset for Selected<D> {
    type Target = u8;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> Shape {
        self.data.shape()
    }

    fn classes(&self) -> Option<usize> {
        Some(self.count)
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        self.data.prefetch(self.indices[index], columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.data.enter_epoch(epoch);
    }
}

impl<D: Samples<f32, Target: ClassNumber> + Send> Samples<f32> for Selected<D> {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        self.classes[self.data.read(self.indices[index], row).number()]
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [f32], row: &mut [f32]) -> u8 {
        self.classes[self.data.read_part(self.indices[index], columns, part, row).number()]
    }
}
