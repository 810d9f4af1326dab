//! Which inputs each output of a pooling depends on.

use std::sync::{Arc, OnceLock};

use chainrule_tensor::{Real, Shape, vector};

/// The inputs along one axis that one output depends on: `start`, `start + step`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: usize,
    count: usize,
    step: usize,
    /// The size of the window along this axis, including the padding.
    padded_count: usize,
}

/// The windows of a pooling over samples of one shape.
#[derive(Clone, Debug, Default)]
pub struct PoolWindows {
    channels: usize,
    /// Depth, height and width; a missing one is 1.
    input: [usize; 3],
    /// The number of outputs along each axis, and how its windows are placed.
    counts: [usize; 3],
    axes: [AxisWindows; 3],
    /// For each axis, the span of every output. They are made in the first pass, since an axis can be longer than fits into memory,
    /// and all copies share them.
    spans: Arc<OnceLock<[Vec<Span>; 3]>>,
    /// Whether the windows are adjacent squares of two by two.
    squares: bool,
}

/// The windows along one axis.
#[derive(Clone, Copy, Debug, Default)]
enum AxisWindows {
    /// Parts of the axis of nearly the same size.
    #[default]
    Parts,
    Sliding(SlidingAxis),
}

impl AxisWindows {
    /// The span of one of this number of outputs, for an axis of this size.
    fn span(self, size: usize, outputs: usize, output: usize) -> Option<Span> {
        match self {
            Self::Parts => Some(part(size, outputs, output)),
            Self::Sliding(axis) => axis.span(size, output),
        }
    }
}

/// Windows that slide along one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlidingAxis {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    pub(super) dilation: usize,
    /// Whether a last window that is not full counts.
    pub(super) ceil: bool,
}

impl SlidingAxis {
    /// The number of windows along an axis of this size, by the rule of PyTorch and ONNX; `None` if there is none, or if one of them
    /// contains no input.
    fn outputs(self, size: usize) -> Option<usize> {
        let Self { stride, padding, dilation, ceil, .. } = self;
        let extent = self.extent()?;
        let padded = size.checked_add(padding.checked_mul(2)?)?;
        let Some(range) = padded.checked_sub(extent) else {
            // No full window, but one that is not full, if it is longer than the axis by less than a step.
            let begun = ceil && extent - padded < stride && self.span(size, 0).is_some();
            return begun.then_some(1);
        };
        let mut outputs = range.checked_div(stride)? + 1;
        // One more, if it begins in the input or the padding before it.
        if ceil
            && !range.is_multiple_of(stride)
            && outputs.checked_mul(stride).is_some_and(|begin| begin < size + padding)
        {
            outputs += 1;
        }
        self.span(size, outputs - 1)?;
        // The padding is no longer than half a window, so each begins before the end of the input and ends after its start. If one
        // contains no input, some position k of it is before the input, and the next is after it. There are at most three such k
        // for the windows that are full, since they begin within `size`; the other one, the last, was checked above.
        let (last, end) = (range / stride * stride, padding + size);
        let mut k = ((end - last) / dilation).saturating_sub(1)..=padding / dilation;
        let missed = k.any(|k| {
            // The first window whose position k + 1 is after the input.
            let next = (k + 1).saturating_mul(dilation);
            let begin = end.saturating_sub(next).div_ceil(stride).saturating_mul(stride);
            begin <= last && begin.saturating_add(k.saturating_mul(dilation)) < padding
        });
        (size >= dilation || !missed).then_some(outputs)
    }

    /// The inputs in one window of an axis of this size, if there are any.
    fn span(self, size: usize, output: usize) -> Option<Span> {
        let Self { kernel, stride, padding, dilation, .. } = self;
        let begin = output * stride;
        // How many of the window's positions are before this index of the padded axis.
        let before = |end: usize| end.saturating_sub(begin).div_ceil(dilation).min(kernel);
        let (first, end) = (before(padding), before(padding + size));
        let start = (begin + first * dilation).checked_sub(padding)?;
        (first < end).then_some(Span {
            start,
            count: end - first,
            step: dilation,
            padded_count: before(padding + size + padding),
        })
    }

    /// The extent of the window, `dilation (kernel - 1) + 1`.
    pub(super) fn extent(self) -> Option<usize> {
        self.kernel.checked_sub(1)?.checked_mul(self.dilation)?.checked_add(1)
    }
}

/// One of the windows that split an axis into `outputs` parts of nearly the same size, by PyTorch's rule: from `⌊i n / o⌋` to
/// `⌈(i + 1) n / o⌉`.
fn part(size: usize, outputs: usize, output: usize) -> Span {
    let (start, end) = (output * size / outputs, ((output + 1) * size).div_ceil(outputs));
    Span { start, count: end - start, step: 1, padded_count: end - start }
}

