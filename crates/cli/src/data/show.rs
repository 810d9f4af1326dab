//! `chainrule data show`: samples of a data set as a picture.

use std::error::Error;
use std::path::{Path, PathBuf};

use chainrule::data::{Format, Images, Manifest, cifar, idx};
use chainrule::pictures::{PictureReader, Pictures, Resize, Sheet};
use chainrule::prelude::*;
use chainrule_cli::{dataset, terminal};
use clap::Args;

use super::download::named;

/// The side of pictures of a folder on a sheet, which may all have different sizes.
const SIDE: usize = 96;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The name of a data set (see `chainrule data list`), or a directory: with the four files of MNIST, with those of CIFAR, or with a
    /// folder of PNG and JPEG files for each class.
    data: String,
    /// The picture, a PNG file [default: the name of the data with .png].
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// How many samples of each class are shown.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    columns: u32,
    /// Show the test samples instead of those for training.
    #[arg(long)]
    test: bool,
    /// The directory of a data set's files [default: CHAINRULE_DATA, else the cache, else a download].
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

/// Pictures with their classes.
struct Shown {
    pictures: Box<dyn Gallery>,
    classes: Vec<String>,
}

/// What a sheet needs of a data set.
trait Gallery {
    fn shape(&self) -> Shape;
    /// The class of each picture.
    fn labels(&self) -> Vec<usize>;
    fn bytes(&self, index: usize) -> &[u8];
}

impl Gallery for Images {
    fn shape(&self) -> Shape {
        self.image_shape()
    }

    fn labels(&self) -> Vec<usize> {
        Images::labels(self).iter().map(|&label| label.into()).collect()
    }

    fn bytes(&self, index: usize) -> &[u8] {
        self.pixels(index)
    }
}

impl Gallery for Pictures {
    fn shape(&self) -> Shape {
        Dataset::shape(self)
    }

    fn labels(&self) -> Vec<usize> {
        Pictures::labels(self).iter().map(|&label| label as usize).collect()
    }

    fn bytes(&self, index: usize) -> &[u8] {
        Pictures::bytes(self, index)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Shown { pictures, classes } = find(arguments)?;
    let columns = arguments.columns as usize;
    let labels = pictures.labels();
    let mut sheet = Sheet::new(pictures.shape(), classes.len(), columns)?;
    let mut counts = vec![0; classes.len()];
    for (index, &label) in labels.iter().enumerate() {
        let column = counts[label];
        counts[label] += 1;
        if column < columns {
            sheet.put(label, column, pictures.bytes(index));
        }
    }
    let default = || {
        PathBuf::from(Path::new(&arguments.data).file_name().unwrap_or("samples".as_ref()))
            .with_extension("png")
    };
    let out = arguments.out.clone().unwrap_or_else(default);
    sheet.save(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    for (row, (class, count)) in classes.iter().zip(&counts).enumerate() {
        terminal::print(format_args!("row {:<3} {count:>7} of {class}", row + 1))?;
    }
    terminal::note(format_args!(
        "{} pictures {}; the sheet is {}",
        labels.len(),
        pictures.shape(),
        out.display()
    ));
    Ok(())
}

fn find(arguments: &Arguments) -> Result<Shown, Box<dyn Error>> {
    let directory = Path::new(&arguments.data);
    let part = |(train, test): (Images, Images)| if arguments.test { test } else { train };
    if !directory.is_dir() {
        let manifest = named(&arguments.data)?;
        if manifest.format == Format::Table {
            return Err(dataset::no_pictures(&manifest).into());
        }
        let found = dataset::find_or_download(&manifest, arguments.data_dir.as_deref())?;
        let images = part(dataset::images(&manifest, &found)?);
        let Manifest { classes, .. } = manifest;
        return Ok(of_images(images, classes));
    }
    if idx::is_idx(directory) {
        return Ok(of_images(part(Images::idx(directory)?), Vec::new()));
    }
    if cifar::is_cifar(directory) {
        return Ok(of_images(part(Images::cifar(directory)?), Vec::new()));
    }
    if arguments.test {
        return Err(
            format!("{} has no test pictures of its own: leave out --test", directory.display()).into()
        );
    }
    let pictures = PictureReader::new(directory).size(SIDE, SIDE).resize(Resize::Fill).read()?;
    let classes = pictures.class_names().to_vec();
    Ok(Shown { pictures: Box::new(pictures), classes })
}

/// Images, whose classes have these names, or else their numbers.
fn of_images(images: Images, names: Vec<String>) -> Shown {
    let number = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let classes = (0..images.classes()).map(number).collect();
    Shown { pictures: Box::new(images), classes }
}
