//! The IDX format of the MNIST files, plain or compressed with gzip.
//!
//! A file is a magic number (two zeros, the type of the values, the number of axes), the length of each axis as a
//! big-endian `u32`, and the values in row-major order (<http://yann.lecun.com/exdb/mnist/>). Only bytes, type 8, are
//! read: no common file has other values.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use chainrule_tensor::Shape;
use flate2::bufread::MultiGzDecoder;

use crate::images::{Images, ImagesError};
use crate::output;

/// Unsigned bytes.
const BYTES: u8 = 8;

/// The names of the four MNIST files, without their endings.
const NAMES: [&str; 4] = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];

/// Those of EMNIST with as many samples of each class, whose images have their columns one after the other.
const EMNIST_NAMES: [&str; 4] = [
    "emnist-balanced-train-images-idx3",
    "emnist-balanced-train-labels-idx1",
    "emnist-balanced-test-images-idx3",
    "emnist-balanced-test-labels-idx1",
];

/// The axes and the values of an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// The axes, the number of samples first.
    pub axes: Vec<usize>,
    /// The values in row-major order.
    pub values: Vec<u8>,
}

/// Reads an IDX file of bytes, and decompresses it if it begins as gzip does.
///
/// Memory grows with what is read, never with what the header claims.
///
/// # Errors
///
/// [`IdxError`], naming the file.
pub fn read(path: &Path) -> Result<Idx, IdxError> {
    let at = |problem| IdxError::File { path: path.to_owned(), problem };
    let mut file = BufReader::new(File::open(path).map_err(|error| at(Problem::Io(error)))?);
    let compressed = io::BufRead::fill_buf(&mut file).is_ok_and(|head| head.starts_with(&[0x1f, 0x8b]));
    if compressed { parse(MultiGzDecoder::new(file)) } else { parse(file) }.map_err(at)
}

fn parse(mut source: impl Read) -> Result<Idx, Problem> {
    let mut magic = [0; 4];
    fill(&mut source, &mut magic)?;
    let [0, 0, kind, rank] = magic else { return Err(Problem::Magic(magic)) };
    if kind != BYTES {
        return Err(Problem::Kind(kind));
    }
    let mut axes = Vec::new();
    for _ in 0..rank {
        let mut axis = [0; 4];
        fill(&mut source, &mut axis)?;
        axes.push(u32::from_be_bytes(axis) as usize);
    }
    let size = axes.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis));
    let size = size.ok_or_else(|| Problem::Overflow(axes.clone()))?;
    let mut values = Vec::new();
    // One byte more than the header promises shows whether anything follows.
    let limit = (size as u64).saturating_add(1);
    source.take(limit).read_to_end(&mut values).map_err(Problem::from)?;
    match values.len() {
        found if found < size => Err(Problem::Short { axes, size, found }),
        found if found > size => Err(Problem::Long { axes, size }),
        _ => Ok(Idx { axes, values }),
    }
}

/// Reads a part of the header.
fn fill(source: &mut impl Read, bytes: &mut [u8]) -> Result<(), Problem> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Problem::Header,
        _ => Problem::from(error),
    })
}

/// Reads images from a file of three axes, and their labels from a file of one.
///
/// # Errors
///
/// [`IdxError`], naming the file, or both if they do not fit each other.
pub fn read_images(images: &Path, labels: &Path, classes: usize) -> Result<Images, IdxError> {
    let axes = |path: &Path, idx: &Idx, expected: usize| {
        let found = idx.axes.len();
        if found == expected {
            return Ok(());
        }
        Err(IdxError::File { path: path.to_owned(), problem: Problem::Axes { found, expected } })
    };
    let pixels = read(images)?;
    let classes_of = read(labels)?;
    axes(images, &pixels, 3)?;
    axes(labels, &classes_of, 1)?;
    let pair = |source| IdxError::Pair { images: images.to_owned(), labels: labels.to_owned(), source };
    let shape = Shape::new(&pixels.axes[1..]).ok_or_else(|| IdxError::File {
        path: images.to_owned(),
        problem: Problem::Overflow(pixels.axes.clone()),
    })?;
    Images::new(shape, pixels.values, classes_of.values, classes).map_err(pair)
}

