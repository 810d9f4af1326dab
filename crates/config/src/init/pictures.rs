//! Configurations for folders of pictures.

use std::fs;
use std::path::Path;

use chainrule::pictures::{Colour, Folders, decode};

use super::network;
use super::text::{Suggestion, name_of, quoted_path};
use crate::error::ConfigError;
use crate::targets::MAX_CLASSES;

/// Pictures that are larger are brought to this height and width.
const SIDE: usize = 64;

/// Pictures up to this height and width keep it, if all have the same.
const LARGEST: usize = 96;

/// How many pictures are looked at, from all parts of the directory.
const LOOKED_AT: usize = 100;

pub(super) fn text(path: &Path, written: &Path) -> Result<String, ConfigError> {
    let found = Folders::find(path)?;
    let (count, classes) = (found.files.len(), found.classes.len());
    let wrong = |problem: String| ConfigError::Data { path: path.to_owned(), problem };
    if classes < 2 {
        return Err(wrong(
            "it has one folder, but pictures are told apart by their folders: add one for each class".into(),
        ));
    }
    if classes > MAX_CLASSES {
        return Err(wrong(format!(
            "it has {classes} folders, but a training takes up to {MAX_CLASSES} classes"
        )));
    }
    let mut sizes = Vec::new();
    let mut coloured = false;
    for (file, _) in found.files.iter().step_by(count.div_ceil(LOOKED_AT)) {
        let io = |source| ConfigError::Io { path: file.clone(), doing: "read", source };
        let picture = decode(file, &fs::read(file).map_err(io)?)?;
        coloured |= picture.color().has_color();
        sizes.push([picture.height() as usize, picture.width() as usize]);
    }
    let same = sizes.iter().all(|size| *size == sizes[0]);
    let small = same && sizes[0].iter().all(|&side| side <= LARGEST);
    let size = if small { sizes[0] } else { [SIDE, SIDE] };
    let colour = if coloured { Colour::Rgb } else { Colour::Grey };
    let fewest = (0..classes as u32)
        .map(|class| found.files.iter().filter(|(_, other)| *other == class).count())
        .min();
    let stratified = fewest.unwrap_or(0) >= 5;
    let batch_size = network::batch_size(count);
    let epochs = network::epochs(count, batch_size, 10).min(50);
    let [height, width] = size;
    let word = if colour == Colour::Grey { "grey" } else { "rgb" };
    let shown: Vec<&str> = found.classes.iter().take(10).map(String::as_str).collect();
    let more = if classes > 10 { ", ..." } else { "" };
    let suggestion = Suggestion {
        about: vec![format!(
            "{}: {count} pictures in {classes} folders: {}{more}.",
            name_of(path),
            shown.join(", ")
        )],
        epochs,
        batch_size,
        loss: Some(network::class_loss(classes)),
        outputs: Vec::new(),
        data: vec![
            format!("pictures = {}", quoted_path(written)),
            format!("size = [{height}, {width}]        # height and width that all are brought to"),
            format!("colour = \"{word}\"        # \"grey\", \"rgb\" or \"rgba\""),
            "resize = \"stretch\"     # pictures of other proportions; \"fill\" cuts off what is beyond"
                .to_owned(),
            "validation = 0.15      # a share of the pictures, or a directory of its own".to_owned(),
            "test = 0.15".to_owned(),
            if stratified {
                "split = \"stratified\"   # the same share of each class; or \"random\"".to_owned()
            } else {
                "split = \"random\"       # some class has few pictures; else \"stratified\" keeps the shares"
                    .to_owned()
            },
            "seed = 0               # of the split".to_owned(),
        ],
        preparation: Vec::new(),
        layers: network::convolutional(size, network::outputs(classes)),
        patience: network::patience(epochs),
    };
    Ok(suggestion.text())
}
