//! Layers that draw a random scale and shift, `y = a x + b`.

use std::fmt::Debug;

use chainrule_core::{Mode, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Seed, Shape, map_channels, map_random};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::contiguous::{contiguous, write_contiguous};

/// A random scale and shift, `y = a x + b`, drawn for each group of values. [`noise_layer`] implements the layer.
pub(super) trait Noise: Copy + Debug + Send + Sync + 'static {
    /// Checks the settings, and returns which values of a sample of this shape share a draw.
    fn groups(self, input: Shape, plan: &Plan) -> Result<NoiseGroups, ShapeError>;

    /// `[a, b]` of two groups, from 64 random bits. To be `#[inline(always)]` and free of branches and calls.
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2];
}

/// Which values share a draw: a sample is `[outer, count, inner]`, and each of the `count` groups has one draw.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NoiseGroups {
    pub(super) count: usize,
    pub(super) inner: usize,
}

impl NoiseGroups {
    /// A draw for each value.
    pub(super) fn values(input: Shape) -> Self {
        Self { count: input.size(), inner: 1 }
    }

    /// A draw for each channel of `[channels, spatial...]` or, if `last`, of `[spatial..., channels]`.
    pub(super) fn channels(last: bool, input: Shape, plan: &Plan) -> Result<Self, ShapeError> {
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

/// Checks a drop probability.
pub(super) fn check_probability(p: f64, input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    if (0.0..1.0).contains(&p) {
        return Ok(());
    }
    let help = "choose a probability of at least 0 and below 1";
    Err(plan.setting_error(input, "a p from 0 to below 1", help))
}

/// `dropped` with probability `p`, else `kept`: two decisions, each by 32 of the bits.
#[inline(always)]
pub(super) fn drop_or_keep<V: Copy>(p: f64, bits: u64, dropped: V, kept: V) -> [V; 2] {
    let threshold = (p * 2f64.powi(32)) as u32;
    let [first, second] = [bits as u32, (bits >> 32) as u32];
    [if first < threshold { dropped } else { kept }, if second < threshold { dropped } else { kept }]
}

/// What a layer with random scales and shifts keeps between its passes: how to repeat the draws in `backward`.
#[derive(Clone, Debug, Default)]
pub struct NoiseCache<T: Real> {
    groups: NoiseGroups,
    /// The seed and the first row of the last pass, if it was training.
    drawn: Option<(Seed, usize)>,
    /// The draws of one sample, if groups have more than one value.
    a: Buffer<T>,
    b: Buffer<T>,
    /// Copies of strided batches.
    x: Buffer<T>,
    y: Buffer<T>,
}

impl<T: Real> NoiseCache<T> {
    pub(super) fn new(groups: NoiseGroups) -> Self {
        Self { groups, ..Self::default() }
    }

    /// Sets whether and how this pass draws.
    pub(super) fn start(&mut self, mode: Mode) {
        self.drawn = match mode {
            Mode::Train { seed, first_row } => Some((seed, first_row)),
            Mode::Eval => None,
        };
    }

    /// `y = a x + b`, or `y = a x` without `SHIFT`, with the draws of the last pass; the identity if it drew none.
    pub(super) fn apply<const SHIFT: bool>(
        &mut self,
        noise: impl Noise,
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        let Some((seed, first_row)) = self.drawn else { return y.assign(&x) };
        let Self { groups: NoiseGroups { count, inner }, a, b, x: x_copy, y: y_copy, .. } = self;
        let size = x.ncols().max(1);
        let count = *count;
        let inner = *inner;
        let x = contiguous(x, x_copy);
        write_contiguous(y, y_copy, |y| {
            for (row, (x, y)) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)).enumerate() {
                let seed = seed.child((first_row + row) as u64);
                if count == size {
                    map_random!(
                        seed,
                        y = |[u, v]: x, bits| {
                            let [[a, b], [c, d]] = noise.draw::<T>(bits);
                            if SHIFT { [a * u + b, c * v + d] } else { [a * u, c * v] }
                        }
                    );
                    continue;
                }
                a.reserve(count);
                b.reserve(count);
                let a = &mut a[..count];
                let b = &mut b[..count];
                map_random!(
                    seed,
                    a = |bits| {
                        let [[a, _], [c, _]] = noise.draw(bits);
                        [a, c]
                    }
                );
                map_random!(
                    seed,
                    b = |bits| {
                        let [[_, b], [_, d]] = noise.draw(bits);
                        [b, d]
                    }
                );
                map_channels!(inner, y = |[x], [a, b]| if SHIFT { a * x + b } else { a * x });
            }
        });
    }
}

/// Implements the layer of a [`Noise`].
macro_rules! noise_layer {
    ($name:ident) => {
        impl<T: ::chainrule_tensor::Real> ::chainrule_core::Layer<T> for $name {
            type Cache = $crate::regularization::noise::NoiseCache<T>;

            fn plan(
                &self,
                input: ::chainrule_tensor::Shape,
                plan: &mut ::chainrule_core::Plan,
            ) -> Result<(::chainrule_tensor::Shape, Self::Cache), ::chainrule_core::ShapeError> {
                let groups = $crate::regularization::noise::Noise::groups(*self, input, plan)?;
                Ok((input, $crate::regularization::noise::NoiseCache::new(groups)))
            }

            ::chainrule_core::described!();

            fn forward(&self, pass: ::chainrule_core::Forward<'_, T, Self::Cache>) {
                let ::chainrule_core::Forward { x, y, cache, mode, .. } = pass;
                cache.start(mode);
                cache.apply::<true>(*self, x, y); //                  y = a x + b
            }

            fn backward(&self, pass: ::chainrule_core::Backward<'_, T, Self::Cache>) {
                let ::chainrule_core::Backward { dy, dx: Some(dx), cache, .. } = pass else { return };
                cache.apply::<false>(*self, dy, dx); //               dx = a dy
            }
        }
    };
}
pub(super) use noise_layer;
