//! The window that slides over an image: its settings, and the sizes that follow from them.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::Shape;

/// How many zeros there are around an image of `N` axes.
///
/// It is made of numbers too: `2` is two zeros on every side, `[1, 2]` one before and after the first axis and two
/// before and after the second, and `[[0, 1], [2, 2]]` tells how many are before and how many after each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const N: usize> {
    /// None: the window stays within the image.
    Valid,
    /// As many as make the output as large as the input divided by the stride, rounded up. If that is an odd number, one
    /// more is after the image than before it, as in Keras and in PyTorch.
    Same,
    /// So many before and after each axis.
    Explicit([[usize; 2]; N]),
}

impl<const N: usize> From<usize> for Padding<N> {
    fn from(zeros: usize) -> Self {
        Self::Explicit([[zeros; 2]; N])
    }
}

impl<const N: usize> From<[usize; N]> for Padding<N> {
    fn from(zeros: [usize; N]) -> Self {
        Self::Explicit(zeros.map(|zeros| [zeros; 2]))
    }
}

impl<const N: usize> From<[[usize; 2]; N]> for Padding<N> {
    fn from(zeros: [[usize; 2]; N]) -> Self {
        Self::Explicit(zeros)
    }
}

/// A window of `kernel` places for each axis, `dilation` apart, that moves on by `stride`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<const N: usize> {
    pub(super) kernel: [usize; N],
    pub(super) stride: [usize; N],
    pub(super) padding: Padding<N>,
    pub(super) dilation: [usize; N],
}

/// The settings of a window, as methods of the layer whose field it is.
macro_rules! window {
    ($layer:ident, $($field:ident).+) => {
        impl<const N: usize> $layer<N> {
            /// How far the window moves from one position to the next, 1 by default.
            #[must_use]
            pub fn stride(mut self, stride: impl crate::Axes<N>) -> Self {
                self.$($field).+.stride = stride.axes();
                self
            }

            /// How many zeros are around the image, none by default.
            #[must_use]
            pub fn padding(mut self, padding: impl Into<crate::Padding<N>>) -> Self {
                self.$($field).+.padding = padding.into();
                self
            }

            /// How far the places of the window are from each other, 1 by default.
            #[must_use]
            pub fn dilation(mut self, dilation: impl crate::Axes<N>) -> Self {
                self.$($field).+.dilation = dilation.axes();
                self
            }
        }
    };
}
pub(super) use window;

/// Where a window lies in an image, for one size of it: place `k` of the window at position `o` of the features is
/// at `o * stride + k * dilation - before` of the image, for each axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry<const N: usize> {
    pub(super) image: [usize; N],
    pub(super) features: [usize; N],
    pub(super) kernel: [usize; N],
    pub(super) stride: [usize; N],
    pub(super) dilation: [usize; N],
    pub(super) before: [usize; N],
}

impl<const N: usize> Default for Geometry<N> {
    fn default() -> Self {
        let [image, features, kernel, stride, dilation, before] = [[0; N]; 6];
        Self { image, features, kernel, stride, dilation, before }
    }
}

/// `[channels, height, width]`, or what it is for another number of axes.
fn axes<const N: usize>() -> String {
    let names: &[&str] = match N {
        1 => &["length"],
        2 => &["height", "width"],
        _ => &["depth", "height", "width"],
    };
    format!("[channels, {}]", names.join(", "))
}

impl<const N: usize> Window<N> {
    pub(super) fn new(kernel: [usize; N]) -> Self {
        const { assert!(N >= 1 && N <= 3, "images have one, two or three axes") };
        Self { kernel, stride: [1; N], padding: Padding::Valid, dilation: [1; N] }
    }

