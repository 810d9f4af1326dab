//! The rectified linear unit with trained slopes.

use std::sync::Arc;

use chainrule_layer::{Backward, Constant, Forward, Initializer, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::s;

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

/// What a [`Prelu`] remembers.
#[derive(Clone, Debug, Default)]
pub struct Slopes<T: Real> {
    count: usize,
    /// How many neighbouring values have one slope.
    run: usize,
    /// The slope of each value of a sample.
    each: Buffer<T>,
    /// For one sample, `dy z` where `z` is not positive; and its sum over the samples.
    products: Buffer<T>,
    sums: Buffer<T>,
}

impl<T: Real> Layer<T> for Prelu {
    type Cache = Slopes<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Slopes<T>), ShapeError> {
        let shape = match self.shared {
            Shared::All => Shape::from([1]),
            Shared::Along(axis) => match input.get(axis) {
                Some(&channels) => Shape::from([channels]),
                None => {
                    let expected = format!("samples with an axis {axis}");
                    return Err(plan.error(input, &expected, "axes count from 0; choose one that there is"));
                }
            },
            Shared::None => input,
        };
        if input.size() == 0 {
            return Err(plan.error(input, "samples with values", "look for an axis of length 0"));
        }
        let run = match self.shared {
            Shared::All => input.size(),
            Shared::Along(axis) => input[axis + 1..].iter().product(),
            Shared::None => 1,
        };
        plan.bias("slope", shape, (1, 1), &self.start);
        Ok((input, Slopes { count: shape.size(), run, ..Slopes::default() }))
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Slopes<T>>) {
        let slopes = params.values(cache.count);
        cache.each.reserve(x.ncols());
        for (run, &slope) in cache.each.chunks_exact_mut(cache.run).zip(slopes.iter().cycle()) {
            run.fill(slope);
        }
        let slopes = cache.each.matrix(1, x.ncols());
        let slopes = slopes.broadcast(x.dim()).expect("one row is as many as are wanted");
        vector::map2(
            x,
            slopes,
            y,
            #[inline(always)]
            |z, s| if z > T::zero() { z } else { s * z },
        );
    }

    fn backward(&self, Backward { mut params, mut grads, x, dy, dx, cache, .. }: Backward<'_, T, Slopes<T>>) {
        let (rows, columns) = x.dim();
        let Slopes { count, run, each, products, sums } = cache;
        params.values(*count);
        if let Some(dx) = dx {
            let slopes = each.matrix(1, columns);
            let slopes = slopes.broadcast(x.dim()).expect("one row is as many as are wanted");
            vector::map3(
                x,
                slopes,
                dy,
                dx,
                #[inline(always)]
                |z, s, dy| if z > T::zero() { dy } else { s * dy },
            );
        }
        products.reserve(columns);
        sums.reserve(columns);
        sums.fill(T::zero());
        for row in 0..rows {
            vector::map2(
                x.slice(s![row..=row, ..]),
                dy.slice(s![row..=row, ..]),
                products.matrix_mut(1, columns),
                #[inline(always)]
                |z, dy| if z > T::zero() { T::zero() } else { z * dy },
            );
            vector::accumulate(products.matrix(1, columns), sums.matrix_mut(1, columns));
        }
        let ds = grads.values(*count);
        for (index, run) in sums.chunks_exact(*run).enumerate() {
            ds[index % *count] += vector::sum(run);
        }
    }
}
