//! The rectified linear unit with random slopes.

use chainrule_core::{Backward, Forward, Layer, Mode, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Seed, Shape, vector};

use super::{Activation, LeakyRelu, possible};
use crate::packed::{fill_packed, packed};

/// `z` where it is positive, else `s z` (Xu et al. 2015). In training each `s` is drawn uniformly from
/// `[lower, upper)`, otherwise it is their mean. The limits are 1/8 and 1/3 by default, as in PyTorch.
///
/// The draws depend on the seed and on the sample's place in the batch, not on threads. They are drawn again in
/// `backward` instead of being kept.
#[derive(Clone, Copy, Debug)]
pub struct Rrelu {
    lower: f64,
    upper: f64,
}

impl Rrelu {
    /// With slopes between these.
    pub fn new(lower: f64, upper: f64) -> Self {
        Self { lower, upper }
    }

    /// What it is outside of training.
    fn mean(self) -> LeakyRelu {
        LeakyRelu::new(0.5 * (self.lower + self.upper))
    }

    /// The derivatives at two values, each with a slope of 32 of the bits.
    #[inline(always)]
    fn slopes<T: Real>(self, z: [T; 2], bits: u64) -> [T; 2] {
        let slope = |bits: u64| {
            let uniform = f64::from((bits as u32 >> 1) as i32) * 2f64.powi(-31);
            T::of(self.lower + (self.upper - self.lower) * uniform)
        };
        let [first, second] = [slope(bits), slope(bits >> 32)];
        let one = T::one();
        [if z[0] > T::zero() { one } else { first }, if z[1] > T::zero() { one } else { second }]
    }
}

impl Default for Rrelu {
    fn default() -> Self {
        Self::new(1.0 / 8.0, 1.0 / 3.0)
    }
}

/// What a [`Rrelu`] remembers: whose draws they were.
#[derive(Clone, Debug, Default)]
pub struct DrawnSlopes<T: Real> {
    /// The seed and the first row of the last pass, if that was training.
    drawn: Option<(Seed, usize)>,
    /// Copies of batches that are strided.
    x: Buffer<T>,
    dy: Buffer<T>,
    y: Buffer<T>,
}

impl<T: Real> Layer<T> for Rrelu {
    type Cache = DrawnSlopes<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, DrawnSlopes<T>), ShapeError> {
        let settings = match self.lower.is_finite() && self.upper.is_finite() && self.lower <= self.upper {
            true => Ok(()),
            false => Err("a lower slope of at most the upper one"),
        };
        possible(settings, input, plan)?;
        Ok((input, DrawnSlopes::default()))
    }

    fn forward(&self, Forward { x, y, cache, mode, .. }: Forward<'_, T, DrawnSlopes<T>>) {
        let (f, mean, size) = (*self, self.mean(), x.ncols().max(1));
        let Mode::Train { seed, first_row } = mode else {
            cache.drawn = None;
            return vector::map(
                x,
                y,
                #[inline(always)]
                move |z| mean.value(z),
            );
        };
        cache.drawn = Some((seed, first_row));
        let x = packed(x, &mut cache.x);
        fill_packed(y, &mut cache.y, |y| {
            for (row, (x, y)) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)).enumerate() {
                vector::map_random(
                    seed.child((first_row + row) as u64),
                    [x],
                    y,
                    #[inline(always)]
                    move |[[a], [b]], bits| {
                        let [s, t] = f.slopes([a, b], bits);
                        [s * a, t * b]
                    },
                );
            }
        });
    }

    fn backward(&self, Backward { x, y, dy, dx, cache, .. }: Backward<'_, T, DrawnSlopes<T>>) {
        let (f, mean, size) = (*self, self.mean(), x.ncols().max(1));
        let Some(dx) = dx else { return };
        let Some((seed, first_row)) = cache.drawn else {
            return vector::map3(
                x,
                y,
                dy,
                dx,
                #[inline(always)]
                move |z, a, dy| dy * mean.slope(z, a),
            );
        };
        let (x, dy) = (packed(x, &mut cache.x), packed(dy, &mut cache.dy));
        fill_packed(dx, &mut cache.y, |dx| {
            let rows = x.chunks_exact(size).zip(dy.chunks_exact(size)).zip(dx.chunks_exact_mut(size));
            for (row, ((x, dy), dx)) in rows.enumerate() {
                vector::map_random(
                    seed.child((first_row + row) as u64),
                    [x, dy],
                    dx,
                    #[inline(always)]
                    move |[[a, da], [b, db]], bits| {
                        let [s, t] = f.slopes([a, b], bits);
                        [s * da, t * db]
                    },
                );
            }
        });
    }
}