/// Whether axes have less than 2³² values together, so that an index fits into 32 bits; axes of length 0 count as 1.
fn fits_u32(axes: &[usize]) -> bool {
    let size = axes.iter().try_fold(1usize, |size, &axis| size.checked_mul(axis.max(1)));
    size.is_some_and(|size| u32::try_from(size).is_ok())
}

impl PoolWindows {
    /// Windows of one size over samples `[channels, axes...]`; `None` if some window contains no input.
    pub(super) fn sliding(input: Shape, sliding: &[SlidingAxis]) -> Option<Self> {
        if !fits_u32(&input) {
            return None;
        }
        let axes = input[1..]
            .iter()
            .zip(sliding)
            .map(|(&size, &axis)| Some((axis.outputs(size)?, AxisWindows::Sliding(axis))));
        let square =
            |s: &SlidingAxis| (s.kernel, s.stride, s.padding, s.dilation, s.ceil) == (2, 2, 0, 1, false);
        let squares = sliding.len() == 2 && sliding.iter().all(square);
        Some(Self { squares, ..Self::new(input, axes.collect())? })
    }

    /// `outputs` windows along each axis, which together contain every input.
    pub(super) fn adaptive(input: Shape, outputs: &[usize]) -> Option<Self> {
        if !fits_u32(&input) || !fits_u32(outputs) {
            return None;
        }
        let axes = input[1..]
            .iter()
            .zip(outputs)
            .map(|(&size, &outputs)| (size > 0 && outputs > 0).then_some((outputs, AxisWindows::Parts)));
        Self::new(input, axes.collect())
    }

    fn new(input: Shape, axes: Option<Vec<(usize, AxisWindows)>>) -> Option<Self> {
        let (sizes, axes) = (&input[1..], axes?);
        let missing = 3usize.checked_sub(sizes.len())?;
        let mut windows = Self { channels: input[0], input: [1; 3], counts: [1; 3], ..Self::default() };
        windows.input[missing..].copy_from_slice(sizes);
        for (axis, (count, placed)) in (missing..).zip(axes) {
            windows.counts[axis] = count;
            windows.axes[axis] = placed;
        }
        Some(windows)
    }

    /// For each axis, the span of every output.
    fn spans(&self) -> &[Vec<Span>; 3] {
        let of = |axis: usize| {
            let (windows, size, outputs) = (self.axes[axis], self.input[axis], self.counts[axis]);
            let span = |output| windows.span(size, outputs, output).expect("every window contains an input");
            (0..outputs).map(span).collect()
        };
        self.spans.get_or_init(|| std::array::from_fn(of))
    }

    /// The shape of an output sample with `axes` axes besides the channels.
    pub(super) fn output(&self, axes: usize) -> Option<Shape> {
        let mut shape = vec![self.channels];
        shape.extend_from_slice(&self.counts[3 - axes..]);
        Shape::new(&shape)
    }

    /// The number of values in a sample of the input.
    pub(super) fn inputs(&self) -> usize {
        self.channels * self.input.iter().product::<usize>()
    }

    /// The number of values in a sample of the output.
    pub(super) fn outputs(&self) -> usize {
        self.channels * self.counts.iter().product::<usize>()
    }

    /// The maximum number of windows that an input is in.
    pub(super) fn overlap(&self) -> usize {
        let of_axis = |(windows, &outputs): (&AxisWindows, &usize)| match windows {
            AxisWindows::Parts => 2.min(outputs),
            AxisWindows::Sliding(axis) => {
                let steps = axis.extent().unwrap_or(usize::MAX).div_ceil(axis.stride);
                axis.kernel.min(steps).min(outputs)
            }
        };
        self.axes.iter().zip(&self.counts).map(of_axis).fold(1, usize::saturating_mul)
    }

    /// Height and width of planes, if the windows are adjacent squares of two by two.
    pub(super) fn squares(&self) -> Option<[usize; 2]> {
        self.squares.then_some([self.input[1], self.input[2]])
    }

    /// The number of inputs of a channel, if each channel is one window.
    pub(super) fn whole_channels(&self) -> Option<usize> {
        let whole =
            |(windows, &count): (&AxisWindows, &usize)| matches!(windows, AxisWindows::Parts) && count == 1;
        let inputs = self.input.iter().product();
        (inputs > 0 && self.axes.iter().zip(&self.counts).all(whole)).then_some(inputs)
    }

