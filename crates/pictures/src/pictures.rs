//! Pictures in memory.

use std::ops::Range;
use std::path::PathBuf;

use chainrule_data::{Dataset, Samples};
use chainrule_tensor::{Real, Shape, prefetch, vector};

/// Pictures in memory, one byte for each value, with a class each: a data set with samples `[channels, height, width]` of numbers from
/// 0 to 1, whose targets are indices of [`class_names`](Self::class_names).
#[derive(Clone, Debug)]
pub struct Pictures {
    pub(crate) shape: Shape,
    pub(crate) values: Vec<u8>,
    pub(crate) labels: Vec<u32>,
    pub(crate) classes: Vec<String>,
    pub(crate) files: Vec<PathBuf>,
}

impl Pictures {
    /// The names of the classes, sorted: those of the folders.
    pub fn class_names(&self) -> &[String] {
        &self.classes
    }

    /// The class of each picture.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The file of each picture.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The bytes of a picture, whose index is below the number of [`files`](Self::files): channel by channel, row by row.
    pub fn bytes(&self, index: usize) -> &[u8] {
        let size = self.shape.size();
        &self.values[index * size..(index + 1) * size]
    }
}

impl Dataset for Pictures {
    type Target = u32;

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes.len())
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        prefetch(&self.bytes(index)[columns]);
    }
}

impl<T: Real> Samples<T> for Pictures {
    fn read(&self, index: usize, row: &mut [T]) -> u32 {
        vector::from_u8(self.bytes(index), row, T::of(1.0 / 255.0));
        self.labels[index]
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], _: &mut [T]) -> u32 {
        vector::from_u8(&self.bytes(index)[columns], part, T::of(1.0 / 255.0));
        self.labels[index]
    }
}
