//! Layers that only rearrange values: each output is one of the inputs, or a constant.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use chainrule_core::{Backward, Forward, Label, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};

use super::offsets::Offsets;
use crate::contiguous::{contiguous, write_contiguous};

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
    fn offsets(&self, input: Shape, output: Shape) -> Offsets;
}

/// What a layer that only rearranges values keeps between its passes: the shapes, and from the first pass on the offsets, which
/// all clones share. An axis can be longer than fits into memory, so a plan does not compute them.
#[derive(Clone, Debug)]
pub struct RearrangementCache<T: Real> {
    input: Shape,
    output: Shape,
    offsets: Arc<OnceLock<Offsets>>,
    copies: [Buffer<T>; 2],
    /// Gradients of inputs that are copied very often.
    sums: Buffer<f64>,
}

impl<T: Real> Default for RearrangementCache<T> {
    fn default() -> Self {
        Self::new([0].into(), [0].into())
    }
}

impl<T: Real> RearrangementCache<T> {
    pub(super) fn new(input: Shape, output: Shape) -> Self {
        Self { input, output, offsets: Arc::default(), copies: Default::default(), sums: Buffer::default() }
    }

    pub(super) fn forward(layer: &impl Rearrangement, Forward { x, y, cache, .. }: Forward<'_, T, Self>) {
        let Self { input, output, offsets, copies: [x_copy, y_copy], .. } = cache;
        let offsets = offsets.get_or_init(|| layer.offsets(*input, *output));
        let x = contiguous(x, x_copy);
        write_contiguous(y, y_copy, |y| {
            samples(x, input.size())
                .zip(y.chunks_exact_mut(output.size().max(1)))
                .for_each(|(x, y)| offsets.copy(x, y));
        });
    }

    pub(super) fn backward(
        layer: &impl Rearrangement,
        Backward { dy, dx, cache, .. }: Backward<'_, T, Self>,
    ) {
        let Some(dx) = dx else { return };
        let Self { input, output, offsets, copies: [dx_copy, dy_copy], sums } = cache;
        let offsets = offsets.get_or_init(|| layer.offsets(*input, *output));
        let dy = contiguous(dy, dy_copy);
        write_contiguous(dx, dx_copy, |dx| {
            samples(dy, output.size())
                .zip(dx.chunks_exact_mut(input.size().max(1)))
                .for_each(|(dy, dx)| offsets.gather_gradient(dy, dx, sums));
        });
    }
}

/// Samples of this size; empty ones without end.
fn samples<T>(values: &[T], size: usize) -> impl Iterator<Item = &[T]> {
    let empty = std::iter::repeat_n(&values[..0], if size == 0 { usize::MAX } else { 0 });
    values.chunks_exact(size.max(1)).chain(empty)
}

/// Implements the layer of a [`Rearrangement`].
macro_rules! rearrangement_layer {
    ([$($generic:tt)*] $name:ty) => {
        impl<T: ::chainrule_tensor::Real, $($generic)*> ::chainrule_core::Layer<T> for $name {
            type Cache = $crate::shape::rearrangement::RearrangementCache<T>;

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
                $crate::shape::rearrangement::RearrangementCache::forward(self, pass);
            }

            fn backward(&self, pass: ::chainrule_core::Backward<'_, T, Self::Cache>) {
                $crate::shape::rearrangement::RearrangementCache::backward(self, pass);
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
