//! Mirror images.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Rng;

use super::{Augmentation, Picture};

/// Swaps left and right with this probability, often 0.5.
#[derive(Clone, Copy, Debug)]
pub struct HorizontalFlip(pub f64);

/// Swaps top and bottom with this probability.
#[derive(Clone, Copy, Debug)]
pub struct VerticalFlip(pub f64);

describe! {
    /// Left and right are swapped.
    HorizontalFlip = "horizontal_flip";
    aliases ["flip", "random_horizontal_flip"];
    settings {
        /// The probability that it happens to a picture.
        0 as "probability" ("p"): 0.5, Range::UNIT;
    }
}

impl Augmentation for HorizontalFlip {
    described!(check);

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        if rng.uniform() < self.0 {
            picture.values.chunks_exact_mut(picture.size[2]).for_each(<[f32]>::reverse);
        }
    }
}

describe! {
    /// Top and bottom are swapped.
    VerticalFlip = "vertical_flip";
    aliases ["random_vertical_flip"];
    settings {
        /// The probability that it happens to a picture.
        0 as "probability" ("p"): 0.5, Range::UNIT;
    }
}

impl Augmentation for VerticalFlip {
    described!(check);

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        if rng.uniform() < self.0 {
            let width = picture.size[2];
            picture.rewrite(|from, to| {
                let rows = from.chunks_exact(width).rev();
                to.chunks_exact_mut(width).zip(rows).for_each(|(to, from)| to.copy_from_slice(from));
            });
        }
    }
}