impl Images {
    /// The training and the test images of MNIST, or of a data set in the same four files, from a directory.
    ///
    /// The names are the original ones, such as `train-images-idx3-ubyte.gz`, with or without `.gz`, or with a dot, as in
    /// `train-images.idx3-ubyte`, which some archives use. If a file exists with and without `.gz`, the latter is read.
    ///
    /// # Errors
    ///
    /// [`IdxError`], naming the file that is missing or damaged.
    pub fn mnist(directory: impl AsRef<Path>) -> Result<(Self, Self), IdxError> {
        Self::in_four_files(directory.as_ref(), NAMES, |_| Ok(10))
    }

    /// EMNIST, in its four files named `emnist-balanced-train-images-idx3-ubyte` and so on, with or without `.gz`, with as many classes
    /// as the labels of the training images need. The images lie on their side there, and stand here.
    ///
    /// # Errors
    ///
    /// As [`mnist`](Self::mnist).
    pub fn emnist(directory: impl AsRef<Path>) -> Result<(Self, Self), IdxError> {
        let (train, test) = Self::in_four_files(directory.as_ref(), EMNIST_NAMES, classes_of)?;
        Ok((train.transposed(), test.transposed()))
    }

    /// As [`mnist`](Self::mnist), with as many classes as the labels of the training images need; or [`emnist`](Self::emnist), if the
    /// four files of MNIST's names are not there, but some of EMNIST's.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn idx(directory: impl AsRef<Path>) -> Result<(Self, Self), IdxError> {
        let directory = directory.as_ref();
        if !has(directory, &NAMES) && has_some(directory, &EMNIST_NAMES) {
            return Self::emnist(directory);
        }
        Self::in_four_files(directory, NAMES, classes_of)
    }

    /// The test images alone of a directory with the four files of [`idx`](Self::idx), or with the two of the test, of so many classes.
    ///
    /// # Errors
    ///
    /// As [`mnist`](Self::mnist).
    pub fn idx_test(directory: impl AsRef<Path>, classes: usize) -> Result<Self, IdxError> {
        let directory = directory.as_ref();
        let images = |[.., images, labels]: [&str; 4]| {
            read_images(&find(directory, images)?, &find(directory, labels)?, classes)
        };
        if !has(directory, &NAMES[2..]) && has_some(directory, &EMNIST_NAMES[2..]) {
            return Ok(images(EMNIST_NAMES)?.transposed());
        }
        images(NAMES)
    }

    fn in_four_files(
        directory: &Path,
        names: [&str; 4],
        classes: impl FnOnce(&Path) -> Result<usize, IdxError>,
    ) -> Result<(Self, Self), IdxError> {
        let [train, train_labels, test, test_labels] = names.map(|name| find(directory, name));
        // All four are found before the first is read.
        let (train, train_labels, test, test_labels) = (train?, train_labels?, test?, test_labels?);
        let classes = classes(&train_labels)?;
        let train = read_images(&train, &train_labels, classes)?;
        let other = read_images(&test, &test_labels, classes)?;
        if other.image_shape() != train.image_shape() {
            let [found, expected] = [&other, &train].map(|images| images.image_shape().to_vec());
            return Err(IdxError::File { path: test, problem: Problem::Shape { found, expected } });
        }
        Ok((train, other))
    }
}

/// Whether a directory has all four files of MNIST.
pub fn is_mnist(directory: &Path) -> bool {
    has(directory, &NAMES)
}

/// Whether a directory has all four files of EMNIST.
pub fn is_emnist(directory: &Path) -> bool {
    has(directory, &EMNIST_NAMES)
}

/// Whether a directory has four files as those of MNIST, or those of EMNIST: see [`Images::idx`].
pub fn is_idx(directory: &Path) -> bool {
    is_mnist(directory) || is_emnist(directory)
}

fn has(directory: &Path, names: &[&str]) -> bool {
    names.iter().all(|name| find(directory, name).is_ok())
}

fn has_some(directory: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| find(directory, name).is_ok())
}

/// As many classes as these labels need.
fn classes_of(labels: &Path) -> Result<usize, IdxError> {
    Ok(read(labels)?.values.iter().max().map_or(0, |&largest| usize::from(largest) + 1))
}

/// The names that a file may have.
fn known_names(name: &str) -> [String; 4] {
    let (dash, dot) = (format!("{name}-ubyte"), format!("{}-ubyte", name.replacen("-idx", ".idx", 1)));
    [dash.clone(), dot.clone(), dash + ".gz", dot + ".gz"]
}

