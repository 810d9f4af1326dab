//! Patches of an image as a sample, and back.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::correlation::{edit, read};
use super::lowering::{Lowering, tiles};
use super::settings::shape;
use super::window::{Geometry, Window, window};

/// The patches of an image that a sliding window shows ("im2col"), as PyTorch's `Unfold`: from `[channels, height, width]`,
/// or with another number of axes, to `[channels · places of the kernel, positions]`, with zeros outside of the image.
///
/// ```
/// use chainrule_core::{Layer, Plan};
/// use chainrule_layers::Unfold;
/// let (patches, _) = Layer::<f32>::plan(&Unfold::new([2, 3]), [3, 5, 5].into(), &mut Plan::new())?;
/// assert_eq!(patches, [3 * 2 * 3, 4 * 3].into());
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unfold<const N: usize> {
    window: Window<N>,
}

/// An image of this size from the patches that a sliding window shows, added up where they overlap ("col2im"), as
/// PyTorch's `Fold`: from `[channels · places of the kernel, positions]` to `[channels, height, width]`, or another number
/// of axes. It is the adjoint of [`Unfold`], not its inverse.
#[derive(Clone, Copy, Debug)]
pub struct Fold<const N: usize> {
    size: [usize; N],
    window: Window<N>,
}

window!(Unfold, window);
window!(Fold, window);

impl<const N: usize> Unfold<N> {
    /// The patches under a window of this size: `[3, 3]`, with a number for each axis.
    pub fn new(kernel: [usize; N]) -> Self {
        Self { window: Window::new(kernel) }
    }
}

impl<const N: usize> Fold<N> {
    /// An image of this size, `[28, 28]`, from the patches under a window of this size.
    pub fn new(size: [usize; N], kernel: [usize; N]) -> Self {
        Self { size, window: Window::new(kernel) }
    }
}

/// Where the patches of an image are.
#[derive(Clone, Debug)]
pub struct Patches<T: Real, const N: usize> {
    channels: usize,
    geometry: Geometry<N>,
    lowering: Lowering<N>,
    copies: [Buffer<T>; 2],
}

impl<T: Real, const N: usize> Default for Patches<T, N> {
    fn default() -> Self {
        Self::new(0, Geometry::default())
    }
}

impl<T: Real, const N: usize> Patches<T, N> {
    fn new(channels: usize, geometry: Geometry<N>) -> Self {
        let (lowering, copies) = (Lowering::default(), [Buffer::default(), Buffer::default()]);
        Self { channels, geometry, lowering, copies }
    }

    fn prepare(&mut self) {
        for tile in tiles(self.geometry.features, usize::MAX) {
            self.lowering.whole(&self.geometry, &tile, tile.columns);
        }
    }

    fn unfold(&mut self, image: ArrayView2<'_, T>, mut patches: ArrayViewMut2<'_, T>) {
        self.prepare();
        let Self { channels, lowering, copies: [from, to], .. } = self;
        for (image, patches) in image.rows().into_iter().zip(patches.rows_mut()) {
            edit(patches, to, |patches| {
                if lowering.clipped {
                    patches.fill(T::zero());
                }
                lowering.im2col(*channels, read(image, from), patches);
            });
        }
    }

    fn fold(&mut self, patches: ArrayView2<'_, T>, mut image: ArrayViewMut2<'_, T>) {
        self.prepare();
        let Self { channels, lowering, copies: [from, to], .. } = self;
        for (patches, image) in patches.rows().into_iter().zip(image.rows_mut()) {
            edit(image, to, |image| {
                image.fill(T::zero());
                lowering.col2im(*channels, read(patches, from), image);
            });
        }
    }
}

/// How many places the window has, and how many positions, if both can be counted.
fn count<const N: usize>(geometry: &Geometry<N>) -> Option<(usize, usize)> {
    Some((shape([], geometry.kernel)?.size(), shape([], geometry.features)?.size()))
}

impl<T: Real, const N: usize> Layer<T> for Unfold<N> {
    type Cache = Patches<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Patches<T, N>), ShapeError> {
        let (channels, image) = self.window.sample(input, plan)?;
        let geometry = self.window.over(image, input, plan)?;
        let patches = count(&geometry)
            .and_then(|(places, positions)| Shape::new(&[channels.checked_mul(places)?, positions]));
        let Some(output) = patches else {
            let help = "choose a smaller kernel, or less padding";
            return Err(plan.error(input, "samples whose patches can be counted", help));
        };
        Ok((output, Patches::new(channels, geometry)))
    }

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Patches<T, N>>) {
        cache.unfold(x, y); //               Y = P(X)
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, Patches<T, N>>) {
        if let Some(dx) = dx {
            cache.fold(dy, dx); //           dX = Σ of dY where patches overlap
        }
    }
}

impl<T: Real, const N: usize> Layer<T> for Fold<N> {
    type Cache = Patches<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Patches<T, N>), ShapeError> {
        let &[rows, columns] = &*input else {
            return Err(plan.error(
                input,
                "[channels · kernel, positions]",
                "put Unfold or Reshape before it",
            ));
        };
        let Some(image) = shape([1], self.size) else {
            return Err(plan.error(
                input,
                "patches of an image that can be counted",
                "choose a smaller image",
            ));
        };
        let (_, size) = self.window.sample(image, plan)?;
        let geometry = self.window.over(size, image, plan)?;
        let found =
            count(&geometry).filter(|&(places, positions)| rows % places == 0 && columns == positions);
        let output = found.and_then(|(places, _)| shape([rows / places], self.size)).filter(|_| rows > 0);
        let Some(output) = output else {
            let expected = match count(&geometry) {
                Some((places, positions)) => format!("[channels · {places}, {positions}]"),
                None => "patches that can be counted".to_owned(),
            };
            return Err(plan.error(
                input,
                &expected,
                "give it as many rows and columns, or another size or window",
            ));
        };
        Ok((output, Patches::new(output[0], geometry)))
    }

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Patches<T, N>>) {
        cache.fold(x, y); //                 Y = Σ of X where patches overlap
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, Patches<T, N>>) {
        if let Some(dx) = dx {
            cache.unfold(dy, dx); //         dX = P(dY)
        }
    }
}
