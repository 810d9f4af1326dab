//! The rectified linear unit with trained slopes.

use std::sync::Arc;

use chainrule_core::{Backward, Constant, Forward, Initializer, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use crate::packed::{fill_packed, packed};

/// `z` where it is positive, else `s z` with trained slopes `s` (He et al. 2015, "Delving deep into rectifiers").
///
/// There is one slope for all values, or one for each channel, or one for each value of a sample. They start from
/// 0.25, as in PyTorch, and are not decayed, as the paper advises. Backward, `dz = dy` or `s dy`, and
/// `ds = Σ dy z` over the values that are not positive.
#[derive(Clone, Debug)]
pub struct Prelu {
    shared: Shared,
    start: Arc<dyn Initializer>,
}

/// Which values have one slope in common.
#[derive(Clone, Copy, Debug)]
enum Shared {
    All,
    /// Those at the same place of this axis.
    Along(usize),
    None,
}

impl Prelu {
    /// One slope for all values.
    pub fn new() -> Self {
        Self { shared: Shared::All, start: Arc::new(Constant(0.25)) }
    }

    /// A slope for each value of a sample, which starts from 0: Keras' `PReLU`.
    pub fn keras() -> Self {
        Self { shared: Shared::None, start: Arc::new(Constant(0.0)) }
    }

    /// A slope for each place along this axis of a sample: 0 for images, `[channels, height, width]`, and vectors, 1
    /// for sequences, `[steps, features]`.
    #[must_use]
    pub fn per_channel(self, axis: usize) -> Self {
        Self { shared: Shared::Along(axis), ..self }
    }

    /// Another rule for the first slopes.
    #[must_use]
    pub fn start(self, init: impl Initializer + 'static) -> Self {
        Self { start: Arc::new(init), ..self }
    }
}

impl Default for Prelu {
    fn default() -> Self {
        Self::new()
    }
}

/// What a [`Prelu`] remembers: a sample is `[outer, channels, inner]`, and each channel has a slope.
#[derive(Clone, Debug, Default)]
pub struct Slopes<T: Real> {
    channels: usize,
    inner: usize,
    /// Copies of batches that are strided.
    x: Buffer<T>,
    dy: Buffer<T>,
    y: Buffer<T>,
}

impl<T: Real> Layer<T> for Prelu {
    type Cache = Slopes<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Slopes<T>), ShapeError> {
        let (shape, inner) = match self.shared {
            Shared::All => (Shape::from([1]), input.size()),
            Shared::None => (input, 1),
            Shared::Along(axis) => match input.get(axis) {
                Some(&channels) => (Shape::from([channels]), input[axis + 1..].iter().product()),
                None => {
                    let expected = format!("samples with an axis {axis}");
                    return Err(plan.error(input, &expected, "axes count from 0; choose one that there is"));
                }
            },
        };
        if input.size() == 0 {
            return Err(plan.error(input, "samples with values", "look for an axis of length 0"));
        }
        plan.bias("slope", shape, (1, 1), &self.start)?;
        Ok((input, Slopes { channels: shape.size(), inner, ..Slopes::default() }))
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Slopes<T>>) {
        let s = params.values(cache.channels);
        let x = packed(x, &mut cache.x);
        fill_packed(y, &mut cache.y, |y| {
            vector::map_channels(
                cache.inner,
                [x],
                [s],
                y,
                #[inline(always)]
                |[z], [s], _| if z > T::zero() { z } else { s * z },
            );
        });
    }

    fn backward(&self, Backward { mut params, mut grads, x, dy, dx, cache, .. }: Backward<'_, T, Slopes<T>>) {
        let (s, ds) = (params.values(cache.channels), grads.values(cache.channels));
        let (x, dy) = (packed(x, &mut cache.x), packed(dy, &mut cache.dy));
        vector::sum_channels(
            cache.inner,
            [x, dy],
            [],
            [ds],
            #[inline(always)]
            |[z, dy], []| [if z > T::zero() { T::zero() } else { z * dy }],
        );
        let Some(dx) = dx else { return };
        fill_packed(dx, &mut cache.y, |dx| {
            vector::map_channels(
                cache.inner,
                [x, dy],
                [s],
                dx,
                #[inline(always)]
                |[z, dy], [s], _| if z > T::zero() { dy } else { s * dy },
            );
        });
    }
}
