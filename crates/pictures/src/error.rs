//! Pictures that cannot be read.

use std::io;
use std::path::PathBuf;

/// Pictures that cannot be read: which, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// A file or directory cannot be read.
    #[error("{} cannot be read: check the path and its permissions", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A directory without classes.
    #[error("{} has no folders: put the pictures of each class into a folder of its own there, named after the class", path.display())]
    NoClasses {
        /// The directory.
        path: PathBuf,
    },
    /// A class without pictures.
    #[error("{} has no PNG or JPEG files: put the pictures of this class there, or remove the folder", path.display())]
    EmptyClass {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is no picture.
    #[error("{} is neither PNG nor JPEG: convert it, or remove it", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// A damaged picture.
    #[error("{} cannot be decoded: copy it again, or remove it", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<image::ImageError>,
    },
    /// A picture that takes far more memory than its file.
    #[error("{} claims {} by {} pixels, too many for its bytes: convert it if it is to be trusted", path.display(), size[0], size[1])]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its height and width.
        size: [u32; 2],
    },
    /// A picture of another size.
    #[error(
        "{} has {} by {} pixels, but the first picture has {} by {}: give a `size` to which pictures are brought, or `resize`",
        path.display(), found[0], found[1], expected[0], expected[1]
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Its height and width.
        found: [usize; 2],
        /// Those of the others.
        expected: [usize; 2],
    },
    /// A size that no picture has.
    #[error("pictures of {} by {} pixels cannot be: both sides must be from 1 to 32768", size[0], size[1])]
    Setting {
        /// The height and width.
        size: [usize; 2],
    },
    /// There is no memory for the pictures.
    #[error(
        "{pictures} pictures of {bytes} bytes each need more memory than there is: choose a smaller size, or fewer pictures"
    )]
    Memory {
        /// How many.
        pictures: usize,
        /// The bytes of one.
        bytes: usize,
    },
}
