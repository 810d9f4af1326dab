//! The window that slides over an image: its settings, and the sizes that result from them.

use chainrule_core::{DescriptionError, Place, Plan, SettingValue, Settings, ShapeError, Value};
use chainrule_tensor::Shape;

/// How many zeros there are around an image of `N` axes.
///
/// Numbers convert to it: `2` is two zeros on every side, `[1, 2]` is one before and after the first axis and two before and
/// after the second, and `[[0, 1], [2, 2]]` has the number before and the number after each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const N: usize> {
    /// No zeros: the window stays within the image.
    Valid,
    /// As many as give an output of the size of the input divided by the stride, rounded up. If that is an odd number, there is
    /// one more after the image than before it, as in Keras and in PyTorch.
    Same,
    /// The number before and the number after each axis.
    Explicit([[usize; 2]; N]),
}

/// `valid`, `same`, or numbers as those that convert to it.
impl<const N: usize> SettingValue for Padding<N> {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        match value {
            Value::Text(word) if word == "valid" => Ok(Self::Valid),
            Value::Text(word) if word == "same" => Ok(Self::Same),
            Value::Text(_) => Err(place.wrong(value, "valid, same, or numbers of zeros")),
            numbers => SettingValue::from_value(numbers, place).map(Self::Explicit),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Valid => "valid".into(),
            Self::Same => "same".into(),
            Self::Explicit(zeros) => zeros.to_value(),
        }
    }
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

/// A window with `kernel` positions along each axis, `dilation` apart, that moves by `stride`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlidingWindow<const N: usize> {
    pub(super) kernel: [usize; N],
    pub(super) stride: [usize; N],
    pub(super) padding: Padding<N>,
    pub(super) dilation: [usize; N],
}

/// The settings of a window, as methods of the layer whose field it is.
macro_rules! window {
    ($layer:ident, $($field:ident).+) => {
        impl<const N: usize> $layer<N> {
            /// How far the window moves between two outputs, 1 by default.
            #[must_use]
            pub fn stride(mut self, stride: impl crate::axes::Axes<N>) -> Self {
                self.$($field).+.stride = stride.axes();
                self
            }

            /// The number of zeros around the image, none by default.
            #[must_use]
            pub fn padding(mut self, padding: impl Into<super::window::Padding<N>>) -> Self {
                self.$($field).+.padding = padding.into();
                self
            }

            /// The distance between neighbouring positions of the window, 1 by default.
            #[must_use]
            pub fn dilation(mut self, dilation: impl crate::axes::Axes<N>) -> Self {
                self.$($field).+.dilation = dilation.axes();
                self
            }
        }
    };
}
pub(super) use window;

/// A window over an image of one size: along each axis, position `k` of the window for the output `o` is index
/// `o * stride + k * dilation - before` of the image.
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

/// `[channels, height, width]`, or the same for another number of axes.
fn axes<const N: usize>() -> String {
    let names: &[&str] = match N {
        1 => &["length"],
        2 => &["height", "width"],
        _ => &["depth", "height", "width"],
    };
    format!("[channels, {}]", names.join(", "))
}

