//! Folders of pictures, from files to samples.

use std::fs;
use std::path::Path;

use chainrule_data::{Dataset, Samples};
use chainrule_pictures::{Colour, PictureError, PictureReader, Pictures, Resize, decode};
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba, RgbaImage};

/// A directory with these files, each a class and a name with a picture.
fn directory(files: &[(&str, &str, DynamicImage)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (class, name, picture) in files {
        fs::create_dir_all(directory.path().join(class)).unwrap();
        picture.save(directory.path().join(class).join(name)).unwrap();
    }
    directory
}

fn plain(height: u32, width: u32, value: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb(value)).into()
}

fn read(pictures: &Pictures, index: usize) -> (u32, Vec<f32>) {
    let mut row = vec![f32::NAN; pictures.shape().size()];
    let class = pictures.read(index, &mut row);
    (class, row)
}

#[test]
fn classes_and_files_are_sorted_by_their_bytes() {
    let picture = |value| plain(2, 3, [value; 3]);
    let directory = directory(&[
        ("zebra", "b.png", picture(1)),
        ("zebra", "B.PNG", picture(2)),
        ("Ape", "10.png", picture(3)),
        ("Ape", "9.png", picture(4)),
        ("élan", "x.jpeg", picture(5)),
    ]);
    fs::write(directory.path().join("Ape/notes.txt"), "no picture").unwrap();
    fs::write(directory.path().join("list.csv"), "no class").unwrap();
    fs::create_dir(directory.path().join(".hidden")).unwrap();
    let pictures = PictureReader::new(directory.path()).read().unwrap();
    assert_eq!(pictures.class_names(), ["Ape", "zebra", "élan"]);
    assert_eq!(pictures.labels(), [0, 0, 1, 1, 2]);
    let names: Vec<_> =
        pictures.files().iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["10.png", "9.png", "B.PNG", "b.png", "x.jpeg"]);
    assert_eq!(
        (pictures.shape(), pictures.len(), Dataset::classes(&pictures)),
        ([3, 2, 3].into(), 5, Some(3))
    );
    assert_eq!(pictures.bytes(1), [4; 18]);
    assert_eq!(read(&pictures, 2), (1, vec![2.0 / 255.0; 18]));
    let mut part = [0.0f32; 2];
    assert_eq!((pictures.read_part(3, 4..6, &mut part, &mut []), part), (1, [1.0 / 255.0; 2]));
}

#[test]
fn channels_come_one_after_the_other() {
    let mut picture = RgbImage::new(2, 1);
    picture.put_pixel(0, 0, Rgb([10, 20, 30]));
    picture.put_pixel(1, 0, Rgb([40, 50, 60]));
    let directory = directory(&[("a", "1.png", picture.into())]);
    let reader = PictureReader::new(directory.path());
    assert_eq!(reader.read().unwrap().bytes(0), [10, 40, 20, 50, 30, 60]);
    let grey = reader.clone().colour(Colour::Grey).read().unwrap();
    // 0.2126 R + 0.7152 G + 0.0722 B.
    assert_eq!((grey.shape(), grey.bytes(0)), ([1, 1, 2].into(), &[19, 49][..]));
    let all = reader.colour(Colour::Rgba).read().unwrap();
    assert_eq!(all.bytes(0), [10, 40, 20, 50, 30, 60, 255, 255]);
}

#[test]
fn every_kind_of_file() {
    let wide: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(4, 4, Luma([0x8080]));
    let wide_colour: ImageBuffer<Rgba<u16>, Vec<u16>> =
        ImageBuffer::from_pixel(4, 4, Rgba([0x8080, 0, 0xFFFF, 9]));
    let directory = directory(&[
        ("a", "1 grey.png", GrayImage::from_pixel(4, 4, Luma([77])).into()),
        ("a", "2 alpha.png", RgbaImage::from_pixel(4, 4, Rgba([1, 2, 3, 0])).into()),
        ("a", "3 sixteen.png", wide.into()),
        ("a", "4 sixteen.png", wide_colour.into()),
        ("a", "5 photo.jpg", plain(4, 4, [200, 200, 200])),
    ]);
    let pictures = PictureReader::new(directory.path()).colour(Colour::Rgb).read().unwrap();
    let first: Vec<[u8; 3]> = (0..5).map(|index| [0, 16, 32].map(|at| pictures.bytes(index)[at])).collect();
    assert_eq!(first[..4], [[77; 3], [1, 2, 3], [128; 3], [128, 0, 255]]);
    assert!(first[4].iter().all(|value| value.abs_diff(200) <= 2), "{first:?}");
    // The first is grey, and so are all if nothing else is said.
    assert_eq!(PictureReader::new(directory.path()).read().unwrap().shape(), [1, 4, 4].into());
}

