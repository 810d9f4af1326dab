//! A random part of a padded picture.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Rng;

use super::{Augmentation, Picture};

/// Pads the picture with this many zeros on every side, and cuts a part of its old size out of it, at a random position: the usual
/// change of CIFAR's pictures, with 4 (He et al. 2015).
#[derive(Clone, Copy, Debug)]
pub struct PadAndCrop(pub usize);

describe! {
    /// A part of the picture with a border of zeros, of the old size and at a random position.
    PadAndCrop = "pad_and_crop";
    aliases ["random_crop"];
    source "He et al. 2015";
    settings {
        /// The width of the border in pixels.
        0 as "pixels" ("padding"): 4, Range::between(0.0, 32_768.0, "from 0 to 32768");
    }
}

impl Augmentation for PadAndCrop {
    described!(check);

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        let [_, height, width] = picture.size;
        let mut draw = || rng.below(2 * self.0 + 1) as isize - self.0 as isize;
        let (down, right) = (draw(), draw());
        picture.rewrite(|from, to| {
            for (row, to) in to.chunks_exact_mut(width).enumerate() {
                let source = row.checked_add_signed(down).filter(|&row| row < height);
                for (column, to) in to.iter_mut().enumerate() {
                    let column = column.checked_add_signed(right).filter(|&column| column < width);
                    *to = source.zip(column).map_or(0.0, |(row, column)| from[row * width + column]);
                }
            }
        });
    }
}
