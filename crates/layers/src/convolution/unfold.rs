//! The patches of an image as a sample, and the image of patches.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Layer, Plan, Range, SettingValue, Settings,
    ShapeError, Value, described, entry,
};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::cache::try_shape;
use super::channels::{contiguous_row, edit_row};
use super::patches::{PatchLayout, tiles};
use super::window::{Geometry, SlidingWindow, window};
use crate::axes::entry_of_axes;

/// The patches of an image under a sliding window ("im2col"), as PyTorch's `Unfold`: from `[channels, height, width]`, or another
/// number of axes, to `[channels · kernel size, positions]`, with zeros outside of the image.
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
    window: SlidingWindow<N>,
}

impl<const N: usize> Described for Unfold<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// The patches of an image under a sliding window.
            Unfold = "unfold";
            settings {
                /// The size of the window: one number, or one for each axis.
                kernel ("kernel_size"): required, Range::AT_LEAST_ONE;
                /// How far the window moves between two outputs.
                stride ("strides"): 1, Range::AT_LEAST_ONE;
                /// The zeros around the image: `valid` for none, `same`, or numbers.
                padding: valid;
                /// The distance between neighbouring positions of the window.
                dilation ("dilation_rate"): 1, Range::AT_LEAST_ONE;
            }
        },
        &[
            ("Unfold1d", "unfold1d", &[]),
            ("Unfold2d", "unfold2d", &["unfold"]),
            ("Unfold3d", "unfold3d", &[]),
        ],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self { window: SlidingWindow::from_settings(settings)? })
    }

    fn setting_values(&self) -> Vec<Value> {
        self.window.values().into()
    }
}

/// An image from its patches under a sliding window, added up where they overlap ("col2im"), as PyTorch's `Fold`: from
/// `[channels · kernel size, positions]` to `[channels, height, width]`, or another number of axes. It is the adjoint of [`Unfold`], not its inverse.
#[derive(Clone, Copy, Debug)]
pub struct Fold<const N: usize> {
    size: [usize; N],
    window: SlidingWindow<N>,
}

impl<const N: usize> Described for Fold<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// An image from its patches under a sliding window, added up where they overlap.
            Fold = "fold";
            settings {
                /// The size of the image: one number, or one for each axis.
                size ("output_size"): required, Range::AT_LEAST_ONE;
                /// The size of the window: one number, or one for each axis.
                kernel ("kernel_size"): required, Range::AT_LEAST_ONE;
                /// How far the window moves between two outputs.
                stride ("strides"): 1, Range::AT_LEAST_ONE;
                /// The zeros around the image: `valid` for none, `same`, or numbers.
                padding: valid;
                /// The distance between neighbouring positions of the window.
                dilation ("dilation_rate"): 1, Range::AT_LEAST_ONE;
            }
        },
        &[("Fold1d", "fold1d", &[]), ("Fold2d", "fold2d", &["fold"]), ("Fold3d", "fold3d", &[])],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self { size: settings.get("size")?, window: SlidingWindow::from_settings(settings)? })
    }

    fn setting_values(&self) -> Vec<Value> {
        [vec![self.size.to_value()], self.window.values().into()].concat()
    }
}

window!(Unfold, window);
window!(Fold, window);

impl<const N: usize> Unfold<N> {
    /// The patches under a window of this size: `[3, 3]`, with a number for each axis.
    pub fn new(kernel: [usize; N]) -> Self {
        Self { window: SlidingWindow::new(kernel) }
    }
}

impl<const N: usize> Fold<N> {
    /// An image of this size, `[28, 28]`, from the patches under a window of this size.
    pub fn new(size: [usize; N], kernel: [usize; N]) -> Self {
        Self { size, window: SlidingWindow::new(kernel) }
    }
}

/// The cache of [`Unfold`] and [`Fold`].
#[derive(Clone, Debug)]
pub struct UnfoldCache<T: Real, const N: usize> {
    channels: usize,
    geometry: Geometry<N>,
    layout: PatchLayout<N>,
    copies: [Buffer<T>; 2],
}

impl<T: Real, const N: usize> Default for UnfoldCache<T, N> {
    fn default() -> Self {
        Self::new(0, Geometry::default())
    }
}

