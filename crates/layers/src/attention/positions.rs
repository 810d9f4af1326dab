//! Positions that are added to each step.

use std::sync::{Arc, OnceLock};

use chainrule_core::{Backward, Forward, Initializer, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use super::steps::{is_padding, sequence, spec};
use crate::init::Normal;

/// Sinusoidal positions (Vaswani et al. 2017, section 3.5), added to samples `[steps, features]`:
///
/// ```text
/// y[s, 2i] = x[s, 2i] + sin(s / 10000²ⁱᐟᶠᵉᵃᵗᵘʳᵉˢ)      y[s, 2i + 1] = x[s, 2i + 1] + cos(s / 10000²ⁱᐟᶠᵉᵃᵗᵘʳᵉˢ)
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SinusoidalPositions {
    masked: bool,
}

impl SinusoidalPositions {
    /// The positions of every step.
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps of zeros are padding, and stay zeros.
    #[must_use]
    pub fn masked(self) -> Self {
        Self { masked: true }
    }
}

/// Learned positions, added to samples `[steps, features]`: `Y = X + P`, with `P` of shape `[steps, features]`.
///
/// They start normal with standard deviation 0.02 (Devlin et al. 2019, "BERT").
#[derive(Clone, Debug)]
pub struct LearnedPositions {
    masked: bool,
    weight: Arc<dyn Initializer>,
}

impl LearnedPositions {
    /// A vector for each step.
    pub fn new() -> Self {
        Self { masked: false, weight: Arc::new(Normal::new(0.0, 0.02)) }
    }

    /// Another rule for the first vectors.
    #[must_use]
    pub fn weight_init(self, init: impl Initializer + 'static) -> Self {
        Self { weight: Arc::new(init), ..self }
    }

    /// Steps of zeros are padding, and stay zeros.
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

/// What positions remember: how many features a step has, and, if they are sinusoidal, themselves from the first pass on.
/// All copies share these.
#[derive(Clone, Debug, Default)]
pub struct Positions<T: Real> {
    features: usize,
    values: Arc<OnceLock<Buffer<T>>>,
}

/// The sinusoidal positions of so many values.
fn sinusoidal<T: Real>(size: usize, features: usize) -> Buffer<T> {
    let mut values = Buffer::zeros(size);
    for (step, values) in values.chunks_exact_mut(features).enumerate() {
        for (feature, value) in values.iter_mut().enumerate() {
            let (pair, odd) = (feature / 2, feature % 2 == 1);
            let angle = step as f64 / 10_000f64.powf(2.0 * pair as f64 / features as f64);
            *value = T::of(if odd { angle.cos() } else { angle.sin() });
        }
    }
    values
}

/// `Y = X + P` for every sample; where `masked`, without the steps of padding.
fn add<T: Real>(x: ArrayView2<'_, T>, p: &[T], features: usize, masked: bool, mut y: ArrayViewMut2<'_, T>) {
    let p = ArrayView1::from(p);
    y.assign(&x);
    for (x, y) in x.rows().into_iter().zip(y.rows_mut()) {
        add_steps(x, p, features, masked, y);
    }
}

/// `y += values`; where `masked`, not for steps of padding in `x`.
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

/// `dX = dY`; where `masked`, 0 for the steps of padding.
fn back<T: Real>(
    x: ArrayView2<'_, T>,
    dy: ArrayView2<'_, T>,
    features: usize,
    masked: bool,
    mut dx: ArrayViewMut2<'_, T>,
) {
    dx.assign(&dy);
    if masked {
        spec(x, dx, [features; 2]);
    }
}

impl<T: Real> Layer<T> for SinusoidalPositions {
    type Cache = Positions<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Positions<T>), ShapeError> {
        let [steps, features] = sequence(input, plan)?;
        plan.check_size(steps * features)?;
        Ok((input, Positions { features, ..Positions::default() }))
    }

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Positions<T>>) {
        let values = cache.values.get_or_init(|| sinusoidal(x.ncols(), cache.features));
        add(x, values, cache.features, self.masked, y);
    }

    fn backward(&self, Backward { x, dy, dx, cache, .. }: Backward<'_, T, Positions<T>>) {
        if let Some(dx) = dx {
            back(x, dy, cache.features, self.masked, dx);
        }
    }
}

impl<T: Real> Layer<T> for LearnedPositions {
    type Cache = Positions<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Positions<T>), ShapeError> {
        let [steps, features] = sequence(input, plan)?;
        plan.weight("weight", [steps, features], (steps, features), &self.weight)?;
        Ok((input, Positions { features, ..Positions::default() }))
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Positions<T>>) {
        add(x, params.values(x.ncols()), cache.features, self.masked, y);
    }

    fn backward(&self, Backward { mut grads, x, dy, dx, cache, .. }: Backward<'_, T, Positions<T>>) {
        let mut dp = grads.take([x.ncols()]);
        for (x, dy) in x.rows().into_iter().zip(dy.rows()) {
            add_steps(x, dy, cache.features, self.masked, dp.view_mut()); // dP += dY
        }
        if let Some(dx) = dx {
            back(x, dy, cache.features, self.masked, dx);
        }
    }
}
