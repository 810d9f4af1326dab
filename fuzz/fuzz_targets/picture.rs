//! Pictures: the bytes of a PNG or JPEG file, and a folder with it as its only class, brought to a size and to channels that the first
//! byte chooses.
#![no_main]

use std::path::Path;

use chainrule_data::Dataset;
use chainrule_fuzz::only_file_in;
use chainrule_pictures::{Colour, PictureReader, Resize, decode};
use libfuzzer_sys::fuzz_target;

/// A picture of one colour may be a thousand times as large as its file, and resizing such ones is all that would be tried.
const LARGE: u32 = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, file)) = bytes.split_first() else { return };
    let Ok(picture) = decode(Path::new("picture.png"), file) else { return };
    assert!(picture.width() > 0 && picture.height() > 0);
    if picture.width().saturating_mul(picture.height()) > LARGE {
        return;
    }
    let colours = [None, Some(Colour::Grey), Some(Colour::Rgb), Some(Colour::Rgba)];
    let mut reader = PictureReader::new(only_file_in("pictures", "class/picture.png", file));
    if let Some(colour) = colours[usize::from(choice) % 4] {
        reader = reader.colour(colour);
    }
    let size = match choice >> 2 & 3 {
        0 => [picture.height() as usize, picture.width() as usize],
        _ => [7, 5],
    };
    reader = match choice >> 2 & 3 {
        0 => reader,
        1 => reader.size(7, 5),
        2 => reader.size(7, 5).resize(Resize::Fill),
        _ => reader.size(7, 5).resize(Resize::Stretch),
    };
    let pictures = reader.read().expect("what can be decoded can be brought to a size");
    let channels = pictures.shape()[0];
    assert_eq!(pictures.shape(), [channels, size[0], size[1]].into());
    assert_eq!(pictures.bytes(0).len(), channels * size[0] * size[1]);
});
