//! From the bytes of a file to pixels.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, imageops::FilterType};

use crate::colour::Colour;
use crate::error::PictureError;
use crate::reader::Resize;

/// The largest height or width, in pixels.
const MAX_SIDE: u32 = 1 << 15;

/// However small a file is, its picture may take this many bytes.
const ALWAYS_ALLOWED: u64 = 64 << 20;

/// A picture may take this many times the bytes of its file: pictures of one colour are compressed by some hundred times.
const MAX_EXPANSION: u64 = 1000;

/// Decodes the bytes of a file, PNG or JPEG by its first bytes, whatever its name, and turns the picture as its camera was held;
/// `path` is for errors.
///
/// # Errors
///
/// [`PictureError`] if it is neither, is damaged, or claims to be so large that it is not believed.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let damaged = |source| PictureError::Decode { path: path.to_owned(), source: Box::new(source) };
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| PictureError::Io { path: path.to_owned(), source })?;
    if reader.format().is_none() {
        return Err(PictureError::Format { path: path.to_owned() });
    }
    let limit = (bytes.len() as u64).saturating_mul(MAX_EXPANSION).max(ALWAYS_ALLOWED);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(limit);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    if decoder.total_bytes() > limit {
        let (width, height) = decoder.dimensions();
        return Err(PictureError::TooLarge { path: path.to_owned(), size: [height, width] });
    }
    // Where there is no word of it, or none that can be read, it is upright.
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    orientation.into_iter().for_each(|orientation| picture.apply_orientation(orientation));
    Ok(picture)
}

/// The values of a picture of this size, channel by channel; `None` if it has another and may not be resized.
pub(crate) fn planes(
    picture: DynamicImage,
    colour: Colour,
    [height, width]: [usize; 2],
    resize: Resize,
) -> Option<Vec<u8>> {
    let (to_width, to_height) = (width as u32, height as u32);
    let picture = if (picture.height(), picture.width()) == (to_height, to_width) {
        picture
    } else {
        match resize {
            Resize::Refuse => return None,
            Resize::Stretch => picture.resize_exact(to_width, to_height, FilterType::Triangle),
            Resize::Fill => picture.resize_to_fill(to_width, to_height, FilterType::Triangle),
        }
    };
    let pixels = colour.bytes(picture);
    let channels = colour.channels();
    if channels == 1 {
        return Some(pixels);
    }
    let mut planes = Vec::with_capacity(pixels.len());
    (0..channels).for_each(|channel| planes.extend(pixels.iter().skip(channel).step_by(channels)));
    Some(planes)
}
