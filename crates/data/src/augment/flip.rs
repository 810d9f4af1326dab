//! Mirror images.

use chainrule_tensor::Rng;

use super::{AugmentError, Augmentation, Picture, check_setting};

/// Swaps left and right with this probability, often 0.5.
#[derive(Clone, Copy, Debug)]
pub struct HorizontalFlip(pub f64);

/// Swaps top and bottom with this probability.
#[derive(Clone, Copy, Debug)]
pub struct VerticalFlip(pub f64);

impl Augmentation for HorizontalFlip {
    fn check(&self) -> Result<(), AugmentError> {
        check_probability("HorizontalFlip", self.0)
    }

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        if rng.uniform() < self.0 {
            picture.values.chunks_exact_mut(picture.size[2]).for_each(<[f32]>::reverse);
        }
    }
}

impl Augmentation for VerticalFlip {
    fn check(&self) -> Result<(), AugmentError> {
        check_probability("VerticalFlip", self.0)
    }

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

fn check_probability(augmentation: &'static str, probability: f64) -> Result<(), AugmentError> {
    let allowed = (0.0..=1.0).contains(&probability);
    check_setting((augmentation, "probability"), probability, allowed, "from 0 to 1")
}
