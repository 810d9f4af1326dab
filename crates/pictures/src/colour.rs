//! The channels of a picture.

use image::DynamicImage;

/// What the channels of a picture are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Colour {
    /// One: the luminance, `0.2126 R + 0.7152 G + 0.0722 B`.
    Grey,
    /// Red, green and blue. How transparent a pixel is does not count.
    Rgb,
    /// Red, green, blue, and how opaque a pixel is.
    Rgba,
}

impl Colour {
    /// How many there are.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    /// Grey if a picture is, else red, green and blue.
    pub(crate) fn of(picture: &DynamicImage) -> Self {
        if picture.color().has_color() { Self::Rgb } else { Self::Grey }
    }

    /// The bytes of a picture, pixel by pixel; 16 bits are rounded to 8.
    pub(crate) fn bytes(self, picture: DynamicImage) -> Vec<u8> {
        match self {
            Self::Grey => picture.into_luma8().into_raw(),
            Self::Rgb => picture.into_rgb8().into_raw(),
            Self::Rgba => picture.into_rgba8().into_raw(),
        }
    }
}
