//! Samples of a data set, side by side in one picture.

use std::io::{self, Cursor};
use std::path::Path;

use chainrule_data::output;
use chainrule_tensor::Shape;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

/// The pixels between two pictures.
const GAP: usize = 2;

/// How bright they are.
const GROUND: u8 = 128;

/// The side, in pixels, to which small pictures are enlarged at least.
const MIN_SIDE: usize = 48;

/// The most pixels of a sheet.
const MAX_PIXELS: usize = 1 << 28;

/// A sheet of pictures of one size in rows, to be looked at: small ones are enlarged, pixel by pixel.
#[derive(Clone, Debug)]
pub struct Sheet {
    channels: usize,
    height: usize,
    width: usize,
    columns: usize,
    rows: usize,
    scale: usize,
    sheet: DynamicImage,
}

impl Sheet {
    /// A sheet of `rows` rows for `columns` pictures each, of this shape: `[height, width]` in grey, or `[channels, height, width]` with
    /// one channel (grey), or with red, green and blue first.
    ///
    /// # Errors
    ///
    /// [`SheetError`] if no picture has this shape, or the sheet would be too large.
    pub fn new(shape: impl Into<Shape>, rows: usize, columns: usize) -> Result<Self, SheetError> {
        let shape = shape.into();
        let (channels, height, width) = match *shape {
            [height, width] => (1, height, width),
            [channels, height, width] if channels != 2 => (channels, height, width),
            _ => return Err(SheetError::Shape { shape }),
        };
        if shape.size() == 0 || rows == 0 || columns == 0 {
            return Err(SheetError::Shape { shape });
        }
        let scale = MIN_SIDE.div_ceil(height.min(width));
        let side = |count: usize, length: usize| {
            length.checked_mul(scale)?.checked_add(GAP)?.checked_mul(count)?.checked_add(GAP)
        };
        let too_large = SheetError::TooLarge { shape, rows, columns };
        let (Some(down), Some(across)) = (side(rows, height), side(columns, width)) else {
            return Err(too_large);
        };
        if down.checked_mul(across).is_none_or(|pixels| pixels > MAX_PIXELS) {
            return Err(too_large);
        }
        let (across, down) = (across as u32, down as u32);
        let sheet = if channels == 1 {
            GrayImage::from_pixel(across, down, Luma([GROUND])).into()
        } else {
            RgbImage::from_pixel(across, down, Rgb([GROUND; 3])).into()
        };
        Ok(Self { channels, height, width, columns, rows, scale, sheet })
    }

    /// Puts a picture at this place: its bytes channel by channel, row by row. What has no place on the sheet, or other than this number
    /// of bytes, is left out.
    pub fn put(&mut self, row: usize, column: usize, bytes: &[u8]) {
        let &mut Self { channels, height, width, columns, rows, scale, .. } = self;
        let size = height * width;
        if row >= rows || column >= columns || bytes.len() != channels * size {
            return;
        }
        let left = GAP + column * (width * scale + GAP);
        let top = GAP + row * (height * scale + GAP);
        for y in 0..height * scale {
            for x in 0..width * scale {
                let pixel = y / scale * width + x / scale;
                let (to_x, to_y) = ((left + x) as u32, (top + y) as u32);
                match &mut self.sheet {
                    DynamicImage::ImageLuma8(sheet) => sheet.put_pixel(to_x, to_y, Luma([bytes[pixel]])),
                    DynamicImage::ImageRgb8(sheet) => {
                        let value = |channel: usize| bytes[channel * size + pixel];
                        sheet.put_pixel(to_x, to_y, Rgb([value(0), value(1), value(2)]));
                    }
                    _ => {}
                }
            }
        }
    }

    /// The sheet as a PNG file.
    ///
    /// # Errors
    ///
    /// That of the encoder, for which there may be no memory.
    pub fn png(&self) -> io::Result<Vec<u8>> {
        let mut png = Cursor::new(Vec::new());
        self.sheet.write_to(&mut png, ImageFormat::Png).map_err(io::Error::other)?;
        Ok(png.into_inner())
    }

    /// Writes the sheet to a PNG file, whole or not at all.
    ///
    /// # Errors
    ///
    /// The system's, or that of [`png`](Self::png).
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let png = self.png()?;
        output::write(path.as_ref(), |file| file.write_all(&png))
    }
}

/// A sheet that cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SheetError {
    /// Samples that are no pictures.
    #[error(
        "samples {shape} are no pictures: only [height, width] and [channels, height, width] can be drawn, with one channel or at least three, in at least one row and column"
    )]
    Shape {
        /// The shape of a sample.
        shape: Shape,
    },
    /// A sheet of too many pixels.
    #[error("{rows} rows of {columns} pictures {shape} are too large for a sheet: choose fewer")]
    TooLarge {
        /// The shape of a picture.
        shape: Shape,
        /// The number of rows.
        rows: usize,
        /// The number of columns.
        columns: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_where_they_are_put() {
        let mut sheet = Sheet::new([3, 2, 3], 2, 2).unwrap();
        let bytes: Vec<u8> = (0..18).collect();
        sheet.put(1, 0, &bytes);
        sheet.put(2, 0, &[255; 18]);
        sheet.put(0, 1, &[255; 17]);
        let read = image::load_from_memory(&sheet.png().unwrap()).unwrap().into_rgb8();
        // Enlarged 24 times: 48 by 72 pixels a picture.
        assert_eq!((read.width(), read.height()), (2 + 2 * (72 + 2), 2 + 2 * (48 + 2)));
        assert_eq!(read.get_pixel(2, 2), &Rgb([GROUND; 3]));
        assert_eq!(read.get_pixel(2, 52), &Rgb([0, 6, 12]));
        assert_eq!(read.get_pixel(2 + 25, 52), &Rgb([1, 7, 13]));
        assert_eq!(read.get_pixel(2 + 71, 52 + 47), &Rgb([5, 11, 17]));
        assert!(read.pixels().all(|pixel| pixel.0[0] != 255));
    }

    #[test]
    fn grey_pictures_stay_grey() {
        let mut sheet = Sheet::new([60, 60], 1, 1).unwrap();
        sheet.put(0, 0, &[7; 3600]);
        let read = image::load_from_memory(&sheet.png().unwrap()).unwrap();
        assert!(!read.color().has_color());
        assert_eq!((read.width(), read.into_luma8().get_pixel(30, 30).0[0]), (64, 7));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        for shape in [Shape::from([5]), [2, 4, 4].into(), [0, 4].into(), [1, 2, 3, 4].into()] {
            assert!(matches!(Sheet::new(shape, 1, 1), Err(SheetError::Shape { .. })), "{shape}");
        }
        assert!(matches!(Sheet::new([4, 4], 0, 1), Err(SheetError::Shape { .. })));
        for (rows, columns) in [(usize::MAX, 2), (1 << 14, 1 << 14)] {
            let error = Sheet::new([28, 28], rows, columns).unwrap_err();
            assert!(error.to_string().contains("too large"), "{error}");
        }
    }
}
