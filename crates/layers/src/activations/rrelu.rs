//! The rectified linear unit with random slopes.

use chainrule_layer::{Backward, Forward, Layer, Mode, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use super::{Activation, LeakyRelu, possible};

/// `z` where it is positive, else `s z` (Xu et al. 2015). In training each `s` is drawn uniformly from
/// `[lower, upper)`, otherwise it is their mean. The limits are 1/8 and 1/3 by default, as in PyTorch.
///
/// The draws depend on the seed, the step and the sample's place in the batch, not on threads.
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
}

impl Default for Rrelu {
    fn default() -> Self {
        Self::new(1.0 / 8.0, 1.0 / 3.0)
    }
}

/// What a [`Rrelu`] remembers: the factor of each value, 1 or the slope; nothing outside training.
#[derive(Clone, Debug, Default)]
pub struct Drawn<T: Real> {
    factors: Buffer<T>,
    training: bool,
}

impl<T: Real> Layer<T> for Rrelu {
    type Cache = Drawn<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Drawn<T>), ShapeError> {
        let settings = match self.lower.is_finite() && self.upper.is_finite() && self.lower <= self.upper {
            true => Ok(()),
            false => Err("a lower slope of at most the upper one"),
        };
        possible(settings, input, plan)?;
        plan.memory(input.size());
        Ok((input, Drawn::default()))
    }

    fn forward(&self, Forward { x, y, cache, mode, .. }: Forward<'_, T, Drawn<T>>) {
        let Mode::Train { seed, first_row } = mode else {
            cache.training = false;
            let f = self.mean();
            return vector::map(
                x,
                y,
                #[inline(always)]
                move |z| f.value(z),
            );
        };
        cache.training = true;
        let (rows, columns) = x.dim();
        cache.factors.reserve(rows * columns);
        for row in 0..rows {
            let mut rng = seed.child((first_row + row) as u64).rng();
            for (factor, &z) in cache.factors[row * columns..].iter_mut().zip(x.row(row)) {
                let slope = T::of(rng.between(self.lower, self.upper));
                *factor = if z > T::zero() { T::one() } else { slope };
            }
        }
        vector::map2(
            x,
            cache.factors.matrix(rows, columns),
            y,
            #[inline(always)]
            |z, factor| factor * z,
        );
    }

    fn backward(&self, Backward { x, y, dy, dx, cache, .. }: Backward<'_, T, Drawn<T>>) {
        let Some(dx) = dx else { return };
        if cache.training {
            let factors = cache.factors.matrix(dy.nrows(), dy.ncols());
            vector::map2(
                dy,
                factors,
                dx,
                #[inline(always)]
                |dy, factor| factor * dy,
            );
        } else {
            let f = self.mean();
            vector::map3(
                x,
                y,
                dy,
                dx,
                #[inline(always)]
                move |z, a, dy| dy * f.slope(z, a),
            );
        }
    }
}