impl<T: Real, const N: usize> UnfoldCache<T, N> {
    fn new(channels: usize, geometry: Geometry<N>) -> Self {
        let layout = PatchLayout::default();
        let copies = [Buffer::default(), Buffer::default()];
        Self { channels, geometry, layout, copies }
    }

    fn prepare(&mut self) {
        for tile in tiles(self.geometry.features, usize::MAX) {
            self.layout.separate_rows(&self.geometry, &tile, tile.columns);
        }
    }

    fn unfold(&mut self, image: ArrayView2<'_, T>, mut patches: ArrayViewMut2<'_, T>) {
        self.prepare();
        let Self { channels, layout, copies: [from, to], .. } = self;
        for (image, patches) in image.rows().into_iter().zip(patches.rows_mut()) {
            edit_row(patches, to, |patches| {
                if layout.clipped {
                    patches.fill(T::zero());
                }
                layout.im2col(*channels, contiguous_row(image, from), patches);
            });
        }
    }

    fn fold(&mut self, patches: ArrayView2<'_, T>, mut image: ArrayViewMut2<'_, T>) {
        self.prepare();
        let Self { channels, layout, copies: [from, to], .. } = self;
        for (patches, image) in patches.rows().into_iter().zip(image.rows_mut()) {
            edit_row(image, to, |image| {
                image.fill(T::zero());
                layout.col2im(*channels, contiguous_row(patches, from), image);
            });
        }
    }
}

/// The sizes of the kernel and of the features, if neither overflows.
fn sizes<const N: usize>(geometry: &Geometry<N>) -> Option<(usize, usize)> {
    Some((try_shape([], geometry.kernel)?.size(), try_shape([], geometry.features)?.size()))
}

impl<T: Real, const N: usize> Layer<T> for Unfold<N> {
    type Cache = UnfoldCache<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, UnfoldCache<T, N>), ShapeError> {
        let (channels, image) = self.window.sample(input, plan)?;
        let geometry = self.window.for_image(image, input, plan)?;
        let patches = sizes(&geometry)
            .and_then(|(kernel, positions)| Shape::new(&[channels.checked_mul(kernel)?, positions]));
        let Some(output) = patches else {
            let help = "choose a smaller kernel, or less padding";
            return Err(plan.error(input, "samples for which the number of patches does not overflow", help));
        };
        Ok((output, UnfoldCache::new(channels, geometry)))
    }

    described!();

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, UnfoldCache<T, N>>) {
        cache.unfold(x, y); //               Y = P(X)
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, UnfoldCache<T, N>>) {
        if let Some(dx) = dx {
            cache.fold(dy, dx); //           dX = Σ of dY where patches overlap
        }
    }
}

impl<T: Real, const N: usize> Layer<T> for Fold<N> {
    type Cache = UnfoldCache<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, UnfoldCache<T, N>), ShapeError> {
        let &[rows, columns] = &*input else {
            return Err(plan.error(
                input,
                "[channels · kernel, positions]",
                "put Unfold or Reshape before it",
            ));
        };
        let Some(image) = try_shape([1], self.size) else {
            return Err(plan.error(
                input,
                "patches of an image whose size does not overflow",
                "choose a smaller image",
            ));
        };
        let (_, size) = self.window.sample(image, plan)?;
        let geometry = self.window.for_image(size, image, plan)?;
        let found =
            sizes(&geometry).filter(|&(kernel, positions)| rows % kernel == 0 && columns == positions);
        let output = found.and_then(|(kernel, _)| try_shape([rows / kernel], self.size)).filter(|_| rows > 0);
        let Some(output) = output else {
            let expected = match sizes(&geometry) {
                Some((kernel, positions)) => format!("[channels · {kernel}, {positions}]"),
                None => "patches whose number does not overflow".to_owned(),
            };
            return Err(plan.error(
                input,
                &expected,
                "give it that number of rows and columns, or set another size or window",
            ));
        };
        Ok((output, UnfoldCache::new(output[0], geometry)))
    }

    described!();

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, UnfoldCache<T, N>>) {
        cache.fold(x, y); //                 Y = Σ of X where patches overlap
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, UnfoldCache<T, N>>) {
        if let Some(dx) = dx {
            cache.unfold(dy, dx); //         dX = P(dY)
        }
    }
}
