//! The binary form of CIFAR-10 and CIFAR-100.
//!
//! A file is records of one length: the label (one byte; in CIFAR-100 that of the superclass, then that of the class), and the 3,072
//! bytes of a picture of 32 by 32 pixels, first all of red, then of green, then of blue, each row by row
//! (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::images::{Images, ImagesError};

/// The shape of a picture: channels, height, width.
const SHAPE: [usize; 3] = [3, 32, 32];

/// The number of bytes of a picture.
const PIXELS: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];

/// The files of one of the two data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Files {
    /// The folder in the archive.
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// The number of bytes before a picture; the last one is its class.
    labels: usize,
    classes: usize,
}

const CIFAR_10: Files = Files {
    folder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    labels: 1,
    classes: 10,
};

const CIFAR_100: Files =
    Files { folder: "cifar-100-binary", train: &["train.bin"], test: "test.bin", labels: 2, classes: 100 };

impl Files {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.train.iter().copied().chain([self.test])
    }

    /// The directory with the files: this one, or the archive's folder in it.
    fn find(&self, directory: &Path) -> Option<PathBuf> {
        let places = [directory.to_owned(), directory.join(self.folder)];
        places.into_iter().find(|place| self.all().all(|name| place.join(name).is_file()))
    }

    fn read(&self, directory: &Path) -> Result<(Images, Images), CifarError> {
        let missing = || CifarError::Missing {
            directory: directory.to_owned(),
            names: self.all().map(str::to_owned).collect(),
        };
        let found = self.find(directory).ok_or_else(missing)?;
        let train: Vec<PathBuf> = self.train.iter().map(|name| found.join(name)).collect();
        Ok((self.images(&train)?, self.images(&[found.join(self.test)])?))
    }

    /// The pictures of the test in a directory, or those of one file.
    fn read_test(&self, path: &Path) -> Result<Images, CifarError> {
        if !path.is_dir() {
            return self.images(&[path.to_owned()]);
        }
        let places = [path.to_owned(), path.join(self.folder)].map(|place| place.join(self.test));
        let missing =
            || CifarError::Missing { directory: path.to_owned(), names: vec![self.test.to_owned()] };
        self.images(&[places.into_iter().find(|file| file.is_file()).ok_or_else(missing)?])
    }

    /// The pictures of these files, one after the other.
    fn images(&self, paths: &[PathBuf]) -> Result<Images, CifarError> {
        let record = self.labels + PIXELS;
        let mut pixels = Vec::new();
        let mut labels = Vec::new();
        let mut bytes = Vec::new();
        for path in paths {
            let at = |problem| CifarError::File { path: path.clone(), problem };
            bytes.clear();
            let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
            read.map_err(|error| at(CifarProblem::Io(error)))?;
            if bytes.len() % record != 0 {
                return Err(at(CifarProblem::Length { length: bytes.len(), record }));
            }
            let first = labels.len();
            for record in bytes.chunks_exact(record) {
                labels.push(record[self.labels - 1]);
                pixels.extend_from_slice(&record[self.labels..]);
            }
            let unknown = labels[first..].iter().position(|&label| usize::from(label) >= self.classes);
            if let Some(index) = unknown {
                let label = labels[first + index];
                return Err(at(ImagesError::Label { index, label, classes: self.classes }.into()));
            }
        }
        let images = Images::new(SHAPE, pixels, labels, self.classes);
        images.map_err(|error| CifarError::File { path: paths[0].clone(), problem: error.into() })
    }
}

impl Images {
    /// The 50,000 pictures of CIFAR-10 to train with and the 10,000 to test with, `[3, 32, 32]`, from a directory with the files of
    /// `cifar-10-binary.tar.gz`, or with their folder.
    ///
    /// # Errors
    ///
    /// [`CifarError`], naming the file that is missing or damaged.
    pub fn cifar10(directory: impl AsRef<Path>) -> Result<(Self, Self), CifarError> {
        CIFAR_10.read(directory.as_ref())
    }

    /// The 50,000 pictures of CIFAR-100 to train with and the 10,000 to test with, `[3, 32, 32]`, with their 100 classes, from a directory with
    /// the files of `cifar-100-binary.tar.gz`, or with their folder.
    ///
    /// # Errors
    ///
    /// [`CifarError`], naming the file that is missing or damaged.
    pub fn cifar100(directory: impl AsRef<Path>) -> Result<(Self, Self), CifarError> {
        CIFAR_100.read(directory.as_ref())
    }

    /// [`cifar100`](Self::cifar100) if its files are in the directory, else [`cifar10`](Self::cifar10).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn cifar(directory: impl AsRef<Path>) -> Result<(Self, Self), CifarError> {
        let directory = directory.as_ref();
        if is_cifar100(directory) { Self::cifar100(directory) } else { Self::cifar10(directory) }
    }

    /// The pictures to test with alone, or those of one file in the same form: with 100 classes that of CIFAR-100, else of CIFAR-10.
    ///
    /// # Errors
    ///
    /// As [`cifar10`](Self::cifar10).
    pub fn cifar_test(path: impl AsRef<Path>, classes: usize) -> Result<Self, CifarError> {
        let files = if classes == CIFAR_100.classes { CIFAR_100 } else { CIFAR_10 };
        files.read_test(path.as_ref())
    }
}

