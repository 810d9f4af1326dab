//! How pictures are read.

use std::fs;
use std::path::{Path, PathBuf};

use chainrule_tensor::{Shape, in_huge_pages};
use image::DynamicImage;
use rayon::prelude::*;

use crate::colour::Colour;
use crate::decode::{decode, planes};
use crate::error::PictureError;
use crate::folder::{self, Folders};
use crate::pictures::Pictures;

/// What becomes of a picture of another size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resize {
    /// It is an error. Without a [size](PictureReader::size) this is the default: all pictures have the size of the first.
    #[default]
    Refuse,
    /// It is brought to the size, whatever its proportions; with a size this is the default.
    Stretch,
    /// It is brought to the size in its proportions, and what is beyond is cut off on both sides.
    Fill,
}

/// Reads pictures: a directory with a folder of PNG and JPEG files for each class.
///
/// Grey, coloured and transparent pictures, of 8 or 16 bits, are brought to one form. Resizing averages over the pixels that become one
/// (a triangle filter), and interpolates where pictures get larger.
#[derive(Clone, Debug)]
pub struct PictureReader {
    directory: PathBuf,
    size: Option<[usize; 2]>,
    resize: Option<Resize>,
    colour: Option<Colour>,
}

impl PictureReader {
    /// Of this directory.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self { directory: directory.as_ref().to_owned(), size: None, resize: None, colour: None }
    }

    /// The height and width of all pictures; by default those of the first.
    #[must_use]
    pub fn size(self, height: usize, width: usize) -> Self {
        Self { size: Some([height, width]), ..self }
    }

    /// What becomes of pictures of another size.
    #[must_use]
    pub fn resize(self, resize: Resize) -> Self {
        Self { resize: Some(resize), ..self }
    }

    /// The channels of all pictures; by default they are grey if the first picture is, else red, green and blue.
    #[must_use]
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour: Some(colour), ..self }
    }

    /// Reads all pictures, on all cores.
    ///
    /// # Errors
    ///
    /// [`PictureError`] that names the file and says what to do; of several the first in the order of the files.
    pub fn read(&self) -> Result<Pictures, PictureError> {
        let Folders { classes, files } = Folders::find(&self.directory)?;
        let (paths, labels): (Vec<PathBuf>, Vec<u32>) = files.into_iter().unzip();
        self.decode_all(paths, labels, classes)
    }

    /// Reads pictures without classes, to predict for: those of the directory itself, sorted by the bytes of their names, or the one
    /// picture if the path is that of a file. All have the only class, which is called nothing.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_unlabelled(&self) -> Result<Pictures, PictureError> {
        let paths = folder::pictures_of(&self.directory)?;
        let labels = vec![0; paths.len()];
        self.decode_all(paths, labels, vec![String::new()])
    }

    /// The pictures of these files, of which there is at least one.
    fn decode_all(
        &self,
        paths: Vec<PathBuf>,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Pictures, PictureError> {
        let first = open(&paths[0])?;
        let size = self.size.unwrap_or([first.height() as usize, first.width() as usize]);
        if size.iter().any(|side| !(1..=1 << 15).contains(side)) {
            return Err(PictureError::Setting { size });
        }
        let colour = self.colour.unwrap_or_else(|| Colour::of(&first));
        let resize =
            self.resize.unwrap_or(if self.size.is_some() { Resize::Stretch } else { Resize::Refuse });
        drop(first);
        let shape = Shape::from([colour.channels(), size[0], size[1]]);
        let bytes = shape.size();
        let memory = || PictureError::Memory { pictures: paths.len(), bytes };
        let all = bytes.checked_mul(paths.len()).ok_or_else(memory)?;
        let mut values = Vec::new();
        values.try_reserve_exact(all).map_err(|_| memory())?;
        values.resize(all, 0u8);
        let failed = values.par_chunks_exact_mut(bytes).zip(&paths).filter_map(|(values, path)| {
            let mut read = || {
                let picture = open(path)?;
                let found = [picture.height() as usize, picture.width() as usize];
                let wrong = || PictureError::Size { path: path.clone(), found, expected: size };
                values.copy_from_slice(&planes(picture, colour, size, resize).ok_or_else(wrong)?);
                Ok(())
            };
            read().err()
        });
        match failed.find_first(|_| true) {
            Some(error) => Err(error),
            None => Ok(Pictures { shape, values: in_huge_pages(values), labels, classes, files: paths }),
        }
    }
}

fn open(path: &Path) -> Result<DynamicImage, PictureError> {
    let bytes = fs::read(path).map_err(|source| PictureError::Io { path: path.to_owned(), source })?;
    decode(path, &bytes)
}
