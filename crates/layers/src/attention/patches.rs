//! Images as sequences of patches.

use chainrule_core::{Backward, Forward, Layer, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};
use ndarray::s;

/// Cuts images into patches (Dosovitskiy et al. 2021, "ViT"): samples `[channels, height, width]` become
/// `[height / size * width / size, channels * size * size]`.
///
/// Patches are in row-major order, and each is a flattened `[channels, size, size]`: a dense layer over the steps is then a
/// convolution with this kernel size and stride.
#[derive(Clone, Copy, Debug)]
pub struct Patches {
    size: usize,
}

describe! {
    /// The square patches of an image as a sequence.
    Patches = "patches";
    source "Dosovitskiy et al. 2020";
    settings {
        /// The height and width of a patch.
        size ("patch_size"): required, Range::AT_LEAST_ONE;
    }
}

impl Patches {
    /// Square patches of this height and width.
    pub fn new(size: usize) -> Self {
        Self { size }
    }

    /// Calls `copy` for every row of every patch with its start in the image and its start in the sequence.
    fn each(
        self,
        PatchesCache { channels, height, width }: PatchesCache,
        mut copy: impl FnMut(usize, usize),
    ) {
        let size = self.size;
        let mut start = 0;
        for top in (0..height).step_by(size) {
            for left in (0..width).step_by(size) {
                for channel in 0..channels {
                    for row in top..top + size {
                        copy((channel * height + row) * width + left, start);
                        start += size;
                    }
                }
            }
        }
    }
}

/// The cache of [`Patches`]: the shape of the images.
#[derive(Clone, Copy, Debug, Default)]
pub struct PatchesCache {
    channels: usize,
    height: usize,
    width: usize,
}

impl<T: Real> Layer<T> for Patches {
    type Cache = PatchesCache;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, PatchesCache), ShapeError> {
        let size = self.size;
        plan.at_least_one(size, "a size", input)?;
        match *input {
            [channels, height, width] if input.size() > 0 && height % size == 0 && width % size == 0 => {
                let patches = height / size * (width / size);
                let values = channels * size * size;
                Ok((Shape::from([patches, values]), PatchesCache { channels, height, width }))
            }
            _ => {
                let expected =
                    format!("images [channels, height, width] that divide into patches of {size} x {size}");
                Err(plan.error(input, &expected, "choose a size that divides both, or pad the image"))
            }
        }
    }

    described!();

    fn forward(&self, Forward { x, mut y, cache, .. }: Forward<'_, T, PatchesCache>) {
        let size = self.size;
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            self.each(*cache, |image, sequence| {
                y.slice_mut(s![sequence..sequence + size]).assign(&x.slice(s![image..image + size]));
            });
        }
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, PatchesCache>) {
        let Some(mut dx) = dx else { return };
        let size = self.size;
        for (dy, mut dx) in dy.rows().into_iter().zip(dx.rows_mut()) {
            self.each(*cache, |image, sequence| {
                dx.slice_mut(s![image..image + size]).assign(&dy.slice(s![sequence..sequence + size]));
            });
        }
    }
}
