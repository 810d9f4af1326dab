//! A square that is hidden.

use chainrule_tensor::Rng;

use super::{Augmentation, Picture};

/// Sets a square with sides of this many pixels to 0, in all channels; its middle is anywhere in the picture, so that a part of it may
/// be outside (DeVries and Taylor 2017).
#[derive(Clone, Copy, Debug)]
pub struct Cutout(pub usize);

impl Augmentation for Cutout {
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