fn find(directory: &Path, name: &str) -> Result<PathBuf, IdxError> {
    let names = known_names(name);
    let found = names.iter().map(|name| directory.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| IdxError::Missing { directory: directory.to_owned(), names: names.into() })
}

/// Writes images or labels as an IDX file, whole or not at all: see [`output::write`].
///
/// # Errors
///
/// [`IdxError`] with the path and what the system says, or if the axes do not fit the format or the values.
pub fn write(path: &Path, idx: &Idx) -> Result<(), IdxError> {
    let at = |problem| IdxError::File { path: path.to_owned(), problem };
    let overflow = || at(Problem::Overflow(idx.axes.clone()));
    let size = idx.axes.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis)).ok_or_else(overflow)?;
    match (idx.axes.clone(), idx.values.len()) {
        (axes, found) if found < size => return Err(at(Problem::Short { axes, size, found })),
        (axes, found) if found > size => return Err(at(Problem::Long { axes, size })),
        _ => {}
    }
    let rank = u8::try_from(idx.axes.len()).map_err(|_| overflow())?;
    let axes: Option<Vec<u32>> = idx.axes.iter().map(|&axis| u32::try_from(axis).ok()).collect();
    let axes = axes.ok_or_else(overflow)?;
    output::write(path, |file| {
        file.write_all(&[0, 0, BYTES, rank])?;
        axes.iter().try_for_each(|axis| file.write_all(&axis.to_be_bytes()))?;
        file.write_all(&idx.values)
    })
    .map_err(|error| at(Problem::Io(error)))
}

/// An IDX file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxError {
    /// Something is wrong with one file.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The two files do not fit each other.
    #[error("{} and {} do not fit each other", images.display(), labels.display())]
    Pair {
        /// The file of the images.
        images: PathBuf,
        /// The file of the labels.
        labels: PathBuf,
        /// Why.
        source: ImagesError,
    },
    /// One of the four files is missing.
    #[error("{} has none of {}: put the four files of the data set there", directory.display(), names.join(", "))]
    Missing {
        /// The directory.
        directory: PathBuf,
        /// The names that it may have.
        names: Vec<String>,
    },
}

/// What is wrong with an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The system cannot read or write it.
    #[error("the system reports {0}: check the path, its permissions and the free space")]
    Io(io::Error),
    /// There is no memory for what it holds.
    #[error("it holds more than the system has memory for: use a smaller file, or free some memory")]
    Memory,
    /// The compressed data is damaged.
    #[error("its gzip data is damaged ({0}): download the file again")]
    Gzip(io::Error),
    /// It is not an IDX file.
    #[error("it begins with {0:?}, not with the magic number of an IDX file: use another file")]
    Magic([u8; 4]),
    /// Values of another type than bytes.
    #[error("its values have type {0:#04x}, but only bytes (0x08) are supported: convert it")]
    Kind(u8),
    /// It ends within its header.
    #[error("it ends within its header: download the file again")]
    Header,
    /// More values than a computer or the format can count.
    #[error("the axes {0:?} are too long to count their values: the file is damaged; download it again")]
    Overflow(Vec<usize>),
    /// It holds less than its header says.
    #[error("its axes {axes:?} make {size} bytes, but it holds {found}: it is incomplete; download it again")]
    Short {
        /// The axes in the header.
        axes: Vec<usize>,
        /// The number of bytes of these axes.
        size: usize,
        /// The number of bytes in the file.
        found: usize,
    },
    /// It holds more than its header says.
    #[error("its axes {axes:?} make {size} bytes, but it holds more: the file is damaged; download it again")]
    Long {
        /// The axes in the header.
        axes: Vec<usize>,
        /// The number of bytes of these axes.
        size: usize,
    },
    /// Training and test images of different shapes.
    #[error(
        "its images are {found:?}, but the training images are {expected:?}: use the files of one data set"
    )]
    Shape {
        /// The axes of its images.
        found: Vec<usize>,
        /// The axes of the training images.
        expected: Vec<usize>,
    },
    /// Images instead of labels, or the reverse.
    #[error(
        "it has {found} axes instead of {expected} (images have 3, labels 1): have two files been exchanged?"
    )]
    Axes {
        /// The number of its axes.
        found: usize,
        /// The number expected.
        expected: usize,
    },
}

impl From<io::Error> for Problem {
    /// A decoder reports damaged data as one of the first kinds.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::OutOfMemory => Self::Memory,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Gzip(error)
            }
            _ => Self::Io(error),
        }
    }
}
