//! A square that is hidden.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Rng;

use super::{Augmentation, Picture};

/// Sets a square with sides of this many pixels to 0, in all channels; its middle is anywhere in the picture, so that a part of it may
/// be outside (DeVries and Taylor 2017).
#[derive(Clone, Copy, Debug)]
pub struct Cutout(pub usize);

describe! {
    /// A square of the picture is 0, anywhere.
    Cutout = "cutout";
    aliases ["random_erasing"];
    source "DeVries and Taylor 2017";
    settings {
        /// The side of the square in pixels.
        0 as "pixels" ("side", "length"): required, Range::between(0.0, 32_768.0, "from 0 to 32768");
    }
}

impl Augmentation for Cutout {
    described!(check);

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        let [_, height, width] = picture.size;
        let mut draw = |len: usize| {
            let first = rng.below(len) as isize - (self.0 / 2) as isize;
            let end = first.saturating_add_unsigned(self.0).max(0) as usize;
            first.max(0) as usize..end.min(len)
        };
        let (rows, columns) = (draw(height), draw(width));
        for plane in picture.values.chunks_exact_mut(height * width) {
            for row in rows.clone() {
                plane[row * width..][columns.clone()].fill(0.0);
            }
        }
    }
}
