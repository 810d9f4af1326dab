//! Images of bytes with a class each.

use chainrule_tensor::{Real, Shape, vector};

use crate::Dataset;

/// Images in memory, one byte a pixel, with the class of each. A pixel is read as a number from 0 to 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    shape: Shape,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    classes: usize,
}

impl Images {
    /// Images of this shape, one after the other, with labels below `classes`.
    ///
    /// # Errors
    ///
    /// [`ImagesError`] if there are none, if the counts differ, or if a label is out of range.
    pub fn new(
        shape: impl Into<Shape>,
        pixels: Vec<u8>,
        labels: Vec<u8>,
        classes: usize,
    ) -> Result<Self, ImagesError> {
        let shape = shape.into();
        if pixels.is_empty() || labels.is_empty() {
            return Err(ImagesError::Empty);
        }
        if labels.len().checked_mul(shape.size()) != Some(pixels.len()) {
            let images = pixels.len() / shape.size().max(1);
            return Err(ImagesError::Counts { images, labels: labels.len() });
        }
        match labels.iter().position(|&label| usize::from(label) >= classes) {
            Some(index) => Err(ImagesError::Label { index, label: labels[index], classes }),
            None => Ok(Self { shape, pixels, labels, classes }),
        }
    }

    /// How many images there are.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The bytes of one image, row by row.
    pub fn pixels(&self, index: usize) -> &[u8] {
        let size = self.shape.size();
        &self.pixels[index * size..(index + 1) * size]
    }

    /// The classes of all images.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

impl<T: Real> Dataset<T> for Images {
    type Target = u8;

    fn len(&self) -> usize {
        self.count()
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    #[inline]
    fn read(&self, index: usize, row: &mut [T]) -> u8 {
        vector::from_u8(self.pixels(index), row, T::of(1.0 / 255.0));
        self.labels[index]
    }
}

/// Images and labels that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImagesError {
    /// There is nothing to learn from.
    #[error("there are no images: take another file")]
    Empty,
    /// Each image needs one label.
    #[error("there are {images} images but {labels} labels: take the two files of one data set")]
    Counts {
        /// How many images.
        images: usize,
        /// How many labels.
        labels: usize,
    },
    /// A label that is no class.
    #[error("label {index} is {label}, but the classes are 0 to {}: the file is damaged, or of another data set", classes.saturating_sub(1))]
    Label {
        /// Which label.
        index: usize,
        /// Its value.
        label: u8,
        /// How many classes there are.
        classes: usize,
    },
}
