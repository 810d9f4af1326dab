//! Layers that only act in training, against learning by heart.
//!
//! Most of them draw a random affine map for each value, channel or sample, `y = a x + b`, so that `dx = a dy`.
//! Such a layer is only a `Noise`: which values share a draw, and what is drawn. What it draws depends on the
//! seed and on the sample's place in the batch, not on threads, and it is drawn again in `backward` instead of being
//! kept: two values share 64 random bits, and the loop over them is vector instructions.

mod activity_regularization;
mod alpha_dropout;
mod drop_path;
mod dropout;
mod gaussian;
mod spatial_dropout;

pub use activity_regularization::ActivityRegularization;
pub use alpha_dropout::{AlphaDropout, FeatureAlphaDropout};
pub use drop_path::DropPath;
pub use dropout::Dropout;
pub use gaussian::{GaussianDropout, GaussianNoise};
pub use spatial_dropout::SpatialDropout;

use std::fmt::Debug;

use chainrule_core::{Backward, Forward, Layer, Mode, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Seed, Shape, vector};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::contiguous::{contiguous, write_contiguous};

/// A random affine map `y = a x + b`, drawn anew for each group of values. The macro below makes a layer of it.
trait Noise: Copy + Debug + Send + Sync + 'static {
    /// Checks the settings, and says which values of a sample of this shape share a draw.
    fn groups(self, input: Shape, plan: &Plan) -> Result<Groups, ShapeError>;

    /// `[a, b]` of two groups, from 64 random bits. To be `#[inline(always)]` and free of branches and calls.
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2];
}

/// Which values share a draw: a sample is `[outer, count, inner]`, and each of the `count` groups draws once.
#[derive(Clone, Copy, Debug, Default)]
struct Groups {
    count: usize,
    inner: usize,
}

impl Groups {
    /// Each value draws for itself.
    fn values(input: Shape) -> Self {
        Self { count: input.size(), inner: 1 }
    }

    /// Each channel of `[channels, spatial...]` draws once or, if `last`, of `[spatial..., channels]`.
    fn channels(last: bool, input: Shape, plan: &Plan) -> Result<Self, ShapeError> {
        match (&*input, last) {
            (&[channels, ref spatial @ ..], false) if !spatial.is_empty() => {
                Ok(Self { count: channels, inner: spatial.iter().product() })
            }
            (&[_, .., channels], true) => Ok(Self { count: channels, inner: 1 }),
            (_, false) => {
                Err(plan.error(input, "[channels, spatial...]", "a vector has no channels to drop"))
            }
            (_, true) => Err(plan.error(input, "[steps, features]", "a vector has no steps to share a draw")),
        }
    }
}

/// Checks a probability of dropping.
fn probability(p: f64, input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    if (0.0..1.0).contains(&p) {
        return Ok(());
    }
    let help = "choose a probability of at least 0 and below 1";
    Err(plan.error(input, "any samples, with p in [0, 1),", help))
}

/// `dropped` with probability `p`, else `kept`: two decisions, each by 32 of the bits.
#[inline(always)]
fn decide<V: Copy>(p: f64, bits: u64, dropped: V, kept: V) -> [V; 2] {
    let threshold = (p * 2f64.powi(32)) as u32;
    [bits as u32, (bits >> 32) as u32].map(
        #[inline(always)]
        |bits| if bits < threshold { dropped } else { kept },
    )
}

/// What a random layer remembers: whose draws they were. It draws them again in `backward`.
#[derive(Clone, Debug, Default)]
pub struct Mask<T: Real> {
    groups: Groups,
    /// The seed and the first row of the last pass, if that was training.
    drawn: Option<(Seed, usize)>,
    /// The draws of one sample, where groups have many values.
    a: Buffer<T>,
    b: Buffer<T>,
    /// Copies of batches that are strided.
    x: Buffer<T>,
    y: Buffer<T>,
}

impl<T: Real> Mask<T> {
    fn new(groups: Groups) -> Self {
        Self { groups, ..Self::default() }
    }

    /// `y = a x + b`, or `y = a x` without `SHIFT`, with the draws of the last pass; the identity if it drew none.
    fn apply<const SHIFT: bool>(
        &mut self,
        noise: impl Noise,
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        let Some((seed, first_row)) = self.drawn else { return y.assign(&x) };
        let Self { groups: Groups { count, inner }, a, b, x: x_copy, y: y_copy, .. } = self;
        let (size, count, inner) = (x.ncols().max(1), *count, *inner);
        let x = contiguous(x, x_copy);
        write_contiguous(y, y_copy, |y| {
            for (row, (x, y)) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)).enumerate() {
                let seed = seed.child((first_row + row) as u64);
                if count == size {
                    vector::map_random(
                        seed,
                        [x],
                        y,
                        #[inline(always)]
                        |[[x], [z]], bits| {
                            let [[a, b], [c, d]] = noise.draw::<T>(bits);
                            if SHIFT { [a * x + b, c * z + d] } else { [a * x, c * z] }
                        },
                    );
                    continue;
                }
                a.reserve(count);
                b.reserve(count);
                let (a, b) = (&mut a[..count], &mut b[..count]);
                vector::map_random(
                    seed,
                    [],
                    a,
                    #[inline(always)]
                    |_, bits| noise.draw(bits).map(|[a, _]| a),
                );
                vector::map_random(
                    seed,
                    [],
                    b,
                    #[inline(always)]
                    |_, bits| noise.draw(bits).map(|[_, b]| b),
                );
                vector::map_channels(
                    inner,
                    [x],
                    [a, b],
                    y,
                    #[inline(always)]
                    |[x], [a, b], _| if SHIFT { a * x + b } else { a * x },
                );
            }
        });
    }
}

/// The two passes of a layer that applies a [`Noise`].
macro_rules! random {
    ($($name:ident)*) => {$(
        impl<T: Real> Layer<T> for $name {
            type Cache = Mask<T>;

            fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Mask<T>), ShapeError> {
                Ok((input, Mask::new(self.groups(input, plan)?)))
            }

            fn forward(&self, Forward { x, y, cache, mode, .. }: Forward<'_, T, Mask<T>>) {
                cache.drawn = match mode {
                    Mode::Train { seed, first_row } => Some((seed, first_row)),
                    Mode::Eval => None,
                };
                cache.apply::<true>(*self, x, y); //                  y = a x + b
            }

            fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, Mask<T>>) {
                if let Some(dx) = dx {
                    cache.apply::<false>(*self, dy, dx); //           dx = a dy
                }
            }
        }
    )*};
}

random!(Dropout SpatialDropout DropPath AlphaDropout FeatureAlphaDropout GaussianDropout GaussianNoise);
