//! The maximum of each window.

use chainrule_core::{DescriptionError, Entry, Range, Settings, entry};
use chainrule_tensor::Real;
use chainrule_tensor::conv::pool2x2::{self, Planes};

use super::pool::Pool;
use super::pool_windows::{InputRows, PoolWindows, SlidingAxis};
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
            if let Some((axis, [inputs, outputs])) = windows.columns() {
                let mut rows = y.chunks_exact_mut(outputs).zip(indices.chunks_exact_mut(outputs));
                windows.each_row(|of| {
                    if let Some((y, indices)) = rows.next() {
                        row_maxima(axis, &of, x, inputs, y, indices);
                    }
                });
                continue;
            }
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
                move |dy, index| [0, 1, 2, 3].map(|i| if index == i { dy } else { T::zero() }),
            );
        }
        values.each_sample(windows, dx, |range, sample, dx| {
            self.add_gradient(windows, sample, &in_sample[range], dx);
        });
    }
}

/// The maxima of a row of windows, whose rows of inputs are `rows`, and the indices of the inputs that they were taken from.
///
/// All windows of a row are compared at the same position, position by position: the compiler makes vectors of them.
fn row_maxima<T: Real>(
    axis: SlidingAxis,
    rows: &InputRows<'_>,
    x: &[T],
    inputs: usize,
    y: &mut [T],
    indices: &mut [u32],
) {
    /// As many windows at a time.
    const PART: usize = 64;

    let SlidingAxis { kernel, stride, padding, dilation, .. } = axis;
    // The first of the windows whose input at a position is not before an index of the padded axis.
    let from = |index: usize, position: usize| index.saturating_sub(position * dilation).div_ceil(stride);
    for (part, (y, indices)) in y.chunks_mut(PART).zip(indices.chunks_mut(PART)).enumerate() {
        let (begin, end) = (part * PART, part * PART + y.len());
        let mut maxima = [T::zero(); PART];
        // Where in its window each is, as a number of the same type; none yet.
        let mut found = [-T::one(); PART];
        for (row, position) in
            (0..rows.len()).flat_map(|row| (0..kernel).map(move |position| (row, position)))
        {
            let (first, last) =
                (from(padding, position).max(begin), from(padding + inputs, position).min(end));
            if first >= last {
                continue;
            }
            let number = T::of((row * kernel + position) as f64);
            let x = &x[rows.start(row) + first * stride + position * dilation - padding..];
            let maxima = &mut maxima[first - begin..last - begin];
            let found = &mut found[first - begin..last - begin];
            match stride {
                1 => keep_maxima::<T, 1>(x, number, maxima, found),
                2 => keep_maxima::<T, 2>(x, number, maxima, found),
                _ => {
                    for ((x, maximum), found) in x.iter().step_by(stride).zip(maxima).zip(found) {
                        keep_maximum(*x, number, maximum, found);
                    }
                }
            }
        }
        let found = found.map(|found| found.as_f64() as usize);
        for (window, (y, index)) in y.iter_mut().zip(indices).enumerate() {
            let (row, position) = (found[window] / kernel, found[window] % kernel);
            *y = maxima[window];
            *index = (rows.start(row) + (begin + window) * stride + position * dilation - padding) as u32;
        }
    }
}

/// [`keep_maximum`] for windows that are `S` inputs apart.
fn keep_maxima<T: Real, const S: usize>(x: &[T], number: T, maxima: &mut [T], found: &mut [T]) {
    let x = &x[..(maxima.len() - 1) * S + 1];
    for (i, (maximum, found)) in maxima.iter_mut().zip(found).enumerate() {
        keep_maximum(x[i * S], number, maximum, found);
    }
}

/// Keeps the greater of a value and the maximum so far, with its number; NaN counts as greater than any number.
#[inline(always)]
fn keep_maximum<T: Real>(x: T, number: T, maximum: &mut T, found: &mut T) {
    let greater = (x > *maximum) | (x.is_nan() & !maximum.is_nan()) | (*found < T::zero());
    *maximum = if greater { x } else { *maximum };
    *found = if greater { number } else { *found };
}

/// The maximum of four and its index, the first of equal ones; NaN counts as greater than any number.
#[inline(always)]
fn maximum<T: Real>([a, b, c, d]: [T; 4]) -> (T, u8) {
    greater(greater((a, 0), (b, 1)), greater((c, 2), (d, 3)))
}

/// The greater of two values with their indices.
#[inline(always)]
fn greater<T: Real>(a: (T, u8), b: (T, u8)) -> (T, u8) {
    let greater = (b.0 > a.0) | (b.0.is_nan() & !a.0.is_nan());
    (if greater { b.0 } else { a.0 }, if greater { b.1 } else { a.1 })
}
