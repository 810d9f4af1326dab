//! Which inputs each output of a pooling sees.

use chainrule_tensor::{Real, Shape};
use ndarray::ArrayView1;

/// The inputs along one axis that one output sees: `start`, `start + step`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: usize,
    count: usize,
    step: usize,
    /// How many places the window has along this axis, those in the padding included.
    places: usize,
}

/// The windows of a pooling over samples of one shape: for each axis, the span of every output.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    channels: usize,
    /// Depth, height and width; a missing one is 1.
    input: [usize; 3],
    spans: [Vec<Span>; 3],
    /// Whether each window is a square of two by two, side by side with the next.
    squares: bool,
}

/// How the windows of one axis lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stride {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    pub(super) dilation: usize,
    /// Whether a last window that is not full is one too.
    pub(super) ceil: bool,
}

impl Stride {
    /// The spans over an axis of this size, by PyTorch's rule; `None` if a window sees no input.
    fn spans(self, size: usize) -> Option<Vec<Span>> {
        let Self { kernel, stride, padding, dilation, ceil } = self;
        let reach = self.reach()?;
        let padded = size.checked_add(padding.checked_mul(2)?)?;
        let room = padded.checked_sub(reach)?;
        let mut outputs = room.checked_div(stride)? + 1;
        // One more, if it begins in the input or the padding before it.
        if ceil
            && !room.is_multiple_of(stride)
            && outputs.checked_mul(stride).is_some_and(|begin| begin < size + padding)
        {
            outputs += 1;
        }
        let span = |output: usize| {
            let begin = output * stride;
            // How many of the window's places lie before this place of the padded axis.
            let before = |end: usize| end.saturating_sub(begin).div_ceil(dilation).min(kernel);
            let (first, end) = (before(padding), before(padding + size));
            let start = (begin + first * dilation).checked_sub(padding)?;
            (first < end).then_some(Span {
                start,
                count: end - first,
                step: dilation,
                places: before(padded),
            })
        };
        (0..outputs).map(span).collect()
    }

    /// How far the window reaches, `dilation (kernel - 1) + 1`.
    pub(super) fn reach(self) -> Option<usize> {
        self.kernel.checked_sub(1)?.checked_mul(self.dilation)?.checked_add(1)
    }
}

/// The windows that cut an axis into `outputs` parts of much the same size, by PyTorch's rule: from `⌊i n / o⌋` to
/// `⌈(i + 1) n / o⌉`.
fn parts(size: usize, outputs: usize) -> Vec<Span> {
    let part = |output: usize| {
        let (start, end) = (output * size / outputs, ((output + 1) * size).div_ceil(outputs));
        Span { start, count: end - start, step: 1, places: end - start }
    };
    (0..outputs).map(part).collect()
}

/// Whether axes have less than 2³² values together, so that spans can be listed; those of length 0 do not hide others.
fn countable(axes: &[usize]) -> bool {
    let size = axes.iter().try_fold(1usize, |size, &axis| size.checked_mul(axis.max(1)));
    size.is_some_and(|size| u32::try_from(size).is_ok())
}

impl Windows {
    /// Windows of one size over samples `[channels, axes...]`; `None` if some window sees no input.
    pub(super) fn sliding(input: Shape, strides: &[Stride]) -> Option<Self> {
        if !countable(&input) {
            return None;
        }
        let spans = input[1..].iter().zip(strides).map(|(&size, stride)| stride.spans(size)).collect();
        let square = |s: &Stride| (s.kernel, s.stride, s.padding, s.dilation, s.ceil) == (2, 2, 0, 1, false);
        let squares = strides.len() == 2 && strides.iter().all(square);
        Some(Self { squares, ..Self::new(input, spans)? })
    }

    /// As many windows as `outputs` says, which together see every input.
    pub(super) fn adaptive(input: Shape, outputs: &[usize]) -> Option<Self> {
        if !countable(&input) || !countable(outputs) {
            return None;
        }
        let spans = input[1..]
            .iter()
            .zip(outputs)
            .map(|(&size, &outputs)| (size > 0 && outputs > 0).then(|| parts(size, outputs)));
        Self::new(input, spans.collect())
    }

    fn new(input: Shape, spans: Option<Vec<Vec<Span>>>) -> Option<Self> {
        let (axes, mut spans) = (&input[1..], spans?.into_iter());
        let missing = 3usize.checked_sub(axes.len())?;
        let one = Span { start: 0, count: 1, step: 1, places: 1 };
        let spans =
            std::array::from_fn(
                |axis| if axis < missing { vec![one] } else { spans.next().unwrap_or_default() },
            );
        let input_axes = std::array::from_fn(|axis| if axis < missing { 1 } else { axes[axis - missing] });
        Some(Self { channels: input[0], input: input_axes, spans, squares: false })
    }

    /// The axes of the output for one channel, all three.
    fn counts(&self) -> [usize; 3] {
        self.spans.each_ref().map(Vec::len)
    }

    /// The shape of an output sample with `axes` axes besides the channels.
    pub(super) fn output(&self, axes: usize) -> Option<Shape> {
        let mut shape = vec![self.channels];
        shape.extend_from_slice(&self.counts()[3 - axes..]);
        Shape::new(&shape)
    }

    /// How many values a sample of the input has.
    pub(super) fn inputs(&self) -> usize {
        self.channels * self.input.iter().product::<usize>()
    }

    /// How many values a sample of the output has.
    pub(super) fn outputs(&self) -> usize {
        self.channels * self.counts().iter().product::<usize>()
    }

    /// Height and width of planes whose windows are squares of two by two, side by side.
    pub(super) fn squares(&self) -> Option<[usize; 2]> {
        self.squares.then_some([self.input[1], self.input[2]])
    }

    /// Calls `f` for each output of a sample, in order, with its index, its window and how many places the window
    /// has with those in the padding.
    #[inline(always)]
    pub(super) fn each(&self, mut f: impl FnMut(usize, Window<'_>, usize)) {
        let [depth, height, width] = self.input;
        let mut output = 0;
        for channel in 0..self.channels {
            for planes in &self.spans[0] {
                for rows in &self.spans[1] {
                    for columns in &self.spans[2] {
                        let base = ((channel * depth + planes.start) * height + rows.start) * width;
                        let window = Window {
                            base: base + columns.start,
                            spans: [planes, rows, columns],
                            height,
                            width,
                        };
                        f(output, window, planes.places * rows.places * columns.places);
                        output += 1;
                    }
                }
            }
        }
    }
}

impl Windows {
    /// Calls `f` for each output of the sample `x` with the place of the greatest input of its window, the first of equal
    /// ones; NaN counts as greater than any number.
    pub(super) fn each_greatest<T: Real>(&self, x: ArrayView1<'_, T>, mut f: impl FnMut(usize, usize)) {
        self.each(|output, window, _| {
            let mut best = None;
            window.each(|input| {
                let greater = |best| x[input] > x[best] || (x[input].is_nan() && !x[best].is_nan());
                if best.is_none_or(greater) {
                    best = Some(input);
                }
            });
            f(output, best.expect("every window sees an input"));
        });
    }
}

/// The inputs that one output sees.
pub(super) struct Window<'a> {
    base: usize,
    spans: [&'a Span; 3],
    height: usize,
    width: usize,
}

impl Window<'_> {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.spans.iter().map(|span| span.count).product()
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