    /// Calls `f` for each output of a sample, in order, with its index, its window, and the size of the window including the
    /// padding.
    #[inline(always)]
    pub(super) fn each(&self, mut f: impl FnMut(usize, PoolWindow<'_>, usize)) {
        let [depth, height, width] = self.input;
        let [all_planes, all_rows, all_columns] = self.spans();
        let mut output = 0;
        for channel in 0..self.channels {
            for planes in all_planes {
                for rows in all_rows {
                    for columns in all_columns {
                        let base = ((channel * depth + planes.start) * height + rows.start) * width;
                        let window = PoolWindow {
                            base: base + columns.start,
                            spans: [planes, rows, columns],
                            height,
                            width,
                        };
                        f(output, window, planes.padded_count * rows.padded_count * columns.padded_count);
                        output += 1;
                    }
                }
            }
        }
    }
}

impl PoolWindows {
    /// Calls `f` for each output of a sample, whose inputs are `x` of their indices, with the index of the maximum in its window and the
    /// maximum: the first of equal ones; NaN counts as greater than any number.
    #[inline(always)]
    pub(super) fn each_maximum<T: Real>(&self, x: impl Fn(usize) -> T, mut f: impl FnMut(usize, usize, T)) {
        self.each(|output, window, _| {
            let mut best = window.base;
            let mut maximum = x(best);
            // Without branches: which input is greater cannot be foreseen.
            window.each(|input| {
                let value = x(input);
                let greater = (value > maximum) | (value.is_nan() & !maximum.is_nan());
                best = if greater { input } else { best };
                maximum = if greater { value } else { maximum };
            });
            f(output, best, maximum);
        });
    }
}

/// The number of inputs of a window that are added up one by one, in the model's precision.
const SHORT: usize = 32;

/// The inputs that one output depends on.
pub(super) struct PoolWindow<'a> {
    base: usize,
    spans: [&'a Span; 3],
    height: usize,
    width: usize,
}

impl PoolWindow<'_> {
    /// The number of inputs.
    pub(super) fn count(&self) -> usize {
        self.spans.iter().map(|span| span.count).product()
    }

    /// The sum of the inputs. Long windows are added up in runs, and these in double precision, so that the error does not grow with
    /// the size of the window.
    #[inline(always)]
    pub(super) fn sum<T: Real>(&self, x: &[T]) -> T {
        if self.count() > SHORT {
            return self.long_sum(x);
        }
        let mut sum = T::zero();
        self.each(|input| sum += x[input]);
        sum
    }

    #[inline(never)]
    fn long_sum<T: Real>(&self, x: &[T]) -> T {
        let mut sum = 0.0;
        self.each_run(|start, len| sum += vector::sum(&x[start..start + len]).as_f64());
        T::of(sum)
    }

    /// Calls `f` with the index of the first input and the number of inputs of each run of neighbours, in order.
    fn each_run(&self, mut f: impl FnMut(usize, usize)) {
        let [planes, rows, columns] = self.spans;
        let whole_rows = columns.count == self.width && rows.step == 1;
        let whole_planes = whole_rows && rows.count == self.height && planes.step == 1;
        if whole_planes {
            return f(self.base, self.count());
        }
        for plane in 0..planes.count {
            let plane = self.base + plane * planes.step * self.height * self.width;
            if whole_rows {
                f(plane, rows.count * columns.count);
                continue;
            }
            for row in 0..rows.count {
                let row = plane + row * rows.step * self.width;
                match columns.step {
                    1 => f(row, columns.count),
                    step => (0..columns.count).for_each(|column| f(row + column * step, 1)),
                }
            }
        }
    }

    /// Calls `f` with the index of each input, in order.
    #[inline(always)]
    pub(super) fn each(&self, mut f: impl FnMut(usize)) {
        let [planes, rows, columns] = self.spans;
        for plane in 0..planes.count {
            for row in 0..rows.count {
                let start = self.base + (plane * planes.step * self.height + row * rows.step) * self.width;
                for column in 0..columns.count {
                    f(start + column * columns.step);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_without_inputs_are_found_without_visiting_each() {
        let (mut refused, mut taken) = (0, 0);
        for case in 0..7 * 6 * 4 * 6 * 6 * 2 {
            let mut left = case;
            let mut next = |count: usize| {
                let number = left % count;
                left /= count;
                number
            };
            let (size, kernel, stride) = (next(7), 1 + next(6), 1 + next(4));
            let (padding, dilation, ceil) = (next(6), 1 + next(6), next(2) == 1);
            let window = SlidingAxis { kernel, stride, padding, dilation, ceil };
            let extent = dilation * (kernel - 1) + 1;
            if padding > extent / 2 {
                continue;
            }
            // PyTorch's `pooling_output_shape`, in signed numbers.
            let [size_, stride_, padding_] = [size, stride, padding].map(|number| number as isize);
            let up = if ceil { stride_ - 1 } else { 0 };
            let mut outputs = (size_ + 2 * padding_ - extent as isize + up).div_euclid(stride_) + 1;
            if ceil && (outputs - 1) * stride_ >= size_ + padding_ {
                outputs -= 1;
            }
            let outputs = usize::try_from(outputs).unwrap_or(0);
            let all = outputs > 0 && (0..outputs).all(|output| window.span(size, output).is_some());
            assert_eq!(window.outputs(size), all.then_some(outputs), "{window:?} over {size}");
            if all { taken += 1 } else { refused += 1 }
        }
        assert!(refused > 100 && taken > 100, "{refused} and {taken}");
    }
}
