//! Images in memory, with a class each.

use std::ops::Range;

use chainrule_tensor::{Real, Shape, in_huge_pages, prefetch, vector};

use crate::{Dataset, Samples};

/// Images in memory, one byte per pixel, each with a class. Pixels are read as numbers from 0 to 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    shape: Shape,
    /// The number of pixels of an image.
    size: usize,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    classes: usize,
}

impl Images {
    /// Images of this shape, one after the other, with labels below `classes`.
    ///
    /// # Errors
    ///
    /// [`ImagesError`] if there are none, if the last image is incomplete, if the counts differ, or if a label is out of
    /// range.
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
        // A shape without pixels does not fit either.
        let size = shape.size();
        let Some(0) = pixels.len().checked_rem(size) else {
            return Err(ImagesError::Pixels { pixels: pixels.len(), shape });
        };
        let images = pixels.len() / size;
        if images != labels.len() {
            return Err(ImagesError::Counts { images, labels: labels.len() });
        }
        match labels.iter().position(|&label| usize::from(label) >= classes) {
            Some(index) => Err(ImagesError::Label { index, label: labels[index], classes }),
            None => Ok(Self { shape, size, pixels: in_huge_pages(pixels), labels, classes }),
        }
    }

    /// The number of images.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// The shape of one image, `[height, width]` for MNIST.
    pub fn image_shape(&self) -> Shape {
        self.shape
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The bytes of one image, row by row.
    #[inline]
    pub fn pixels(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.size..(index + 1) * self.size]
    }

    /// The same images with rows as columns, if they have a height and a width.
    pub(crate) fn transposed(mut self) -> Self {
        let [height, width] = *self.shape else { return self };
        let mut image = vec![0; self.size];
        for pixels in self.pixels.chunks_exact_mut(self.size) {
            image.copy_from_slice(pixels);
            for (index, pixel) in pixels.iter_mut().enumerate() {
                *pixel = image[index % height * width + index / height];
            }
        }
        self.shape = Shape::from([width, height]);
        self
    }

    /// The classes of all images.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

impl Dataset for Images {
    type Target = u8;

    fn len(&self) -> usize {
        self.count()
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }

    #[inline]
    fn prefetch(&self, index: usize, columns: Range<usize>) {
        prefetch(&self.pixels(index)[columns]);
    }
}

impl<T: Real> Samples<T> for Images {
    #[inline]
    fn read(&self, index: usize, row: &mut [T]) -> u8 {
        vector::from_u8(self.pixels(index), row, T::of(1.0 / 255.0));
        self.labels[index]
    }

    #[inline]
    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], _: &mut [T]) -> u8 {
        vector::from_u8(&self.pixels(index)[columns], part, T::of(1.0 / 255.0));
        self.labels[index]
    }
}

/// Images and labels that do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImagesError {
    /// There are no images or no labels.
    #[error("there are no images: use another file")]
    Empty,
    /// The last image is incomplete.
    #[error("{pixels} bytes are not a whole number of images {shape}: give every image all of its pixels")]
    Pixels {
        /// The number of bytes.
        pixels: usize,
        /// The shape of one image.
        shape: Shape,
    },
    /// The numbers of images and labels differ.
    #[error("there are {images} images but {labels} labels: use the two files of one data set")]
    Counts {
        /// The number of images.
        images: usize,
        /// The number of labels.
        labels: usize,
    },
    /// A label that is not a class.
    #[error(
        "label {index} is {label}, but there are {classes} classes, from 0: the file is damaged, or belongs to another data set"
    )]
    Label {
        /// The index of the label.
        index: usize,
        /// Its value.
        label: u8,
        /// The number of classes.
        classes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_become_numbers_from_0_to_1() {
        let images = Images::new([1, 3], vec![0, 255, 51, 255, 0, 102], vec![1, 0], 2).unwrap();
        let mut row = [9.0f32; 3];
        assert_eq!(images.read(1, &mut row), 0);
        let mut part = [9.0f32; 2];
        assert_eq!(images.read_part(1, 1..3, &mut part, &mut []), 0);
        assert_eq!(part, row[1..]);
        let error = row.iter().zip([1.0, 0.0, 0.4]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error < 1e-6, "{row:?}");
        assert_eq!(Dataset::classes(&&images), Some(2));
    }

    #[test]
    fn rows_become_columns() {
        let images = Images::new([2, 3], (0..12).collect(), vec![0, 1], 2).unwrap().transposed();
        assert_eq!(images.image_shape(), Shape::from([3, 2]));
        assert_eq!(
            (images.pixels(0), images.pixels(1)),
            (&[0, 3, 1, 4, 2, 5][..], &[6, 9, 7, 10, 8, 11][..])
        );
    }

    #[test]
    fn what_does_not_belong_together() {
        let new = |shape: [usize; 2], pixels, labels: &[u8]| {
            Images::new(shape, vec![0; pixels], labels.to_vec(), 2).unwrap_err()
        };
        assert_eq!(new([2, 2], 0, &[]), ImagesError::Empty);
        assert_eq!(new([2, 2], 8, &[0]), ImagesError::Counts { images: 2, labels: 1 });
        assert_eq!(new([2, 2], 4, &[2]), ImagesError::Label { index: 0, label: 2, classes: 2 });
        assert!(matches!(new([2, 2], 6, &[0]), ImagesError::Pixels { pixels: 6, .. }));
        assert!(matches!(new([0, 2], 6, &[0]), ImagesError::Pixels { pixels: 6, .. }));
    }
}