/// Whether a directory has all files of CIFAR-10, or their folder.
pub fn is_cifar10(directory: &Path) -> bool {
    CIFAR_10.find(directory).is_some()
}

/// Whether a directory has all files of one of the two.
pub fn is_cifar(directory: &Path) -> bool {
    is_cifar10(directory) || is_cifar100(directory)
}

/// Whether a directory has all files of CIFAR-100, or their folder.
pub fn is_cifar100(directory: &Path) -> bool {
    CIFAR_100.find(directory).is_some()
}

/// Files of CIFAR that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CifarError {
    /// Some files are missing.
    #[error("{} does not have all of {}: unpack the archive of the binary version there", directory.display(), names.join(", "))]
    Missing {
        /// The directory.
        directory: PathBuf,
        /// The names of all files.
        names: Vec<String>,
    },
    /// Something is wrong with a file.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: CifarProblem,
    },
}

/// What is wrong with a file of CIFAR.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CifarProblem {
    /// The system cannot read it.
    #[error("the system reports {0}: check the path, its permissions and the free memory")]
    Io(io::Error),
    /// It ends within a record.
    #[error(
        "its {length} bytes are not whole records of {record} bytes: it is incomplete, or not of the binary version; unpack the archive again"
    )]
    Length {
        /// The number of bytes.
        length: usize,
        /// The number of bytes of a record.
        record: usize,
    },
    /// Its pictures and labels cannot be used.
    #[error(transparent)]
    Images(#[from] ImagesError),
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;

    /// Writes files of two records each, whose labels are given and whose pixels count.
    fn write(directory: &Path, files: &Files, labels: &[u8]) {
        for (number, name) in files.all().enumerate() {
            let record = |index: u8| {
                let pixels = (0..PIXELS).map(move |pixel| (pixel / 1024) as u8 * 10 + index + number as u8);
                labels.iter().copied().chain(pixels)
            };
            fs::write(directory.join(name), (0..2).flat_map(record).collect::<Vec<u8>>()).unwrap();
        }
    }

    #[test]
    fn pictures_come_channel_by_channel() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join(CIFAR_10.folder);
        fs::create_dir(&folder).unwrap();
        write(&folder, &CIFAR_10, &[7]);
        assert!(is_cifar10(directory.path()) && is_cifar10(&folder) && !is_cifar100(&folder));
        let (train, test) = Images::cifar10(directory.path()).unwrap();
        assert_eq!((train.count(), test.count(), train.classes()), (10, 2, 10));
        assert_eq!(train.image_shape(), SHAPE.into());
        assert_eq!(train.labels(), [7; 10]);
        // The second picture of the third file: red, green, blue.
        let picture = train.pixels(5);
        assert_eq!([picture[0], picture[1023], picture[1024], picture[3071]], [3, 3, 13, 23]);
        assert_eq!(test.pixels(0)[2048], 25);
        assert_eq!(Images::cifar(directory.path()).unwrap().0.count(), 10);
        for place in [directory.path().to_owned(), folder.clone(), folder.join("test_batch.bin")] {
            assert_eq!(Images::cifar_test(place, 10).unwrap().pixels(0)[2048], 25);
        }
        fs::remove_file(folder.join("test_batch.bin")).unwrap();
        let error = Images::cifar_test(directory.path(), 10).unwrap_err().to_string();
        assert!(error.contains("does not have all of test_batch.bin"), "{error}");
    }

    #[test]
    fn of_two_labels_the_second_is_the_class() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &CIFAR_100, &[19, 99]);
        let (train, test) = Images::cifar100(directory.path()).unwrap();
        assert_eq!((train.classes(), train.labels(), test.labels()), (100, &[99u8, 99][..], &[99u8, 99][..]));
        assert_eq!(Images::cifar(directory.path()).unwrap().0.classes(), 100);
        assert_eq!(Images::cifar_test(directory.path(), 100).unwrap().labels(), [99, 99]);
    }

    #[test]
    fn damaged_files_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let error = || Images::cifar10(path).unwrap_err().to_string();
        assert!(error().contains("data_batch_1.bin, data_batch_2.bin"), "{}", error());
        write(path, &CIFAR_10, &[3]);
        fs::write(path.join("data_batch_2.bin"), [0; PIXELS + 2]).unwrap();
        assert!(
            error().contains("data_batch_2.bin: its 3074 bytes are not whole records of 3073"),
            "{}",
            error()
        );
        write(path, &CIFAR_10, &[3]);
        let mut record = vec![0; 2 * (PIXELS + 1)];
        record[PIXELS + 1] = 10;
        fs::write(path.join("data_batch_3.bin"), record).unwrap();
        let message = error();
        assert!(message.contains("data_batch_3.bin: label 1 is 10"), "{message}");
        fs::write(path.join("data_batch_3.bin"), []).unwrap();
        assert_eq!(Images::cifar10(path).unwrap().0.count(), 8);
        fs::write(path.join("test_batch.bin"), []).unwrap();
        assert!(error().contains("test_batch.bin: there are no images"), "{}", error());
    }
}
