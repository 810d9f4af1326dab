//! Positional encodings, added to each step.

use std::sync::{Arc, OnceLock};

use chainrule_core::{Backward, Forward, Initializer, Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::vector::LongSum;
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use super::sequences::{is_padding, sequence, zero_padding};
use crate::init::Normal;

/// Sinusoidal positional encoding (Vaswani et al. 2017, section 3.5), added to samples `[steps, features]`:
///
/// ```text
/// y[s, 2i] = x[s, 2i] + sin(s / 10000²ⁱᐟᶠᵉᵃᵗᵘʳᵉˢ)      y[s, 2i + 1] = x[s, 2i + 1] + cos(s / 10000²ⁱᐟᶠᵉᵃᵗᵘʳᵉˢ)
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SinusoidalPositions {
    masked: bool,
}

describe! {
    /// Adds sines and cosines of the position to each step.
    SinusoidalPositions = "sinusoidal_positions";
    source "Vaswani et al. 2017";
    settings {
        /// Whether steps of zeros are padding, and stay so.
        masked: false;
    }
}

impl SinusoidalPositions {
    /// Adds the encoding to every step.
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps of zeros are padding and stay zeros.
    #[must_use]
    pub fn masked(self) -> Self {
        Self { masked: true }
    }
}

/// Learned positional embeddings, added to samples `[steps, features]`: `Y = X + P`, with `P` of shape `[steps, features]`.
///
/// They are initialised from a normal distribution with standard deviation 0.02 (Devlin et al. 2019, "BERT").
#[derive(Clone, Debug)]
pub struct LearnedPositions {
    masked: bool,
    weight: Arc<dyn Initializer>,
}

describe! {
    /// Adds a trained vector to each step.
    LearnedPositions = "learned_positions";
    aliases ["position_embedding"];
    settings {
        /// Whether steps of zeros are padding, and stay so.
        masked: false;
        /// The first vectors.
        weight as "weight_init" ("embeddings_initializer"): normal(0.0, 0.02);
    }
}

impl LearnedPositions {
    /// A vector for each step.
    pub fn new() -> Self {
        Self { masked: false, weight: Arc::new(Normal::new(0.0, 0.02)) }
    }

    /// Sets the initialiser of the vectors.
    #[must_use]
    pub fn weight_init(self, init: impl Initializer + 'static) -> Self {
        Self { weight: Arc::new(init), ..self }
    }

    /// Steps of zeros are padding and stay zeros.
    #[must_use]
    pub fn masked(self) -> Self {
        Self { masked: true, ..self }
    }
}

impl Default for LearnedPositions {
    fn default() -> Self {
        Self::new()
    }
}

/// The cache of positions: the number of features of a step; if they are sinusoidal, their values, which are computed in the
/// first pass and shared by all copies; and the gradient of trained ones, where some steps do not count.
#[derive(Clone, Debug, Default)]
pub struct PositionsCache<T: Real> {
    features: usize,
    values: Arc<OnceLock<Buffer<T>>>,
    gradient: LongSum<T>,
}

/// `size` values of sinusoidal positions.
fn sinusoidal<T: Real>(size: usize, features: usize) -> Buffer<T> {
    let mut values = Buffer::zeros(size);
    for (step, values) in values.chunks_exact_mut(features).enumerate() {
        for (feature, value) in values.iter_mut().enumerate() {
            let pair = feature / 2;
            let odd = feature % 2 == 1;
            let angle = step as f64 / 10_000f64.powf(2.0 * pair as f64 / features as f64);
            *value = T::of(if odd { angle.cos() } else { angle.sin() });
        }
    }
    values
}

/// `Y = X + P` for every sample; if `masked`, not for steps of padding.
fn add<T: Real>(x: ArrayView2<'_, T>, p: &[T], features: usize, masked: bool, mut y: ArrayViewMut2<'_, T>) {
    let p = ArrayView1::from(p);
    y.assign(&x);
    for (x, y) in x.rows().into_iter().zip(y.rows_mut()) {
        add_steps(x, p, features, masked, y);
    }
}

/// `y += values`; if `masked`, not for steps of padding in `x`.
fn add_steps<T: Real>(
    x: ArrayView1<'_, T>,
    values: ArrayView1<'_, T>,
    features: usize,
    masked: bool,
    mut y: ArrayViewMut1<'_, T>,
) {
    if !masked {
        return vector::add(values, y);
    }
    let steps = x.exact_chunks(features).into_iter().zip(values.exact_chunks(features));
    for ((x, values), y) in steps.zip(y.exact_chunks_mut(features)) {
        if !is_padding(x) {
            vector::add(values, y);
        }
    }
}

/// `dX = dY`; if `masked`, 0 for steps of padding.
fn backward_data<T: Real>(
    x: ArrayView2<'_, T>,
    dy: ArrayView2<'_, T>,
    features: usize,
    masked: bool,
    mut dx: ArrayViewMut2<'_, T>,
) {
    dx.assign(&dy);
    if masked {
        zero_padding(x, dx, [features; 2]);
    }
}

impl<T: Real> Layer<T> for SinusoidalPositions {
    type Cache = PositionsCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, PositionsCache<T>), ShapeError> {
        let [steps, features] = sequence(input, plan)?;
        plan.check_size(steps * features)?;
        Ok((input, PositionsCache { features, ..PositionsCache::default() }))
    }

    described!();

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, PositionsCache<T>>) {
        let values = cache.values.get_or_init(|| sinusoidal(x.ncols(), cache.features));
        add(x, values, cache.features, self.masked, y);
    }

    fn backward(&self, Backward { x, dy, dx, cache, .. }: Backward<'_, T, PositionsCache<T>>) {
        if let Some(dx) = dx {
            backward_data(x, dy, cache.features, self.masked, dx);
        }
    }
}

impl<T: Real> Layer<T> for LearnedPositions {
    type Cache = PositionsCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, PositionsCache<T>), ShapeError> {
        let [steps, features] = sequence(input, plan)?;
        plan.weight("weight", [steps, features], (steps, features), &self.weight)?;
        Ok((input, PositionsCache { features, ..PositionsCache::default() }))
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, PositionsCache<T>>) {
        add(x, params.values(x.ncols()), cache.features, self.masked, y);
    }

    fn backward(&self, Backward { mut grads, x, dy, dx, cache, .. }: Backward<'_, T, PositionsCache<T>>) {
        let PositionsCache { features, gradient, .. } = cache;
        if self.masked {
            gradient.start(x.ncols());
            for (x, dy) in x.rows().into_iter().zip(dy.rows()) {
                add_steps(x, dy, *features, true, gradient.part().into());
            }
            gradient.add_to(grads.values(x.ncols()));
        } else {
            vector::sum_rows(dy, grads.take([x.ncols()])); //                dP += Σ rows of dY
        }
        if let Some(dx) = dx {
            backward_data(x, dy, cache.features, self.masked, dx);
        }
    }
}
