//! Images as sequences of patches.

use chainrule_core::{Backward, Forward, Layer, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::{Buffer, Real, Shape};

use crate::contiguous::{contiguous, write_contiguous};

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
    fn each(self, ImageShape { channels, height, width }: ImageShape, mut copy: impl FnMut(usize, usize)) {
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

/// The shape of the images.
#[derive(Clone, Copy, Debug, Default)]
struct ImageShape {
    channels: usize,
    height: usize,
    width: usize,
}

impl ImageShape {
    fn size(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// The cache of [`Patches`]: the shape of the images.
#[derive(Clone, Debug, Default)]
pub struct PatchesCache<T: Real> {
    images: ImageShape,
    /// Copies of strided batches.
    copies: [Buffer<T>; 2],
}

impl<T: Real> Layer<T> for Patches {
    type Cache = PatchesCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, PatchesCache<T>), ShapeError> {
        let size = self.size;
        plan.at_least_one(size, "a size", input)?;
        match *input {
            [channels, height, width] if input.size() > 0 && height % size == 0 && width % size == 0 => {
                let patches = height / size * (width / size);
                let values = channels * size * size;
                let images = ImageShape { channels, height, width };
                Ok((Shape::from([patches, values]), PatchesCache { images, ..Default::default() }))
            }
            _ => {
                let expected =
                    format!("images [channels, height, width] that divide into patches of {size} x {size}");
                Err(plan.error(input, &expected, "choose a size that divides both, or pad the image"))
            }
        }
    }

    described!();

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let PatchesCache { images, copies: [x_copy, y_copy] } = cache;
        let size = self.size;
        let x = contiguous(x, x_copy);
        write_contiguous(y, y_copy, |y| {
            for (x, y) in x.chunks_exact(images.size()).zip(y.chunks_exact_mut(images.size())) {
                self.each(*images, |image, sequence| {
                    y[sequence..sequence + size].copy_from_slice(&x[image..image + size]);
                });
            }
        });
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, Self::Cache>) {
        let Some(dx) = dx else { return };
        let PatchesCache { images, copies: [dy_copy, dx_copy] } = cache;
        let size = self.size;
        let dy = contiguous(dy, dy_copy);
        write_contiguous(dx, dx_copy, |dx| {
            for (dy, dx) in dy.chunks_exact(images.size()).zip(dx.chunks_exact_mut(images.size())) {
                self.each(*images, |image, sequence| {
                    dx[image..image + size].copy_from_slice(&dy[sequence..sequence + size]);
                });
            }
        });
    }
}