impl<const N: usize> SlidingWindow<N> {
    /// The window of the settings of a layer.
    pub(super) fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            kernel: settings.get("kernel")?,
            stride: settings.get("stride")?,
            padding: settings.get("padding")?,
            dilation: settings.get("dilation")?,
        })
    }

    /// The values of these settings, in this order.
    pub(super) fn values(&self) -> [Value; 4] {
        let Self { kernel, stride, padding, dilation } = self;
        [kernel.to_value(), stride.to_value(), padding.to_value(), dilation.to_value()]
    }

    pub(super) fn new(kernel: [usize; N]) -> Self {
        const { assert!(N >= 1 && N <= 3, "images have one, two or three axes") };
        Self { kernel, stride: [1; N], padding: Padding::Valid, dilation: [1; N] }
    }

    /// The number of channels and the size of an image.
    pub(super) fn sample(&self, input: Shape, plan: &Plan) -> Result<(usize, [usize; N]), ShapeError> {
        let Some((&channels, size)) = input.split_first().filter(|_| input.len() == N + 1) else {
            let help = "put Reshape before it, or use the layer for that number of axes";
            return Err(plan.error(input, &axes::<N>(), help));
        };
        if input.size() == 0 {
            let expected = format!("{} without zeros", axes::<N>());
            return Err(plan.error(input, &expected, "use larger samples"));
        }
        let settings = [self.kernel, self.stride, self.dilation];
        if settings.iter().any(|setting| setting.contains(&0)) {
            let help = "set kernel, stride and dilation to at least 1";
            let needed = "a kernel, a stride and a dilation of at least 1";
            return Err(plan.setting_error(input, needed, help));
        }
        Ok((channels, std::array::from_fn(|axis| size[axis])))
    }

    /// The extent of the window along an axis, `dilation * (kernel - 1) + 1`, unless that overflows.
    fn extent(&self, axis: usize) -> Option<usize> {
        self.dilation[axis].checked_mul(self.kernel[axis] - 1)?.checked_add(1)
    }

    /// Along an axis, the zeros before the image and the number of features,
    /// `(size + before + after - extent) / stride + 1`, if the window fits into the image.
    fn features(&self, axis: usize, size: usize) -> Option<(usize, usize)> {
        let (extent, stride) = (self.extent(axis)?, self.stride[axis]);
        let [before, after] = match self.padding {
            Padding::Valid => [0, 0],
            Padding::Explicit(zeros) => zeros[axis],
            Padding::Same => {
                let covered = ((size - 1) / stride * stride).checked_add(extent)?;
                let zeros = covered.saturating_sub(size);
                [zeros / 2, zeros - zeros / 2]
            }
        };
        let range = size.checked_add(before)?.checked_add(after)?.checked_sub(extent)?;
        Some((before, range / stride + 1))
    }

    /// Along an axis, the zeros before the image and its size, for a number of features:
    /// `(features - 1) * stride + extent - before - after + extra`, or `features * stride + extra` for [`Padding::Same`].
    fn image(&self, axis: usize, features: usize, extra: usize) -> Option<(usize, usize)> {
        let (extent, stride) = (self.extent(axis)?, self.stride[axis]);
        let covered = (features - 1).checked_mul(stride)?.checked_add(extent)?;
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
        Some((before, size.checked_add(extra)?)).filter(|&(_, size)| size > 0)
    }

    /// The geometry for an image of this size.
    pub(super) fn for_image(
        &self,
        image: [usize; N],
        input: Shape,
        plan: &Plan,
    ) -> Result<Geometry<N>, ShapeError> {
        let mut geometry = Geometry { image, ..self.geometry() };
        for (axis, size) in image.into_iter().enumerate() {
            let Some((before, features)) = self.features(axis, size) else {
                let expected = format!("{} at least as large as the window", axes::<N>());
                let help = "choose a smaller kernel or dilation, or more padding";
                return Err(plan.error(input, &expected, help));
            };
            (geometry.before[axis], geometry.features[axis]) = (before, features);
        }
        Ok(geometry)
    }

    /// The geometry for features of this size, with an image that is larger by `extra` than necessary.
    pub(super) fn for_features(
        &self,
        features: [usize; N],
        extra: [usize; N],
        input: Shape,
        plan: &Plan,
    ) -> Result<Geometry<N>, ShapeError> {
        let mut geometry = Geometry { features, ..self.geometry() };
        for axis in 0..N {
            let Some((before, image)) = self.image(axis, features[axis], extra[axis]) else {
                let expected = format!("{} of which padding leaves something", axes::<N>());
                let help = "choose less padding, or a larger kernel or stride";
                return Err(plan.error(input, &expected, help));
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
