//! Pictures as data for the script, which draws them.

use serde::Serialize;

use crate::escape;
use crate::report::Thumbnail;

/// What the script is told of a picture.
#[derive(Serialize)]
struct DrawnThumbnail<'a> {
    width: usize,
    /// Two hexadecimal digits for each pixel.
    pixels: String,
    signed: bool,
    caption: &'a str,
}

/// Pictures with their captions, as a list that the script fills. Those without pixels, or whose rows are not full, are left out.
pub(crate) fn gallery(id: &str, pictures: &[Thumbnail]) -> String {
    let is_whole = |picture: &&Thumbnail| {
        !picture.pixels.is_empty() && picture.width > 0 && picture.pixels.len().is_multiple_of(picture.width)
    };
    let drawn: Vec<_> = pictures
        .iter()
        .filter(is_whole)
        .map(|Thumbnail { width, pixels, caption, signed }| DrawnThumbnail {
            width: *width,
            pixels: pixels.iter().map(|pixel| format!("{pixel:02x}")).collect(),
            signed: *signed,
            caption,
        })
        .collect();
    let data = escape::json(&drawn);
    format!(
        "<ul class=\"gallery\" data-pictures=\"{id}\"></ul><script type=\"application/json\" id=\"{id}\">{data}</script>"
    )
}