#[test]
fn photographs_are_turned_as_the_camera_was_held() {
    let mut bytes = Vec::new();
    plain(16, 32, [90; 3]).write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
    // A note after the beginning of the file: turn by a quarter.
    let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let length = (2 + 6 + tiff.len() as u16).to_be_bytes();
    let note = [&[0xFF, 0xE1][..], &length, b"Exif\0\0", tiff].concat();
    bytes.splice(2..2, note);
    let picture = decode(Path::new("photo.jpg"), &bytes).unwrap();
    assert_eq!((picture.height(), picture.width()), (32, 16));
}

#[test]
fn pictures_of_other_sizes() {
    let mut halves = RgbImage::from_pixel(8, 4, Rgb([0; 3]));
    (4..8).for_each(|x| (0..4).for_each(|y| halves.put_pixel(x, y, Rgb([200; 3]))));
    let directory = directory(&[("a", "1.png", plain(4, 4, [9; 3])), ("a", "2.png", halves.into())]);
    let reader = PictureReader::new(directory.path());
    let error = reader.read().unwrap_err();
    assert!(matches!(error, PictureError::Size { found: [4, 8], expected: [4, 4], .. }), "{error}");
    assert!(error.to_string().contains("2.png") && error.to_string().contains("resize"), "{error}");
    let stretched = reader.clone().size(2, 2).read().unwrap();
    assert_eq!(stretched.bytes(0), [9; 12]);
    let row = &stretched.bytes(1)[..4];
    assert!(row[0] < 40 && row[1] > 160 && row[2] == row[0], "{row:?}");
    let filled = reader.clone().size(4, 4).resize(Resize::Fill).read().unwrap();
    // The middle of the wide one.
    assert_eq!(filled.bytes(1)[..4], [0, 0, 200, 200]);
    let error = reader.size(0, 4).read().unwrap_err();
    assert!(matches!(error, PictureError::Setting { size: [0, 4] }), "{error}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let read = |path: &Path| PictureReader::new(path).read().unwrap_err();
    assert!(matches!(read(empty.path()), PictureError::NoClasses { .. }));
    assert!(matches!(read(&empty.path().join("none")), PictureError::Io { .. }));
    fs::create_dir(empty.path().join("a")).unwrap();
    assert!(matches!(read(empty.path()), PictureError::EmptyClass { .. }));
    let file = empty.path().join("a/1.png");
    fs::write(&file, "text").unwrap();
    assert!(matches!(read(empty.path()), PictureError::Format { .. }));
    plain(20, 20, [7, 8, 9]).save(&file).unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 30]).unwrap();
    let error = read(empty.path());
    assert!(matches!(error, PictureError::Decode { .. }) && error.to_string().contains("1.png"), "{error}");
}

#[test]
fn a_small_file_makes_no_large_picture() {
    let path = Path::new("large.png");
    let mut bytes = Vec::new();
    plain(4, 4, [1; 3]).write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    // The width and height in the header, with its checksum.
    let claim = |side: u32| {
        let mut bytes = bytes.clone();
        bytes[16..20].copy_from_slice(&side.to_be_bytes());
        bytes[20..24].copy_from_slice(&side.to_be_bytes());
        let crc = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    };
    assert!(decode(path, &claim(4)).is_ok());
    for side in [1 << 14, 1 << 15, 1 << 20, u32::MAX >> 1] {
        let error = decode(path, &claim(side)).unwrap_err();
        assert!(
            matches!(error, PictureError::TooLarge { .. } | PictureError::Decode { .. }),
            "{side}: {error}"
        );
    }
}

/// The checksum of a part of a PNG.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}
