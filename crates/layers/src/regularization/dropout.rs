//! Dropout.

use chainrule_layer::{Backward, Forward, Layer, Mode, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

/// In training, sets each value to 0 with probability `p` and divides the others by `1 - p`; otherwise the
/// identity (Srivastava et al. 2014, "inverted" as in PyTorch and Keras).
///
/// What is dropped depends on the seed, the step and the sample's place in the batch, not on threads.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Drops with probability `p`, in `[0, 1)`.
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

/// What a [`Dropout`] remembers: the factor of each value, 0 or `1 / (1 - p)`; nothing outside training.
#[derive(Clone, Debug, Default)]
pub struct Mask<T: Real> {
    factors: Buffer<T>,
    training: bool,
}

impl<T: Real> Layer<T> for Dropout {
    type Cache = Mask<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Mask<T>), ShapeError> {
        if !(0.0..1.0).contains(&self.p) {
            let help = "choose a probability of at least 0 and below 1";
            return Err(plan.error(input, "any samples, with p in [0, 1),", help));
        }
        Ok((input, Mask { factors: Buffer::default(), training: false }))
    }

    fn forward(&self, Forward { x, mut y, cache, mode, .. }: Forward<'_, T, Mask<T>>) {
        let Mode::Train { seed, first_row } = mode else {
            cache.training = false;
            return y.assign(&x);
        };
        cache.training = true;
        let (rows, columns) = x.dim();
        cache.factors.reserve(rows * columns);
        // 64 random bits below p 2⁶⁴ drop the value.
        let (threshold, kept) = ((self.p * 2f64.powi(64)) as u64, T::of(1.0 / (1.0 - self.p)));
        for (row, factors) in cache.factors.chunks_exact_mut(columns).take(rows).enumerate() {
            let seed = seed.child((first_row + row) as u64);
            for (column, factor) in factors.iter_mut().enumerate() {
                *factor = if seed.bits(column as u64) < threshold { T::zero() } else { kept };
            }
        }
        vector::map2(
            x,
            cache.factors.matrix(rows, columns),
            y,
            #[inline(always)]
            |x, factor| x * factor,
        );
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, Mask<T>>) {
        let Some(mut dx) = dx else { return };
        if !cache.training {
            return dx.assign(&dy);
        }
        let factors = cache.factors.matrix(dy.nrows(), dy.ncols());
        vector::map2(
            dy,
            factors,
            dx,
            #[inline(always)]
            |dy, factor| dy * factor,
        );
    }
}
