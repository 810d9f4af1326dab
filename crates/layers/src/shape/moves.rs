//! What layers have in common that only move values: each output is one of the inputs, or a constant.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::{MAX_RANK, Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, s};

/// A layer that only moves values. A macro makes a layer of it.
pub trait Moves: Clone + Debug + Send + Sync + 'static {
    /// The shape of the output.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the layer cannot take such samples.
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError>;

    /// Where the values of the output come from, for shapes that were planned.
    fn runs(&self, input: Shape, output: Shape) -> Runs;
}

/// What a layer remembers that only moves values: the shapes, and from the first pass on the runs, which all copies share.
/// They can take more memory than a sample, so a plan has none.
#[derive(Clone, Debug)]
pub struct Moved {
    input: Shape,
    output: Shape,
    runs: Arc<OnceLock<Runs>>,
}

impl Default for Moved {
    fn default() -> Self {
        Self::new([0].into(), [0].into())
    }
}

impl Moved {
    pub(super) fn new(input: Shape, output: Shape) -> Self {
        Self { input, output, runs: Arc::default() }
    }

    pub(super) fn runs(&self, layer: &impl Moves) -> &Runs {
        self.runs.get_or_init(|| layer.runs(self.input, self.output))
    }
}

/// Where the values of an output come from, as runs of values that lie side by side in both; the rest is constant.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    runs: Vec<Run>,
    /// What stands where no input does, if there are such places.
    constant: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    output: usize,
    input: usize,
    len: usize,
}

impl Runs {
    /// The runs of an output whose value at each place is the input's at `source`, or `constant`. Places are given by
    /// their coordinates.
    pub(super) fn new(
        input: Shape,
        output: Shape,
        constant: f64,
        source: impl Fn(&[usize]) -> Option<[usize; MAX_RANK]>,
    ) -> Self {
        let (mut runs, mut place): (Vec<Run>, _) = (Vec::new(), [0; MAX_RANK]);
        let (rank, mut moved) = (output.len(), 0);
        for index in 0..output.size() {
            if let Some(from) = source(&place[..rank]) {
                let from = input.iter().zip(from).fold(0, |index, (&size, at)| index * size + at);
                moved += 1;
                match runs.last_mut() {
                    Some(run) if run.output + run.len == index && run.input + run.len == from => run.len += 1,
                    _ => runs.push(Run { output: index, input: from, len: 1 }),
                }
            }
            for axis in (0..rank).rev() {
                place[axis] += 1;
                if place[axis] < output[axis] {
                    break;
                }
                place[axis] = 0;
            }
        }
        Self { runs, constant: (moved < output.size()).then_some(constant) }
    }

    /// The runs where each axis moves by itself.
    pub(super) fn by_axis(
        input: Shape,
        output: Shape,
        constant: f64,
        source: impl Fn(usize, usize) -> Option<usize>,
    ) -> Self {
        Self::new(input, output, constant, |place| {
            let mut from = [0; MAX_RANK];
            for (axis, (from, &at)) in from.iter_mut().zip(place).enumerate() {
                *from = source(axis, at)?;
            }
            Some(from)
        })
    }

    pub(super) fn forward<T: Real>(&self, x: ArrayView2<'_, T>, mut y: ArrayViewMut2<'_, T>) {
        if let Some(constant) = self.constant {
            y.fill(T::of(constant));
        }
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            match (x.to_slice(), y.as_slice_mut()) {
                (Some(x), Some(y)) => {
                    for &Run { output, input, len } in &self.runs {
                        y[output..output + len].copy_from_slice(&x[input..input + len]);
                    }
                }
                _ => {
                    for &Run { output, input, len } in &self.runs {
                        y.slice_mut(s![output..output + len]).assign(&x.slice(s![input..input + len]));
                    }
                }
            }
        }
    }

    /// An input that stands in several places gets the sum of their gradients.
    pub(super) fn backward<T: Real>(&self, dy: ArrayView2<'_, T>, mut dx: ArrayViewMut2<'_, T>) {
        dx.fill(T::zero());
        for (dy, mut dx) in dy.rows().into_iter().zip(dx.rows_mut()) {
            match (dy.to_slice(), dx.as_slice_mut()) {
                (Some(dy), Some(dx)) => {
                    for &Run { output, input, len } in &self.runs {
                        match len {
                            1 => dx[input] += dy[output],
                            _ => {
                                let dy = ArrayView1::from(&dy[output..output + len]);
                                vector::add(dy, (&mut dx[input..input + len]).into());
                            }
                        }
                    }
                }
                _ => {
                    for &Run { output, input, len } in &self.runs {
                        let dy = dy.slice(s![output..output + len]);
                        vector::add(dy, dx.slice_mut(s![input..input + len]));
                    }
                }
            }
        }
    }
}

/// The two passes of layers that only move values.
macro_rules! moves {
    ($([$($generic:tt)*] $name:ty;)*) => {$(
        impl<T: chainrule_tensor::Real, $($generic)*> chainrule_core::Layer<T> for $name {
            type Cache = $crate::shape::Moved;

            fn plan(
                &self,
                input: chainrule_tensor::Shape,
                plan: &mut chainrule_core::Plan,
            ) -> Result<(chainrule_tensor::Shape, $crate::shape::Moved), chainrule_core::ShapeError> {
                let output = $crate::shape::Moves::output(self, input, plan)?;
                Ok((output, $crate::shape::Moved::new(input, output)))
            }

            fn forward(&self, pass: chainrule_core::Forward<'_, T, $crate::shape::Moved>) {
                pass.cache.runs(self).forward(pass.x, pass.y);
            }

            fn backward(&self, pass: chainrule_core::Backward<'_, T, $crate::shape::Moved>) {
                if let Some(dx) = pass.dx {
                    pass.cache.runs(self).backward(pass.dy, dx);
                }
            }
        }
    )*};
}
pub(super) use moves;

/// The shape with these axes, or the error of a layer whose output would have 2³² values or more.
pub(super) fn shape(axes: &[usize], input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
    Shape::new(axes).filter(|shape| u32::try_from(shape.size()).is_ok()).ok_or_else(|| {
        let expected = "samples whose output has at most six axes and less than 2³² values";
        plan.error(input, expected, "choose a smaller output")
    })
}
