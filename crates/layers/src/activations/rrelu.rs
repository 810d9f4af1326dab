//! The randomized rectified linear unit.

use chainrule_core::{Backward, Forward, Layer, Mode, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::{Buffer, Real, Seed, Shape, map, map_random};

use super::{Activation, LeakyRelu, check_settings, is_finite};
use crate::contiguous::{contiguous, write_contiguous};

/// `z` where it is positive, else `s z` (Xu et al. 2015). In training each `s` is drawn uniformly from
/// `[lower, upper)`, otherwise it is their mean. The limits are 1/8 and 1/3 by default, as in PyTorch.
///
/// The draws depend on the seed and on the sample's index in the batch, not on threads. `backward` repeats them instead of
/// storing them.
#[derive(Clone, Copy, Debug)]
pub struct Rrelu {
    lower: f64,
    upper: f64,
}

describe! {
    /// A rectified linear unit with a random slope below 0 in training.
    Rrelu = "rrelu";
    formula "a = z where z > 0, else r z";
    source "Xu et al. 2015";
    settings {
        /// The smallest slope.
        lower: 0.125, Range::FINITE;
        /// The largest slope.
        upper: 0.3333333333333333, Range::FINITE;
    }
}

impl Rrelu {
    /// With slopes in `[lower, upper)`.
    pub fn new(lower: f64, upper: f64) -> Self {
        Self { lower, upper }
    }

    /// The activation outside of training.
    fn mean(self) -> LeakyRelu {
        LeakyRelu::new(0.5 * (self.lower + self.upper))
    }

    /// The derivatives at two values; each draws its slope from 32 of the bits.
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

/// The cache of a [`Rrelu`]: what its draws depend on.
#[derive(Clone, Debug, Default)]
pub struct RreluCache<T: Real> {
    /// The seed and the first row of the last pass, if that was training.
    drawn: Option<(Seed, usize)>,
    /// Copies of strided batches.
    x: Buffer<T>,
    dy: Buffer<T>,
    y: Buffer<T>,
}

impl<T: Real> Layer<T> for Rrelu {
    type Cache = RreluCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, RreluCache<T>), ShapeError> {
        let valid = is_finite::<T>(self.lower) && is_finite::<T>(self.upper) && self.lower <= self.upper;
        let settings = if valid { Ok(()) } else { Err("a lower slope of at most the upper slope") };
        check_settings(settings, input, plan)?;
        Ok((input, RreluCache::default()))
    }

    described!();

    fn forward(&self, Forward { x, y, cache, mode, .. }: Forward<'_, T, RreluCache<T>>) {
        let Mode::Train { seed, first_row } = mode else {
            let mean = self.mean();
            cache.drawn = None;
            return map!(y = |z: x| mean.value(z));
        };
        let f = *self;
        let size = x.ncols().max(1);
        cache.drawn = Some((seed, first_row));
        let x = contiguous(x, &mut cache.x);
        write_contiguous(y, &mut cache.y, |y| {
            for (row, (x, y)) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)).enumerate() {
                let seed = seed.child((first_row + row) as u64);
                map_random!(
                    seed,
                    y = |[a, b]: x, bits| {
                        let [s, t] = f.slopes([a, b], bits);
                        [s * a, t * b]
                    }
                );
            }
        });
    }

    fn backward(&self, Backward { x, y, dy, dx, cache, .. }: Backward<'_, T, RreluCache<T>>) {
        let Some(dx) = dx else { return };
        let Some((seed, first_row)) = cache.drawn else {
            let mean = self.mean();
            return map!(dx = |z: x, a: y, dy| dy * mean.derivative(z, a));
        };
        let f = *self;
        let size = x.ncols().max(1);
        let x = contiguous(x, &mut cache.x);
        let dy = contiguous(dy, &mut cache.dy);
        write_contiguous(dx, &mut cache.y, |dx| {
            let rows = x.chunks_exact(size).zip(dy.chunks_exact(size)).zip(dx.chunks_exact_mut(size));
            for (row, ((x, dy), dx)) in rows.enumerate() {
                let seed = seed.child((first_row + row) as u64);
                map_random!(
                    seed,
                    dx = |[a, b]: x, [da, db]: dy, bits| {
                        let [s, t] = f.slopes([a, b], bits);
                        [s * da, t * db]
                    }
                );
            }
        });
    }
}
