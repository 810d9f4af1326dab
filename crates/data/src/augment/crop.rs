//! A random part of a padded picture.

use chainrule_tensor::Rng;

use super::{Augmentation, Picture};

/// Pads the picture with this many zeros on every side, and cuts a part of its old size out of it, at a random position: the usual
/// change of CIFAR's pictures, with 4 (He et al. 2015).
#[derive(Clone, Copy, Debug)]
pub struct PadAndCrop(pub usize);

impl Augmentation for PadAndCrop {
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
