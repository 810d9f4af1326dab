//! An image as a sequence.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};
use ndarray::s;

/// Cuts images into patches (Dosovitskiy et al. 2021, "ViT"): samples `[channels, height, width]` become
/// `[height / size * width / size, channels * size * size]`.
///
/// Patches go row by row over the image, and a patch is `[channels, size, size]`, flattened: a dense layer over the steps
/// is then a convolution with this kernel and this stride.
#[derive(Clone, Copy, Debug)]
pub struct Patches {
    size: usize,
}

impl Patches {
    /// Square patches of this height and width.
    pub fn new(size: usize) -> Self {
        Self { size }
    }

    /// Hands every row of every patch to `copy`: where it lies in the image, and where in the sequence.
    fn each(self, Image { channels, height, width }: Image, mut copy: impl FnMut(usize, usize)) {
        let (size, mut place) = (self.size, 0);
        for top in (0..height).step_by(size) {
            for left in (0..width).step_by(size) {
                for channel in 0..channels {
                    for row in top..top + size {
                        copy((channel * height + row) * width + left, place);
                        place += size;
                    }
                }
            }
        }
    }
}

/// The shape of the images that [`Patches`] were planned for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Image {
    channels: usize,
    height: usize,
    width: usize,
}

impl<T: Real> Layer<T> for Patches {
    type Cache = Image;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Image), ShapeError> {
        let size = self.size;
        match *input {
            [channels, height, width]
                if size > 0 && input.size() > 0 && height % size == 0 && width % size == 0 =>
            {
                let (patches, values) = (height / size * (width / size), channels * size * size);
                Ok((Shape::from([patches, values]), Image { channels, height, width }))
            }
            _ => {
                let expected =
                    format!("images [channels, height, width] of whole patches of {size} x {size}");
                Err(plan.error(input, &expected, "choose a size that divides both, or pad the image"))
            }
        }
    }

    fn forward(&self, Forward { x, mut y, cache, .. }: Forward<'_, T, Image>) {
        let size = self.size;
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            self.each(*cache, |there, here| {
                y.slice_mut(s![here..here + size]).assign(&x.slice(s![there..there + size]));
            });
        }
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, Image>) {
        let (Some(mut dx), size) = (dx, self.size) else { return };
        for (dy, mut dx) in dy.rows().into_iter().zip(dx.rows_mut()) {
            self.each(*cache, |there, here| {
                dx.slice_mut(s![there..there + size]).assign(&dy.slice(s![here..here + size]));
            });
        }
    }
}
