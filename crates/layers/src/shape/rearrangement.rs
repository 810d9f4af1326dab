//! Layers that only rearrange values: each output is one of the inputs, or a constant.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use chainrule_core::{Label, Plan, ShapeError};
use chainrule_tensor::{MAX_RANK, Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, s};

/// A layer that only rearranges values. [`rearrangement_layer`] implements the layer.
pub(super) trait Rearrangement: Clone + Debug + Send + Sync + 'static {
    /// What errors call the layer.
    fn label(&self) -> Label {
        Label::of_text(&format!("{self:?}"))
    }

    /// The shape of the output.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the layer cannot take such samples.
    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError>;

    /// Where the values of the output come from, for shapes that were planned.
    fn copy_ranges(&self, input: Shape, output: Shape) -> CopyRanges;
}

/// What a layer that only rearranges values keeps between its passes: the shapes, and from the first pass on the ranges to
/// copy, which all clones share. They can take more memory than a sample, so a plan does not compute them.
#[derive(Clone, Debug)]
pub struct RearrangementCache {
    input: Shape,
    output: Shape,
    ranges: Arc<OnceLock<CopyRanges>>,
}

impl Default for RearrangementCache {
    fn default() -> Self {
        Self::new([0].into(), [0].into())
    }
}

impl RearrangementCache {
    pub(super) fn new(input: Shape, output: Shape) -> Self {
        Self { input, output, ranges: Arc::default() }
    }

    pub(super) fn ranges(&self, layer: &impl Rearrangement) -> &CopyRanges {
        self.ranges.get_or_init(|| layer.copy_ranges(self.input, self.output))
    }
}

/// Where the values of an output come from, as ranges that are contiguous in both input and output; the rest is constant.
#[derive(Clone, Debug, Default)]
pub(super) struct CopyRanges {
    ranges: Vec<CopyRange>,
    /// The value of the outputs that no input is copied to, if there are any.
    constant: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct CopyRange {
    output: usize,
    input: usize,
    len: usize,
}

impl CopyRanges {
    /// The ranges of an output whose value at each index is the input's at `source(index)`, or `constant`. An index has
    /// one number for each axis.
    pub(super) fn new(
        input: Shape,
        output: Shape,
        constant: f64,
        source: impl Fn(&[usize]) -> Option<[usize; MAX_RANK]>,
    ) -> Self {
        let mut ranges: Vec<CopyRange> = Vec::new();
        let mut index = [0; MAX_RANK];
        let mut copied = 0;
        let rank = output.len();
        for to in 0..output.size() {
            if let Some(from) = source(&index[..rank]) {
                let from = input.iter().zip(from).fold(0, |flat, (&size, at)| flat * size + at);
                copied += 1;
                match ranges.last_mut() {
                    Some(last) if last.output + last.len == to && last.input + last.len == from => {
                        last.len += 1
                    }
                    _ => ranges.push(CopyRange { output: to, input: from, len: 1 }),
                }
            }
            for axis in (0..rank).rev() {
                index[axis] += 1;
                if index[axis] < output[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Self { ranges, constant: (copied < output.size()).then_some(constant) }
    }

    /// The ranges of an output whose index along each axis depends on that axis alone.
    pub(super) fn by_axis(
        input: Shape,
        output: Shape,
        constant: f64,
        source: impl Fn(usize, usize) -> Option<usize>,
    ) -> Self {
        Self::new(input, output, constant, |index| {
            let mut from = [0; MAX_RANK];
            for (axis, (from, &at)) in from.iter_mut().zip(index).enumerate() {
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
                    for &CopyRange { output, input, len } in &self.ranges {
                        y[output..output + len].copy_from_slice(&x[input..input + len]);
                    }
                }
                _ => {
                    for &CopyRange { output, input, len } in &self.ranges {
                        y.slice_mut(s![output..output + len]).assign(&x.slice(s![input..input + len]));
                    }
                }
            }
        }
    }

    /// An input that is copied several times gets the sum of the gradients.
    pub(super) fn backward<T: Real>(&self, dy: ArrayView2<'_, T>, mut dx: ArrayViewMut2<'_, T>) {
        dx.fill(T::zero());
        for (dy, mut dx) in dy.rows().into_iter().zip(dx.rows_mut()) {
            match (dy.to_slice(), dx.as_slice_mut()) {
                (Some(dy), Some(dx)) => {
                    for &CopyRange { output, input, len } in &self.ranges {
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
                    for &CopyRange { output, input, len } in &self.ranges {
                        let dy = dy.slice(s![output..output + len]);
                        vector::add(dy, dx.slice_mut(s![input..input + len]));
                    }
                }
            }
        }
    }
}

/// Implements the layer of a [`Rearrangement`].
macro_rules! rearrangement_layer {
    ([$($generic:tt)*] $name:ty) => {
        impl<T: ::chainrule_tensor::Real, $($generic)*> ::chainrule_core::Layer<T> for $name {
            type Cache = $crate::shape::rearrangement::RearrangementCache;

            fn plan(
                &self,
                input: ::chainrule_tensor::Shape,
                plan: &mut ::chainrule_core::Plan,
            ) -> Result<(::chainrule_tensor::Shape, Self::Cache), ::chainrule_core::ShapeError> {
                let output = $crate::shape::rearrangement::Rearrangement::output_shape(self, input, plan)?;
                Ok((output, $crate::shape::rearrangement::RearrangementCache::new(input, output)))
            }

            fn label(&self) -> ::chainrule_core::Label {
                $crate::shape::rearrangement::Rearrangement::label(self)
            }

            ::chainrule_core::described!();

            fn forward(&self, pass: ::chainrule_core::Forward<'_, T, Self::Cache>) {
                pass.cache.ranges(self).forward(pass.x, pass.y);
            }

            fn backward(&self, pass: ::chainrule_core::Backward<'_, T, Self::Cache>) {
                if let Some(dx) = pass.dx {
                    pass.cache.ranges(self).backward(pass.dy, dx);
                }
            }
        }
    };
}
pub(super) use rearrangement_layer;

/// The shape with these axes, or the error of a layer whose output would have 2³² values or more.
pub(super) fn checked_shape(axes: &[usize], input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
    Shape::new(axes).filter(|shape| u32::try_from(shape.size()).is_ok()).ok_or_else(|| {
        let expected = "samples whose output has at most six axes and fewer than 2³² values";
        plan.error(input, expected, "choose a smaller output")
    })
}
