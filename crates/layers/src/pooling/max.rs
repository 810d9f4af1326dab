//! The maximum of each window.

use chainrule_core::{DescriptionError, Entry, Range, Settings, entry};
use chainrule_tensor::Real;
use chainrule_tensor::conv::pool2x2::{self, Planes};

use super::pool::Pool;
use super::pool_windows::PoolWindows;
use super::rule::{AdaptiveRule, MaxIndices, PoolRule, PoolValues};
use crate::axes::Axes;
use crate::axes::NameOfAxes;

/// `y = max x` over each window: the rule of [`MaxPool2d`] and its relatives. Backward, all of `dy` goes to the maximum input, the
/// first of equal ones, as in PyTorch. NaN counts as greater than any number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Max;

/// Maximum pooling of `[channels, length]`.
pub type MaxPool1d = Pool<Max, 1>;
/// Maximum pooling of `[channels, height, width]`.
///
/// ```
/// use chainrule_core::{Layer, Plan};
/// use chainrule_layers::MaxPool2d;
/// let pooling = MaxPool2d::new(3).stride(2).padding(1);
/// let (output, _) = Layer::<f32>::plan(&pooling, [8, 28, 28].into(), &mut Plan::new())?;
/// assert_eq!(output, [8, 14, 14].into());
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
pub type MaxPool2d = Pool<Max, 2>;
/// Maximum pooling of `[channels, depth, height, width]`.
pub type MaxPool3d = Pool<Max, 3>;

impl<const N: usize> Pool<Max, N> {
    /// A pooling with windows of this size: one number for all axes, or one for each.
    pub fn new(kernel: impl Axes<N>) -> Self {
        Self::with(Max, kernel)
    }
}

impl AdaptiveRule for Max {
    const ADAPTIVE: Entry = entry! {
        /// The maximum of each window, of so many windows that the output has a given size.
        AdaptiveMaxPool = "adaptive_max_pool";
        settings {
            /// The size of the output: one number, or one for each axis.
            output ("output_size"): required, Range::AT_LEAST_ONE;
        }
    };
    const ADAPTIVE_NAMES: [NameOfAxes; 3] = [
        ("AdaptiveMaxPool1d", "adaptive_max_pool1d", &["adaptive_max_pooling1d"]),
        ("AdaptiveMaxPool2d", "adaptive_max_pool2d", &["adaptive_max_pooling2d"]),
        ("AdaptiveMaxPool3d", "adaptive_max_pool3d", &["adaptive_max_pooling3d"]),
    ];
    const GLOBAL: Entry = entry! {
        /// The maximum of each channel.
        GlobalMaxPool = "global_max_pool";
        aliases ["global_max_pool1d", "global_max_pool2d", "global_max_pool3d", "global_max_pooling1d", "global_max_pooling2d", "global_max_pooling3d"];
    };
}

impl PoolRule for Max {
    const INDEXED: bool = true;
    const NAME: &'static str = "Max";
    const ENTRY: Entry = entry! {
        /// The maximum of each window.
        MaxPool = "max_pool";
        formula "y = max x";
        settings {
            /// The size of a window: one number, or one for each axis.
            kernel ("kernel_size", "pool_size"): required, Range::AT_LEAST_ONE;
            /// The distance between windows; by default their size.
            stride ("strides"): none, Range::AT_LEAST_ONE;
            /// The padding before and after each axis.
            padding: 0;
            /// The distance between neighbouring positions of a window.
            dilation: 1, Range::AT_LEAST_ONE;
            /// Whether a last window that is not full has an output.
            ceil ("ceil_mode"): false;
        }
    };
    const NAMES: [NameOfAxes; 3] = [
        ("MaxPool1d", "max_pool1d", &["max_pooling1d"]),
        ("MaxPool2d", "max_pool2d", &["max_pooling2d"]),
        ("MaxPool3d", "max_pool3d", &["max_pooling3d"]),
    ];

    fn from_settings(_: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self)
    }

    fn forward<T: Real>(self, windows: &PoolWindows, x: &[T], y: &mut [T], indices: &mut MaxIndices) {
        let MaxIndices { in_sample, in_square } = indices;
        if let Some([height, width]) = windows.squares() {
            let in_square = &mut in_square[..y.len()];
            return pool2x2::forward(Planes { height, width }, x, y, in_square, maximum);
        }
        let samples = x.chunks_exact(windows.inputs()).zip(y.chunks_exact_mut(windows.outputs()));
        for ((x, y), indices) in samples.zip(in_sample.chunks_exact_mut(windows.outputs())) {
            windows.each_maximum(
                |input| x[input],
                |output, index, maximum| {
                    y[output] = maximum;
                    indices[output] = index as u32;
                },
            );
        }
    }

    fn add_gradient<T: Real, S: Real>(
        self,
        _: &PoolWindows,
        PoolValues { dy, .. }: PoolValues<'_, T>,
        indices: &[u32],
        dx: &mut [S],
    ) {
        for (&index, &dy) in indices.iter().zip(dy) {
            dx[index as usize] += S::of(dy.as_f64());
        }
    }

    fn backward<T: Real>(
        self,
        windows: &PoolWindows,
        values: PoolValues<'_, T>,
        indices: &MaxIndices,
        dx: &mut [T],
    ) {
        let PoolValues { dy, .. } = values;
        let MaxIndices { in_sample, in_square } = indices;
        if let Some([height, width]) = windows.squares() {
            return pool2x2::backward(
                Planes { height, width },
                dy,
                &in_square[..dy.len()],
                dx,
                #[inline(always)]
                move |dy, index| {
                    let mut square = [T::zero(); 4];
                    for i in 0..4 {
                        square[i as usize] = if index == i { dy } else { T::zero() };
                    }
                    square
                },
            );
        }
        values.each_sample(windows, dx, |range, sample, dx| {
            self.add_gradient(windows, sample, &in_sample[range], dx);
        });
    }
}

/// The maximum of four and its index, the first of equal ones; NaN counts as greater than any number.
#[inline(always)]
fn maximum<T: Real>([a, b, c, d]: [T; 4]) -> (T, u8) {
    greater(greater((a, 0), (b, 1)), greater((c, 2), (d, 3)))
}

/// The greater of two values with their indices.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "one comparison, also of NaN")]
fn greater<T: Real>(a: (T, u8), b: (T, u8)) -> (T, u8) {
    let greater = !(b.0 <= a.0) & !a.0.is_nan();
    (if greater { b.0 } else { a.0 }, if greater { b.1 } else { a.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_ones_and_nan_before_every_number() {
        let nan = f32::NAN;
        for (square, index) in [
            ([1.0, 2.0, 0.0, -1.0], 1),
            ([0.0, 1.0, 3.0, 2.0], 2),
            ([2.0, 2.0, 2.0, 2.0], 0),
            ([0.0, 2.0, 2.0, 1.0], 1),
            ([-0.0, 0.0, 0.0, -0.0], 0),
            ([nan, 1.0, nan, 2.0], 0),
            ([1.0, nan, nan, f32::INFINITY], 1),
            ([1.0, 2.0, nan, 3.0], 2),
            ([1.0, 2.0, 3.0, nan], 3),
        ] {
            let (value, found) = maximum(square);
            assert_eq!(usize::from(found), index, "{square:?}");
            assert_eq!(value.to_bits(), square[index].to_bits(), "{square:?}");
        }
    }
}