    /// The channels and the size of an image.
    pub(super) fn sample(&self, input: Shape, plan: &Plan) -> Result<(usize, [usize; N]), ShapeError> {
        let Some((&channels, size)) = input.split_first().filter(|_| input.len() == N + 1) else {
            let help = "put Reshape before it, or choose the layer for that many axes";
            return Err(plan.error(input, &axes::<N>(), help));
        };
        if input.size() == 0 {
            return Err(plan.error(
                input,
                &format!("{} without zeros", axes::<N>()),
                "give it larger samples",
            ));
        }
        let settings = [self.kernel, self.stride, self.dilation];
        if settings.iter().any(|setting| setting.contains(&0)) {
            let help = "kernel, stride and dilation are at least 1";
            return Err(plan.error(input, &axes::<N>(), help));
        }
        Ok((channels, std::array::from_fn(|axis| size[axis])))
    }

    /// How far the window reaches along an axis, `dilation * (kernel - 1) + 1`, unless it is beyond counting.
    fn reach(&self, axis: usize) -> Option<usize> {
        self.dilation[axis].checked_mul(self.kernel[axis] - 1)?.checked_add(1)
    }

    /// Along an axis, the zeros before the image and the number of features,
    /// `(size + before + after - reach) / stride + 1`, if the window fits into the image.
    fn features(&self, axis: usize, size: usize) -> Option<(usize, usize)> {
        let (reach, stride) = (self.reach(axis)?, self.stride[axis]);
        let [before, after] = match self.padding {
            Padding::Valid => [0, 0],
            Padding::Explicit(zeros) => zeros[axis],
            Padding::Same => {
                let covered = ((size - 1) / stride * stride).checked_add(reach)?;
                let zeros = covered.saturating_sub(size);
                [zeros / 2, zeros - zeros / 2]
            }
        };
        let room = size.checked_add(before)?.checked_add(after)?.checked_sub(reach)?;
        Some((before, room / stride + 1))
    }

    /// Along an axis, the zeros around the image and its size, for a number of features:
    /// `(features - 1) * stride + reach - before - after + more`, or `features * stride + more` if it is to be the same.
    fn image(&self, axis: usize, features: usize, more: usize) -> Option<(usize, usize)> {
        let (reach, stride) = (self.reach(axis)?, self.stride[axis]);
        let covered = (features - 1).checked_mul(stride)?.checked_add(reach)?;
        let (before, size) = match self.padding {
            Padding::Valid => (0, covered),
            Padding::Explicit(zeros) => {
                let [before, after] = zeros[axis];
                (before, covered.checked_sub(before.checked_add(after)?)?)
            }
            Padding::Same => {
                let size = features.checked_mul(stride)?;
                (covered.saturating_sub(size) / 2, size)
            }
        };
        Some((before, size.checked_add(more)?)).filter(|&(_, size)| size > 0)
    }

    /// The geometry over an image of this size.
    pub(super) fn over(
        &self,
        image: [usize; N],
        input: Shape,
        plan: &Plan,
    ) -> Result<Geometry<N>, ShapeError> {
        let mut geometry = Geometry { image, ..self.geometry() };
        for (axis, size) in image.into_iter().enumerate() {
            let Some((before, features)) = self.features(axis, size) else {
                let expected = format!("{} at least as large as the window", axes::<N>());
                return Err(plan.error(
                    input,
                    &expected,
                    "choose a smaller kernel or dilation, or more padding",
                ));
            };
            (geometry.before[axis], geometry.features[axis]) = (before, features);
        }
        Ok(geometry)
    }

    /// The geometry whose features have this size, of an image that is larger by `more` than it has to be.
    pub(super) fn under(
        &self,
        features: [usize; N],
        more: [usize; N],
        input: Shape,
        plan: &Plan,
    ) -> Result<Geometry<N>, ShapeError> {
        let mut geometry = Geometry { features, ..self.geometry() };
        for axis in 0..N {
            let Some((before, image)) = self.image(axis, features[axis], more[axis]) else {
                let expected = format!("{} that padding leaves something of", axes::<N>());
                return Err(plan.error(
                    input,
                    &expected,
                    "choose less padding, or a larger kernel or stride",
                ));
            };
            (geometry.before[axis], geometry.image[axis]) = (before, image);
        }
        Ok(geometry)
    }

    fn geometry(&self) -> Geometry<N> {
        let Self { kernel, stride, dilation, .. } = *self;
        Geometry { kernel, stride, dilation, ..Geometry::default() }
    }
}
