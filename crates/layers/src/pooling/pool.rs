//! The layer of all poolings with windows of one size.

use std::fmt::Debug;

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};

use super::windows::{Stride, Windows};
use crate::Axes;
use crate::contiguous::{contiguous, write_contiguous};

/// What makes one number of a window of inputs.
pub trait Rule: Clone + Copy + Debug + Send + Sync + 'static {
    /// Whether [`backward`](Self::backward) wants to know which input each output was taken from.
    const INDEXED: bool;

    /// What is wrong with a setting of the rule, as what it takes and what to do.
    fn wrong(self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Computes the outputs `y` of the samples `x`. If the rule is indexed, it notes which input each was taken from.
    fn forward<T: Real>(self, windows: &Windows, x: &[T], y: &mut [T], notes: &mut Notes);

    /// Overwrites `dx`.
    fn backward<T: Real>(self, windows: &Windows, values: Values<'_, T>, notes: &Notes, dx: &mut [T]);
}

/// Which input each output was taken from, as one of the two. That one has room for each output of the pass, and maybe for
/// more.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// The index of the input within its sample.
    pub indices: Vec<u32>,
    /// Where windows are squares of two by two: which of the four, row by row.
    pub corners: Vec<u8>,
}

impl Notes {
    /// Makes room for so many outputs, and keeps what room there is, so that a smaller pass makes the next allocate nothing.
    fn make_room(&mut self, windows: &Windows, outputs: usize) {
        let Self { indices, corners } = self;
        match windows.squares() {
            Some(_) => corners.resize(corners.len().max(outputs), 0),
            None => indices.resize(indices.len().max(outputs), 0),
        }
    }
}

/// Inputs, outputs and the gradient of the outputs, of one or several samples.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a, T> {
    /// The inputs.
    pub x: &'a [T],
    /// The outputs.
    pub y: &'a [T],
    /// The gradient with respect to the outputs.
    pub dy: &'a [T],
}

/// Pooling over windows of one size, `N` axes wide.
#[derive(Clone, Copy, Debug)]
pub struct Pool<R, const N: usize> {
    pub(super) rule: R,
    kernel: [usize; N],
    stride: Option<[usize; N]>,
    padding: [usize; N],
    dilation: [usize; N],
    ceil: bool,
}

impl<R: Rule, const N: usize> Pool<R, N> {
    pub(super) fn with(rule: R, kernel: impl Axes<N>) -> Self {
        Self { rule, kernel: kernel.axes(), stride: None, padding: [0; N], dilation: [1; N], ceil: false }
    }

    /// How far apart the windows are; by default they lie side by side.
    #[must_use]
    pub fn stride(self, stride: impl Axes<N>) -> Self {
        Self { stride: Some(stride.axes()), ..self }
    }

    /// How many places are added before and after each axis, at most half of the window. They are no inputs: a maximum
    /// passes over them.
    #[must_use]
    pub fn padding(self, padding: impl Axes<N>) -> Self {
        Self { padding: padding.axes(), ..self }
    }

    /// Whether a last window that is not full gives an output too.
    #[must_use]
    pub fn ceil(self) -> Self {
        Self { ceil: true, ..self }
    }

    /// How far apart the places of a window are.
    #[must_use]
    pub fn dilation(self, dilation: impl Axes<N>) -> Self {
        Self { dilation: dilation.axes(), ..self }
    }

    pub(super) fn windows(&self, input: Shape, plan: &Plan) -> Result<Windows, ShapeError> {
        if input.len() != N + 1 {
            let axes = ["length", "height, width", "depth, height, width"][N - 1];
            return Err(plan.error(input, &format!("[channels, {axes}]"), "put Reshape before it"));
        }
        let stride = self.stride.unwrap_or(self.kernel);
        let strides: [Stride; N] = std::array::from_fn(|axis| Stride {
            kernel: self.kernel[axis],
            stride: stride[axis],
            padding: self.padding[axis],
            dilation: self.dilation[axis],
            ceil: self.ceil,
        });
        if strides.iter().any(|s| {
            s.kernel == 0
                || s.stride == 0
                || s.dilation == 0
                || s.reach().is_some_and(|reach| s.padding > reach / 2)
        }) {
            let help = "choose a kernel, a stride and a dilation of at least 1, and a padding of at most half the window";
            return Err(plan.error(input, "windows with such settings", help));
        }
        Windows::sliding(input, &strides).ok_or_else(|| {
            let expected = "samples of less than 2³² values, of which every window sees some";
            plan.error(input, expected, "choose a smaller kernel or dilation, or another padding")
        })
    }
}

/// What a pooling remembers: its windows, and for a maximum which input each output was taken from.
#[derive(Clone, Debug, Default)]
pub struct Pooled<T: Real> {
    pub(super) windows: Windows,
    notes: Notes,
    copies: [Buffer<T>; 4],
}

impl<T: Real> Pooled<T> {
    /// What to remember, and the shape of the output; `axes` of it are kept besides the channels.
    pub(super) fn plan<R: Rule>(
        rule: R,
        windows: Windows,
        axes: usize,
        (input, plan): (Shape, &mut Plan),
    ) -> Result<(Shape, Self), ShapeError> {
        if let Some((expected, help)) = rule.wrong() {
            return Err(plan.error(input, expected, help));
        }
        let output = windows.output(axes).filter(|_| u32::try_from(input.size()).is_ok());
        let output = output.ok_or_else(|| {
            plan.error(input, "samples and outputs of less than 2³² values", "choose other windows")
        })?;
        if R::INDEXED {
            plan.memory(output.size());
        }
        Ok((output, Self { windows, ..Self::default() }))
    }

    pub(super) fn forward<R: Rule>(rule: R, Forward { x, y, cache, .. }: Forward<'_, T, Self>) {
        let Self { windows, notes, copies: [copy, room, ..] } = cache;
        let x = contiguous(x, copy);
        write_contiguous(y, room, |y| {
            if R::INDEXED {
                notes.make_room(windows, y.len());
            }
            rule.forward(windows, x, y, notes);
        });
    }

    pub(super) fn backward<R: Rule>(rule: R, pass: Backward<'_, T, Self>) {
        let Backward { x, y, dy, dx: Some(dx), cache, .. } = pass else { return };
        let Self { windows, notes, copies: [a, b, c, room] } = cache;
        let values = Values { x: contiguous(x, a), y: contiguous(y, b), dy: contiguous(dy, c) };
        write_contiguous(dx, room, |dx| rule.backward(windows, values, notes, dx));
    }
}

impl<T: Real, R: Rule, const N: usize> Layer<T> for Pool<R, N> {
    type Cache = Pooled<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Pooled<T>), ShapeError> {
        let windows = self.windows(input, plan)?;
        Pooled::plan(self.rule, windows, N, (input, plan))
    }

    fn forward(&self, pass: Forward<'_, T, Pooled<T>>) {
        Pooled::forward(self.rule, pass);
    }

    fn backward(&self, pass: Backward<'_, T, Pooled<T>>) {
        Pooled::backward(self.rule, pass);
    }
}
